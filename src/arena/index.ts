/**
 * arena/: objects with keys and lifetimes in one famfs file, for many processes and hosts, without a server (docs/arena.md).
 *
 * Purpose: reserve, commit, abort; get with a pin; delete; evict. Values are contiguous, immutable once committed, and read in place.
 * Invariants: a committed object is whole; a pinned one is not reused; what the dead reserved or pinned lapses; a reference to a
 * freed object is ESTALE, never other bytes. The slots alone are the truth: lists, counts, the heap and the index follow from them.
 * Order of stores: value, slot, its state word, its entry in the index. Each is written back before the next. Ending goes: state word, entry,
 * look at the pins, free. A reader pins first and looks at the state word again after that (both are fences): one of the two sees the other.
 * Locks: lookups take none. The writers of a host take turns by an OFD lock on one byte of its part. A host owns a part by a lease (lease.ts);
 * it stores into no other part. A member stores into its own record alone.
 * Lifetime: volume > Arena (a member) > ArenaValue (a pin), Reservation. close() ends all pins of its member.
 * Failure: EINVAL no arena or bad argument, EOPNOTSUPP version, EBADMSG damaged, ENAMETOOLONG, EFBIG, ENOSPC full, EBUSY pinned or locked or
 * no part left, EEXIST, ESTALE gone or lease lost, EMFILE members or pins, EROFS, EBADF closed, ENODEV memory gone. Nothing is done half.
 */
export { Arena } from './arena.js';
export { createArena } from './create.js';
export { type ArenaProblem, type ArenaReport, type FsckArenaOptions, fsckArena } from './fsck.js';
export type { ArenaKey } from './key.js';
export type { Eviction } from './layout.js';
export type { ArenaMember } from './members.js';
export { openArena } from './open.js';
export { Reservation } from './reservation.js';
export type {
  ArenaEntry,
  ArenaStats,
  CreateArenaOptions,
  ListOptions,
  OpenArenaOptions,
  PutOptions,
} from './types.js';
export { ArenaValue } from './value.js';
