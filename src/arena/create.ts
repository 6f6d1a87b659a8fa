import { randomInt, randomUUID } from 'node:crypto';
import type { Volume } from '../famfs/index.js';
import { aVolume } from '../famfs/pcq/open.js';
import { ownerOf } from '../famfs/volume/name-rules.js';
import {
  afterCommit,
  checkArguments,
  fail,
  number,
  oneOf,
  optional,
  text,
  u32,
  options as wantedOptions,
} from '../libc/index.js';
import { EVICTIONS, encodeHeader, placesOf, type Shape, shapeFaults } from './layout.js';
import type { CreateArenaOptions } from './types.js';

const BYTES_PER_SLOT = 65_536;
const FEWEST_SLOTS = 1024;

const createOptions = wantedOptions({
  size: number,
  slots: optional(number),
  hosts: optional(number),
  align: optional(number),
  maxKeyBytes: optional(number),
  members: optional(number),
  pins: optional(number),
  eviction: optional(oneOf(...EVICTIONS)),
  leaseMs: optional(number),
  mode: optional(u32),
  uid: optional(u32),
  gid: optional(u32),
});

/**
 * Makes an arena: a file of `size` bytes, which is an empty arena when it appears. Its size and shape are final.
 * @throws DaxError EINVAL a shape that no arena has; ENOSPC no room, or too small for its slots; ERANGE, EEXIST, EROFS
 */
export function createArena(volume: Volume, path: string, options: CreateArenaOptions): void {
  checkArguments('createArena', [volume, path, options], {
    volume: aVolume,
    path: text,
    options: createOptions,
  });
  const { size, hosts = 1, eviction = 'none', leaseMs = 2000, mode = 0o644 } = options;
  const shape: Shape = {
    fileBytes: size,
    hosts,
    membersPerHost: options.members ?? 64,
    pinsPerMember: options.pins ?? 1024,
    slotsPerHost: options.slots ?? Math.max(FEWEST_SLOTS, Math.floor(size / BYTES_PER_SLOT / hosts)),
    maxKeyBytes: options.maxKeyBytes ?? 255,
    alignBytes: options.align ?? 64,
  };
  const fault = shapeFaults(shape);
  if (fault) fail(fault.code, `an arena ${path} is not possible: ${fault.why}`, { path });
  if (!Number.isSafeInteger(leaseMs) || leaseMs < 50 || leaseMs > 3_600_000)
    fail('EINVAL', `a lease of ${leaseMs} ms is refused: 50 to 3600000`, { path });
  const [seedA, seedB] = [randomInt(2 ** 32), randomInt(2 ** 32)];
  const header = encodeHeader(shape, { uuid: randomUUID(), eviction, leaseMs, seedA, seedB });
  const { heapOffset } = placesOf(shape);
  // Only the metadata is to be zero. The space for values is never read before it is written.
  const fill = (into: Uint8Array, position: number) => {
    if (position >= heapOffset) return;
    into.fill(0, 0, Math.min(into.length, heapOffset - position));
    if (position < header.length) into.set(header.subarray(position, position + into.length));
  };
  const file = volume.create(path, { size, mode, ...ownerOf(options), fill });
  file.close();
  if (!file.needsWriteBack) afterCommit(`making ${path} durable`, () => volume.flush(path));
}
