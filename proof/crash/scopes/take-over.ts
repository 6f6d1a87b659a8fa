/** take-over: by the next owner, and by a third host after the second one died half way. */
import {
  deviceMedia,
  type FamfsDevice,
  interruptedTakeOver,
  type Media,
  mountFamfsOn,
  takeOver as takeOverMedia,
} from '../../../src/famfs/index.js';
import { asHost } from '../../media/device.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { OTHER_HOST, THIRD_HOST, THIS_HOST } from '../hosts.js';
import { drop, either, flushesBy, moveBefore, storesBy } from '../mutate.js';
import type { Bench, Scope } from '../scope.js';
import { oldVolume, readVolume, writeMore } from '../volumes.js';

const by = (caller: RegExp) => either(storesBy(caller), flushesBy(caller));

function take(device: FamfsDevice, systemUuid: string): void {
  const media = deviceMedia(device);
  try {
    takeOverMedia(media, { systemUuid, force: true });
  } finally {
    media.close();
  }
}

function read({ device }: Bench): string {
  const media = deviceMedia(device);
  const torn = interruptedTakeOver(media);
  media.close();
  return torn === null
    ? readVolume(device)
    : `interrupted ${torn.from.slice(0, 8)} to ${torn.to.slice(0, 8)}`;
}

/** The owner can write. While the take-over is interrupted no host can, and the host that completes it finds everything. */
function goOn(bench: Bench, text: string): void {
  const { device, other } = bench;
  if (!text.startsWith('interrupted')) {
    const owner = [THIS_HOST, OTHER_HOST, THIRD_HOST].find((uuid) =>
      text.includes(`of ${uuid.slice(0, 8)};`),
    );
    writeMore(asHost(device, owner!), text);
    return;
  }
  for (const host of [device, other]) {
    let isMounted = true;
    try {
      mountFamfsOn(host).close();
    } catch {
      isMounted = false;
    }
    if (isMounted) throw new Error('a file system without a whole superblock was mounted');
  }
  take(device, OTHER_HOST);
  const taken = read(bench);
  if (!taken.includes(`of ${OTHER_HOST.slice(0, 8)};`)) throw new Error(`a second take-over left ${taken}`);
  take(device, THIRD_HOST);
  writeMore(asHost(device, THIRD_HOST), read(bench));
}

export const takeOver: Scope = {
  name: 'take-over',
  about: 'another host becomes the owner',
  memories: memoryKinds,
  prepare: oldVolume,
  act({ device, mark }) {
    take(device, OTHER_HOST);
    mark();
  },
  read,
  alsoAllowed: /^interrupted 11111111 to 99999999$/,
  goOn,
  mutants: [
    {
      name: 'one-step',
      about: 'owner and crc are stored without a record of what is to happen',
      memory: 'shared',
      change: (events) => drop(events, by(/writeIntent/)),
    },
    {
      name: 'record-not-flushed',
      about: 'the record is not flushed before the owner is stored',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/writeIntent/)),
    },
    {
      name: 'record-erased-first',
      about: 'the record is erased before the owner is stored',
      memory: 'hosts',
      change: (events) => moveBefore(events, by(/eraseIntent/), by(/storeOwner/)),
    },
  ],
};

export const takeOverAgain: Scope = {
  name: 'take-over-again',
  about: 'a third host takes over from one that died while taking over',
  memories: memoryKinds,
  prepare(bench) {
    oldVolume(bench);
    const { device } = bench;
    const media = deviceMedia(device);
    // Dies after the second fence: the new owner is stored, its crc is not.
    let fences = 0;
    const dying: Media = {
      name: media.name,
      size: media.size,
      bytes: (at, length) => media.bytes(at, length),
      flush: (at, length) => media.flush(at, length),
      zero: (at, length) => media.zero(at, length),
      invalidate: (at, length) => media.invalidate(at, length),
      fence: () => {
        media.fence();
        if (++fences === 2) throw new Error('died');
      },
    };
    try {
      takeOverMedia(dying, { systemUuid: OTHER_HOST, force: true });
    } catch {
      // The error was intended.
    }
    media.close();
  },
  act({ device, mark }) {
    take(device, THIRD_HOST);
    mark();
  },
  read,
  // The owner is restored first, and then the third host takes over.
  alsoAllowed: /^(interrupted 11111111 to (99999999|77777777)|volume aaaaaaaa of 11111111; .*)$/,
  goOn,
  mutants: [
    {
      name: 'no-way-back',
      about: 'the record of the second take-over replaces that of the first before the owner is whole again',
      memory: 'shared',
      change: (events) => moveBefore(events, by(/writeIntent/), by(/storeOwner/)),
    },
  ],
};
