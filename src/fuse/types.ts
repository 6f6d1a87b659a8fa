import type { OptionalOperation } from './protocol/operations.js';

declare const nodeIdBrand: unique symbol;
declare const handleBrand: unique symbol;

/** Names an inode between the kernel and a file system, from its first lookup to its last forget. Root is 1. */
export type NodeId = number & { readonly [nodeIdBrand]: true };
/** Names one open file or directory, from OPEN, OPENDIR or CREATE to RELEASE or RELEASEDIR. */
export type FileHandle = number & { readonly [handleBrand]: true };

export const ROOT_NODE = 1 as NodeId;

/** A point in time as the kernel counts it. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** struct fuse_attr. File systems keep one object an inode and hand out the same one: nothing here holds on to it. */
export interface FuseAttributes {
  readonly inode: number;
  /** Type and permission bits, as in st_mode. */
  readonly mode: number;
  readonly size: number;
  /** In 512-byte units; default: size rounded up. */
  readonly blocks?: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  /** Device number from {@link encodeDevice}; only for device nodes. */
  readonly rdev?: number;
  /** Preferred I/O size, st_blksize; default 4096. */
  readonly blockSize?: number;
}

/** What the kernel may believe without asking again, and for how long. */
export interface FuseEntry {
  /** 0: the name does not exist, remember that for `entrySeconds` (a negative entry). */
  readonly node: NodeId;
  /** Tells apart two files that had the same node id one after another. */
  readonly generation?: number;
  readonly attributes: FuseAttributes;
  /** How long the name may be cached, seconds (fractions allowed, Infinity = until invalidated). */
  readonly entrySeconds: number;
  /** How long the attributes may be cached, seconds. */
  readonly attributeSeconds: number;
}

export interface FuseAttributeAnswer {
  readonly attributes: FuseAttributes;
  readonly attributeSeconds: number;
}

export interface FuseOpenAnswer {
  readonly handle: FileHandle;
  /** Every read and write comes to us, no page cache: coherent with stores made elsewhere. */
  readonly directIo?: boolean;
  /** Keep what the page cache holds from the last open: for files that do not change, or are invalidated. */
  readonly keepCache?: boolean;
  /** Directories: keep the listing in the page cache (with keepCache: across opens). */
  readonly cacheDirectory?: boolean;
  readonly nonSeekable?: boolean;
  /** No FLUSH at close. */
  readonly noFlush?: boolean;
  /** Direct writes to one file need not be one after another. */
  readonly parallelDirectWrites?: boolean;
  /** Reads and writes go to this registered backing file, past us (root only). */
  readonly backingId?: number;
}

/** struct fuse_kstatfs: sizes are in `blockSize` units. */
export interface FuseStatfs {
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
  readonly nameLength: number;
}

/** SETATTR: only the fields that are present change. `'now'` is the server's clock. */
export interface FuseAttributeChange {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: Timestamp | 'now';
  readonly mtime?: Timestamp | 'now';
  readonly ctime?: Timestamp;
  /** The change came through this open file (ftruncate). */
  readonly handle?: FileHandle;
}

/**
 * Who asks. One object serves all requests of a session: read it during the call, do not keep it.
 * pid is 0 for requests the kernel makes by itself (write-back, read-ahead of a dead process).
 */
export interface FuseRequestContext {
  readonly unique: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/**
 * Where a READ puts its bytes. Pieces go to the kernel in the order they were added, straight from where
 * they lie (writev): memory spans of a mapping are not copied in JavaScript. Adding more than was asked
 * for is cut; adding less means end of file. Memory must stay mapped until read() returns, bytes unchanged.
 */
export interface FuseReadAnswer {
  /** `length` bytes of this process's memory at `address`. */
  addMemory(address: number, length: number): void;
  addBytes(bytes: Uint8Array): void;
}

/** Where READDIR and READDIRPLUS put their names. */
export interface FuseDirectoryAnswer {
  /** True for READDIRPLUS: `add` wants an entry, which counts as one lookup of it (but for `.` and `..`). */
  readonly plus: boolean;
  /** Whether a name of this many UTF-8 bytes still fits. */
  fits(nameBytes: number): boolean;
  /**
   * Adds a name. `next` is the offset (not 0) that the kernel sends to go on after it.
   * For READDIRPLUS `entry` is given when known; it is called only if the name fits.
   * @param type one of the S_IF* types in st_mode position
   * @returns false when it did not fit: stop, the kernel comes back with the last `next` it got
   */
  add(name: string, inode: number, type: number, next: number, entry?: () => FuseEntry | undefined): boolean;
}

/** What INIT settled. */
export interface FuseConnection {
  readonly kernelMinor: number;
  readonly minor: number;
  readonly maxWriteBytes: number;
  readonly maxReadaheadBytes: number;
  /** Names of the capabilities in force, as in `flags.ts` (`DIRECT_IO_ALLOW_MMAP`, ...). */
  readonly capabilities: readonly string[];
}

/** What a file system says to what INIT settled. */
export interface FuseInitAnswer {
  /**
   * What it does not implement on this connection: answered ENOSYS as if the method were not there, which the kernel remembers (it then
   * stops asking). Default: what has no method.
   */
  readonly unimplemented?: readonly OptionalOperation[];
}

/** What INIT settled, the file system's answer included. */
export interface FuseSettledConnection extends FuseConnection {
  readonly unimplemented: readonly OptionalOperation[];
}

const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };
const nothing: FuseAttributes = {
  inode: 0,
  mode: 0,
  size: 0,
  links: 0,
  uid: 0,
  gid: 0,
  atime: EPOCH,
  mtime: EPOCH,
  ctime: EPOCH,
};

/** LOOKUP's answer "there is no such name", which the kernel then believes for `entrySeconds`. */
export function negativeEntry(entrySeconds: number): FuseEntry {
  return { node: 0 as NodeId, attributes: nothing, entrySeconds, attributeSeconds: 0 };
}
