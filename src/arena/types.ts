import type { LockPatience } from '../libc/index.js';
import type { ArenaKey } from './key.js';
import type { Eviction } from './layout.js';
import type { ArenaMember } from './members.js';

/** Size and limits of a new arena. */
export interface CreateArenaOptions {
  /** Bytes of the file: slots and index take some of them, the rest is for values. */
  size: number;
  /** The most objects of each host. Default: one for each 64 KiB, at least 1024. */
  slots?: number;
  /** The most hosts (kernels) that use it at once. Each allocates in its own part, of equal size. Default 1. */
  hosts?: number;
  /** Values begin at multiples of it, and take multiples of it: 64 (default), 4096 or 2 MiB for DMA; any power of two. */
  align?: number;
  /** The longest key, bytes: 1 to 255 (default). Shorter ones save memory: 32 take 128 bytes a slot, 255 take 384. */
  maxKeyBytes?: number;
  /** The most handles of each host at once. Default 64. */
  members?: number;
  /** The most objects that one handle has pinned at once. Default 1024. */
  pins?: number;
  /** What a full arena does. Default 'none': it refuses. */
  eviction?: Eviction;
  /** Milliseconds without a heartbeat after which a host counts as gone. Default 2000. */
  leaseMs?: number;
  /** Mode and owner of the file. Defaults: 0o644 and the caller. Whoever pins stores into it. */
  mode?: number;
  uid?: number;
  gid?: number;
}

/** How an arena is opened. */
export interface OpenArenaOptions extends LockPatience {
  /** Opens without a member: read(), has() and list() work, nothing is stored. Default false. */
  readOnly?: boolean;
  /** Names this host. Default: the boot id of its kernel. For virtual machines that are clones down to that, and for tests. */
  host?: string;
}

/** How an object is stored. */
export interface PutOptions {
  /** The object expires after so many milliseconds: nobody finds it then. Default: never. */
  ttlMs?: number;
  /** Refuses with EEXIST when there is an object of that key. Default false: it is replaced, at once and whole. */
  ifAbsent?: boolean;
}

/** An object of a listing. */
export interface ArenaEntry {
  /** A copy. */
  key: Uint8Array;
  /** The key as text. */
  name: string;
  /** Bytes. */
  size: number;
  host: number;
  /** When it expires, ms since 1970; undefined: never. */
  expires?: number;
  reference: string;
}

/** Which objects are listed. */
export interface ListOptions {
  /** Only keys that begin with it. */
  prefix?: ArenaKey;
}

/** What an arena holds. Bytes are those of values, rounded up to the alignment. */
export interface ArenaStats {
  path: string;
  uuid: string;
  /** Bytes of the file, and of the space for values, of all hosts. */
  size: number;
  heap: number;
  hosts: number;
  align: number;
  maxKeyBytes: number;
  eviction: Eviction;
  slots: number;
  objects: number;
  tombstones: number;
  /** Bytes of committed objects, of reservations, and of deleted objects that are still pinned. */
  used: number;
  reserved: number;
  limbo: number;
  free: number;
  /** Of this host's part: the largest free piece, and how many there are. */
  largestFree: number;
  freePieces: number;
  /** Calls since the arena was made, modulo 2^32. */
  puts: number;
  deletes: number;
  evictions: number;
  expirations: number;
  /** Those who have it open, on hosts that live. */
  members: ArenaMember[];
}
