import { CONTROL, PART_STATE } from './layout.js';
import { listMembers } from './members.js';
import type { ArenaMemory } from './memory.js';
import type { OwnPart } from './own-part.js';
import type { ArenaStats } from './types.js';

/** Adds up the counts of all parts. Those of other hosts may be old: they are not written back for us. */
export function statsOf(memory: ArenaMemory, own: OwnPart | undefined): ArenaStats {
  const { geometry, words } = memory;
  const { hosts, alignBytes, heapBytesPerHost } = geometry;
  const sum = (counter: keyof typeof CONTROL): number => {
    let total = 0;
    for (let part = 0; part < hosts; part++) {
      const control = memory.partWord(part);
      if (part !== own?.part) memory.refetch(control, 96);
      if (words[control + CONTROL.state] !== PART_STATE.never) total += words[control + CONTROL[counter]]!;
    }
    return total;
  };
  const used = sum('usedUnits') * alignBytes;
  const reserved = sum('reservedUnits') * alignBytes;
  const limbo = sum('limboUnits') * alignBytes;
  const { largest, pieces } = own?.heap.survey() ?? { largest: 0, pieces: 0 };
  return {
    path: memory.file.path,
    uuid: geometry.uuid,
    size: geometry.fileBytes,
    heap: heapBytesPerHost * hosts,
    hosts,
    align: alignBytes,
    maxKeyBytes: geometry.maxKeyBytes,
    eviction: geometry.policy,
    slots: geometry.slotsPerHost * hosts,
    objects: sum('committed'),
    tombstones: sum('tombstones'),
    used,
    reserved,
    limbo,
    free: heapBytesPerHost * hosts - used - reserved - limbo,
    largestFree: largest * alignBytes,
    freePieces: pieces,
    puts: sum('puts'),
    deletes: sum('deletes'),
    evictions: sum('evictions'),
    expirations: sum('expirations'),
    members: listMembers(memory, own?.part ?? -1),
  };
}
