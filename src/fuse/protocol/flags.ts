/** The bits of a field by name. Bit numbers, not masks, because INIT has more than 32 flags. */
export type FlagTable = Readonly<Record<string, number>>;

/** Capabilities of INIT. `flags` holds bits 0 to 31, `flags2` the bits from 32 on. */
export const initFlags = {
  ASYNC_READ: 0,
  POSIX_LOCKS: 1,
  FILE_OPS: 2,
  ATOMIC_O_TRUNC: 3,
  EXPORT_SUPPORT: 4,
  BIG_WRITES: 5,
  DONT_MASK: 6,
  SPLICE_WRITE: 7,
  SPLICE_MOVE: 8,
  SPLICE_READ: 9,
  FLOCK_LOCKS: 10,
  HAS_IOCTL_DIR: 11,
  AUTO_INVAL_DATA: 12,
  DO_READDIRPLUS: 13,
  READDIRPLUS_AUTO: 14,
  ASYNC_DIO: 15,
  WRITEBACK_CACHE: 16,
  NO_OPEN_SUPPORT: 17,
  PARALLEL_DIROPS: 18,
  HANDLE_KILLPRIV: 19,
  POSIX_ACL: 20,
  ABORT_ERROR: 21,
  MAX_PAGES: 22,
  CACHE_SYMLINKS: 23,
  NO_OPENDIR_SUPPORT: 24,
  EXPLICIT_INVAL_DATA: 25,
  MAP_ALIGNMENT: 26,
  SUBMOUNTS: 27,
  HANDLE_KILLPRIV_V2: 28,
  SETXATTR_EXT: 29,
  INIT_EXT: 30,
  INIT_RESERVED: 31,
  SECURITY_CTX: 32,
  HAS_INODE_DAX: 33,
  CREATE_SUPP_GROUP: 34,
  HAS_EXPIRE_ONLY: 35,
  DIRECT_IO_ALLOW_MMAP: 36,
  PASSTHROUGH: 37,
  NO_EXPORT_SUPPORT: 38,
  HAS_RESEND: 39,
  ALLOW_IDMAP: 40,
  OVER_IO_URING: 41,
  REQUEST_TIMEOUT: 42,
  PASSTHROUGH_V2: 45,
} as const;

export type Capability = keyof typeof initFlags;

export const initFlagsHigh: FlagTable = Object.fromEntries(
  Object.entries(initFlags)
    .filter(([, bit]) => bit >= 32)
    .map(([name, bit]) => [name, bit - 32]),
);

/** FOPEN_*: how an opened file behaves. */
export const openedFlags = {
  DIRECT_IO: 0,
  KEEP_CACHE: 1,
  NONSEEKABLE: 2,
  CACHE_DIR: 3,
  STREAM: 4,
  NOFLUSH: 5,
  PARALLEL_DIRECT_WRITES: 6,
  PASSTHROUGH: 7,
} as const;

/** FATTR_*: which fields of SETATTR are valid. */
export const setattrValid = {
  MODE: 0,
  UID: 1,
  GID: 2,
  SIZE: 3,
  ATIME: 4,
  MTIME: 5,
  FH: 6,
  ATIME_NOW: 7,
  MTIME_NOW: 8,
  LOCKOWNER: 9,
  CTIME: 10,
  KILL_SUIDGID: 11,
} as const;

export const attributeFlags = { SUBMOUNT: 0, DAX: 1 } as const;
/** FUSE_BACKING_MAP_*. The value of CYCLIC is an assumption (no header with it could be read), so it is only printed, never sent. */
export const backingMapFlags = { CREATE: 0, CYCLIC: 1 } as const;
export const getattrFlags = { FH: 0 } as const;
export const openInFlags = { KILL_SUIDGID: 0 } as const;
export const releaseFlags = { FLUSH: 0, FLOCK_UNLOCK: 1 } as const;
export const readFlags = { LOCKOWNER: 1 } as const;
export const writeFlags = { CACHE: 0, LOCKOWNER: 1, KILL_SUIDGID: 2 } as const;
export const fsyncFlags = { FDATASYNC: 0 } as const;
export const lockFlags = { FLOCK: 0 } as const;
export const entryNotifyFlags = { EXPIRE_ONLY: 0 } as const;
export const ioctlFlags = {
  COMPAT: 0,
  UNRESTRICTED: 1,
  RETRY: 2,
  IOCTL_32BIT: 3,
  DIR: 4,
  COMPAT_X32: 5,
} as const;
export const renameFlags = { NOREPLACE: 0, EXCHANGE: 1, WHITEOUT: 2 } as const;
export const accessMask = { X_OK: 0, W_OK: 1, R_OK: 2 } as const;

/** open(2) flags of Linux on x86-64. The two low bits are the access mode: 0 read, 1 write, 2 both. */
export const openFlags = {
  WRONLY: 0,
  RDWR: 1,
  CREAT: 6,
  EXCL: 7,
  NOCTTY: 8,
  TRUNC: 9,
  APPEND: 10,
  NONBLOCK: 11,
  DSYNC: 12,
  DIRECT: 14,
  LARGEFILE: 15,
  DIRECTORY: 16,
  NOFOLLOW: 17,
  NOATIME: 18,
  CLOEXEC: 19,
  SYNC: 20,
} as const;

/** Whether a 64-bit set, given as two words, has a bit. */
export function hasBit(low: number, high: number, bit: number): boolean {
  return bit < 32 ? ((low >>> bit) & 1) === 1 : ((high >>> (bit - 32)) & 1) === 1;
}

/** The names of the set bits, for example `[KEEP_CACHE|bit9]`. Unknown bits are shown by number. */
export function flagNames(flags: FlagTable, value: bigint): string {
  const names: string[] = [];
  const byBit = new Map(Object.entries(flags).map(([name, bit]) => [bit, name]));
  for (let bit = 0; bit < 64; bit += 1) {
    if ((value >> BigInt(bit)) & 1n) names.push(byBit.get(bit) ?? `bit${bit}`);
  }
  return `[${names.join('|')}]`;
}
