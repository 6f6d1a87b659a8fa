/** mkfs: over no file system, and by force over one that has files. */
import { deviceMedia, mediaState } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { both, drop, either, flushesBy, moveBefore, storesBy, within } from '../mutate.js';
import type { Bench, Mutant, Scope } from '../scope.js';
import { format, oldVolume, pattern, readVolume, writeMore } from '../volumes.js';

const MIB = 2 ** 20;
const SUPERBLOCK = 200;
const by = (caller: RegExp) => either(storesBy(caller), flushesBy(caller));
const magic = both(storesBy(/writeSuperblock/), within(0, 8));
const rest = both(storesBy(/writeSuperblock/), within(8, SUPERBLOCK));

const mutants: readonly Mutant[] = [
  {
    name: 'superblock-first',
    about: 'the superblock is written before the log is made ready (as C famfs: famfs-format.md 5)',
    memory: 'shared',
    change: (events) => moveBefore(events, by(/writeSuperblock/), by(/writeLog/)),
  },
  {
    name: 'log-not-flushed',
    about: 'the new log is not flushed before the superblock names it',
    memory: 'pmem',
    change: (events) => drop(events, flushesBy(/writeLog/)),
  },
  {
    name: 'magic-first',
    about: 'the magic is stored before the rest of the superblock',
    memory: 'hosts',
    change: (events) => moveBefore(events, magic, rest),
  },
];

function read({ device }: Bench): string {
  const media = deviceMedia(device);
  const state = mediaState(media);
  media.close();
  if (state === 'none') return 'none';
  if (state !== 'valid') throw new Error(`the superblock is ${state}`);
  return readVolume(device);
}

/** mkfs clears 10 MiB, so of the many memories without a file system only one in 32 is formatted. */
function goOn(bench: Bench, text: string): void {
  const { device, turn } = bench;
  if (text !== 'none') writeMore(device, text);
  else if (turn % 32 === 3) {
    format(device, 'next');
    writeMore(device, read(bench));
  }
}

export const mkfs: Scope = {
  name: 'mkfs',
  about: 'mkfs over a device that is full of something else',
  memories: memoryKinds,
  prepare({ device }) {
    for (const at of [0, 64 * 1024, 2 * MIB, 2 * MIB + 4096, 10 * MIB]) device.view.set(pattern(700, at), at);
  },
  act({ device, mark }) {
    format(device, 'fresh');
    mark();
  },
  read,
  goOn,
  mutants,
};

export const mkfsForce: Scope = {
  name: 'mkfs-force',
  about: 'mkfs -f over a file system with files in it',
  memories: memoryKinds,
  prepare: oldVolume,
  act({ device, mark }) {
    format(device, 'fresh', true);
    mark();
  },
  read,
  // The old file system is gone, and the new one does not exist yet.
  alsoAllowed: /^none$/,
  goOn,
  mutants: [
    ...mutants,
    {
      name: 'old-magic-stays',
      about: 'the old superblock stays while the log under it is cleared',
      memory: 'shared',
      change: (events) => drop(events, by(/removeMagic/)),
    },
  ],
};
