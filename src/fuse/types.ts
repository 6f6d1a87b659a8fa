import type { OptionalOperation } from './protocol/operations.js';

declare const nodeIdBrand: unique symbol;
declare const handleBrand: unique symbol;

/** Identifies an inode between the kernel and a file system, from its first lookup to its last forget. The root is 1. */
export type NodeId = number & { readonly [nodeIdBrand]: true };
/** Identifies one open file or directory, from OPEN, OPENDIR or CREATE to RELEASE or RELEASEDIR. */
export type FileHandle = number & { readonly [handleBrand]: true };

export const ROOT_NODE = 1 as NodeId;

/** A point in time, since 1970. */
export interface Timestamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** struct fuse_attr. A file system may return the same object again and again: the session does not keep it. */
export interface FuseAttributes {
  readonly inode: number;
  /** Type and permission bits, as in st_mode. */
  readonly mode: number;
  readonly size: number;
  /** In 512-byte units. Default: size rounded up. */
  readonly blocks?: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly atime: Timestamp;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  /** Device number from {@link encodeDevice}; only for device nodes. */
  readonly rdev?: number;
  /** Preferred I/O size (st_blksize), bytes. Default: 4096. */
  readonly blockSize?: number;
  /** FUSE_ATTR_DAX: every open of the inode gives a `map`. Only on a connection whose backings work; fixed when the kernel makes the inode. */
  readonly isDax?: boolean;
}

/** A run of bytes of a file, at `address` of a device. All are bytes, in multiples of 4096. */
export interface FuseMapExtent {
  readonly offset: number;
  readonly length: number;
  readonly address: number;
}

/** A name's node and attributes, and how long the kernel may cache them. */
export interface FuseEntry {
  /** 0: the name does not exist, and the kernel may cache that for `entrySeconds` (a negative entry). */
  readonly node: NodeId;
  /** Distinguishes two files that had the same node id one after the other. */
  readonly generation?: number;
  readonly attributes: FuseAttributes;
  /** How long the name may be cached, seconds. Fractions are allowed; Infinity means until invalidated. */
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
  /** Every read and write is sent to the file system, without the page cache: coherent with stores made elsewhere. */
  readonly directIo?: boolean;
  /** Keeps the pages cached from the last open. For files that do not change, or are invalidated. */
  readonly keepCache?: boolean;
  /** For directories: caches the listing in the page cache (with keepCache: across opens). */
  readonly cacheDirectory?: boolean;
  readonly nonSeekable?: boolean;
  /** No FLUSH at close. */
  readonly noFlush?: boolean;
  /** Direct writes to one file may run in parallel. */
  readonly parallelDirectWrites?: boolean;
  /** Reads and writes go directly to this registered backing file (root only). */
  readonly backingId?: number;
  /** Reads, writes and mappings go to the devices by this map (FuseBackings.map). Alone, or with noFlush. */
  readonly map?: number;
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

/** SETATTR: only the present fields change. `'now'` means the server's clock. */
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
 * The caller of a request. One object serves all requests of a session: read it during the call, do not keep it.
 * pid is the thread that made the system call. It is 0 for requests that the kernel makes by itself (write-back, read-ahead of
 * a dead process).
 */
export interface FuseRequestContext {
  readonly unique: number;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/**
 * Receives the bytes of a READ. The kernel gets the pieces in the order they were added, straight from their memory (writev):
 * spans of a mapping are not copied in JavaScript. Bytes beyond the requested length are cut; fewer bytes mean end of file. The
 * reply is sent after read() returns: until the next request the memory must stay mapped and the bytes unchanged.
 */
export interface FuseReadAnswer {
  /** Adds `length` bytes of this process's memory at `address`. */
  addMemory(address: number, length: number): void;
  addBytes(bytes: Uint8Array): void;
}

/** Receives the names of a READDIR or READDIRPLUS. */
export interface FuseDirectoryAnswer {
  /** True for READDIRPLUS: `add` wants an entry, which counts as one lookup (not for `.` and `..`). */
  readonly plus: boolean;
  /** Whether a name of this many UTF-8 bytes still fits. */
  fits(nameBytes: number): boolean;
  /**
   * Adds a name. `next` is the offset (not 0) that the kernel sends to continue after it.
   * For READDIRPLUS, `entry` gives the entry if it is known; it is called only if the name fits.
   * @param type one of the S_IF* types in st_mode position
   * @returns false when the name did not fit: stop then, the kernel continues later at the last `next` it got
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

/** The answer of a file system's init(). */
export interface FuseInitAnswer {
  /**
   * Operations that are not implemented on this connection. They answer ENOSYS as if they had no method; the kernel remembers that
   * and stops asking. Default: none beside those without a method.
   */
  readonly unimplemented?: readonly OptionalOperation[];
}

/** What INIT settled, with the answer of the file system's init(). */
export interface FuseSettledConnection extends FuseConnection {
  readonly unimplemented: readonly OptionalOperation[];
}

/**
 * What FuseFileSystem.write() returns when another thread sends the answer (FuseHost.writeLater). No length and no errno: an errno is
 * above -512.
 */
export const ANSWERED_LATER = -4096;

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

/** The answer to LOOKUP that a name does not exist. The kernel may cache it for `entrySeconds`. */
export function negativeEntry(entrySeconds: number): FuseEntry {
  return { node: 0 as NodeId, attributes: nothing, entrySeconds, attributeSeconds: 0 };
}
