import { CachedHost } from '../../proof/media/cached-host.js';
import { deviceOver, type ProofDevice } from '../../proof/media/device.js';
import { LINE_BYTES } from '../../proof/media/lines.js';
import { deviceMedia, formatMedia, mountFamfsOn, type Volume } from '../../src/famfs/index.js';
import { atMost, type Row, significant } from '../harness.js';

const MIB = 2 ** 20;
const DEVICE_BYTES = 16 * MIB;
const LOG_BYTES = 8 * MIB;
const HOSTS = [2, 4, 16] as const;
const ENTRIES = 400;
const IDLE = 100;
// A host looks once every 2 ms whether the file system is still the same one: a few lines more, however many hosts there are.

/** A host of the simulator that counts the lines it is told to write back, and to drop. */
class CountingHost extends CachedHost {
  written = 0;
  dropped = 0;

  override sync(offset: number, length: number): void {
    this.written += linesOf(offset, length);
    super.sync(offset, length);
  }

  override invalidate(offset: number, length: number): void {
    this.dropped += linesOf(offset, length);
    super.invalidate(offset, length);
  }
}

function linesOf(offset: number, length: number): number {
  return Math.ceil((offset + length) / LINE_BYTES) - Math.floor(offset / LINE_BYTES);
}

interface Counted {
  /** Lines that the master writes back for one entry. */
  master: number;
  /** Lines that one client drops for one entry, and to learn that there is none. */
  client: number;
  idle: number;
}

/** SH: what hosts that do not see each other's caches flush and drop, by their number. Counted in the simulator of the proofs. */
export function hosts(): Promise<Row[]> {
  const counted = HOSTS.map(count);
  const [few, many] = [counted[0]!, counted.at(-1)!];
  const row = (name: string, key: keyof Counted): Row => ({
    ...{
      id: 'SH',
      name: `${name}, with ${HOSTS.at(-1)} hosts`,
      ...atMost(many[key], significant(1.1 * few[key])),
    },
    ...{ unit: 'lines', backing: 'simulated caches', spread: 0 },
    reference: HOSTS.map((number, i) => `${number} hosts: ${significant(counted[i]![key])}`).join(', '),
  });
  return Promise.resolve([
    row('cache lines that the master writes back for an entry', 'master'),
    row('cache lines that a client drops for an entry', 'client'),
    row('cache lines that a client drops to see that nothing is new', 'idle'),
  ]);
}

function count(number: number): Counted {
  const memory = new Uint8Array(DEVICE_BYTES);
  const caches = Array.from({ length: number }, (_, i) => new CountingHost(`host-${i}`, memory));
  const devices = caches.map((cache, i) => {
    const device = deviceOver(cache, uuidOf(i));
    cache.begin(device.view);
    return device;
  });
  formatMedia(deviceMedia(devices[0]!), { systemUuid: uuidOf(0), logLength: LOG_BYTES });
  const volumes = devices.map((device, i) => mountOn(device, i));
  try {
    return countOn(caches, volumes);
  } finally {
    for (const volume of volumes) volume.close();
    for (const device of devices) device.close();
  }
}

function countOn(caches: readonly CountingHost[], [master, ...clients]: readonly Volume[]): Counted {
  const [first, second] = [caches[0]!, caches[1]!];
  const before = { written: first.written, dropped: second.dropped };
  for (let i = 0; i < ENTRIES; i++) {
    master!.mkdir(`/d${i}`);
    for (const client of clients)
      if (client.refresh() !== 1) throw new Error('a client has not seen the entry');
  }
  const seen = { written: first.written, dropped: second.dropped };
  for (let i = 0; i < IDLE; i++) for (const client of clients) client.refresh();
  return {
    master: (seen.written - before.written) / ENTRIES,
    client: (seen.dropped - before.dropped) / ENTRIES,
    idle: (second.dropped - seen.dropped) / IDLE,
  };
}

function mountOn(device: ProofDevice, host: number): Volume {
  return mountFamfsOn(device, { role: host === 0 ? 'master' : 'client' });
}

function uuidOf(host: number): string {
  return `${String(host).padStart(8, '0')}-0000-4000-8000-000000000000`;
}
