import type { FuseBackings } from './serving/backings.js';
import type {
  FileHandle,
  FuseAttributeAnswer,
  FuseAttributeChange,
  FuseConnection,
  FuseDirectoryAnswer,
  FuseEntry,
  FuseInitAnswer,
  FuseOpenAnswer,
  FuseReadAnswer,
  FuseRequestContext,
  FuseStatfs,
  NodeId,
  Timestamp,
} from './types.js';

/**
 * A file system that a session serves. Handlers are synchronous and run one after another in the session's worker. A handler
 * answers by returning, or fails by throwing a DaxError; the caller of the system call gets its errno. A system error of Node
 * counts like a DaxError. Any other exception is a bug: the caller gets EIO and the session reports it.
 *
 * Most operations that are left out answer ENOSYS. The kernel remembers that for many of them and stops asking: ACCESS
 * (`default_permissions` checks permissions), FLUSH, FSYNC, the xattr calls (callers get EOPNOTSUPP), OPEN and OPENDIR (stateless:
 * every open succeeds with handle 0). SETATTR, READ, WRITE and the operations that make, move or remove names answer EPERM, except
 * CREATE. STATFS answers zeroes. FORGET, RELEASE and RELEASEDIR do nothing.
 * A method that is not implemented on every connection is named in what `init` returns. A method is never taken away.
 * Names are UTF-8. A name that is not UTF-8 is EILSEQ when it would be made, else ENOENT; no handler is called then.
 */
export interface FuseFileSystem {
  /** The first call: INIT is settled. The answer names the operations that are not implemented on this connection. */
  init?(connection: FuseConnection): FuseInitAnswer | undefined;
  /**
   * INIT's answer was sent, and no other request was served yet: the moment to create backings. Only called when extentMaps was asked
   * for. What it throws ends the session.
   */
  started?(backings: FuseBackings): void;
  /** The last call: the mount is gone. Must not throw. */
  destroy?(): void;
  /** Receives a message of `session.call()` between two requests. The result goes back (structured clone). */
  message?(message: unknown): unknown;

  /** A path walk needs a name that is not cached. The answer adds one to the node's lookup count. */
  lookup(parent: NodeId, name: string, context: FuseRequestContext): FuseEntry;
  /** The kernel drops `count` lookups of a node. At 0 the node id is free, except the root's. There is no answer. */
  forget?(node: NodeId, count: number): void;
  /** stat(2), when the cached attributes are too old. `handle` is set when the request came from fstat(2). */
  getattr(node: NodeId, handle: FileHandle | undefined, context: FuseRequestContext): FuseAttributeAnswer;
  /** chmod, chown, truncate, utimes. */
  setattr?(node: NodeId, change: FuseAttributeChange, context: FuseRequestContext): FuseAttributeAnswer;
  /** readlink(2), and every path walk through a symbolic link that is not cached. */
  readlink?(node: NodeId, context: FuseRequestContext): string;
  mknod?(
    parent: NodeId,
    name: string,
    mode: number,
    rdev: number,
    umask: number,
    context: FuseRequestContext,
  ): FuseEntry;
  mkdir?(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry;
  unlink?(parent: NodeId, name: string, context: FuseRequestContext): void;
  rmdir?(parent: NodeId, name: string, context: FuseRequestContext): void;
  symlink?(parent: NodeId, name: string, target: string, context: FuseRequestContext): FuseEntry;
  /** `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. */
  rename?(
    parent: NodeId,
    name: string,
    newParent: NodeId,
    newName: string,
    flags: number,
    context: FuseRequestContext,
  ): void;
  link?(node: NodeId, newParent: NodeId, newName: string, context: FuseRequestContext): FuseEntry;

  /** open(2) of an existing file. `flags` as in open(2). O_TRUNC comes as a setattr first, unless negotiated (atomicTruncate). */
  open?(node: NodeId, flags: number, context: FuseRequestContext): FuseOpenAnswer;
  /** open(2) with O_CREAT of a name that does not exist: makes and opens the file. If left out, the kernel calls mknod, then open. */
  create?(
    parent: NodeId,
    name: string,
    mode: number,
    flags: number,
    umask: number,
    context: FuseRequestContext,
  ): { entry: FuseEntry; opened: FuseOpenAnswer };
  /** read(2) with direct I/O, or the kernel fills the page cache. */
  read?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    length: number,
    answer: FuseReadAnswer,
    context: FuseRequestContext,
  ): void;
  /**
   * `data` lies in the request's buffer: copy bytes that must outlive the call. Returns how many bytes were written, or ANSWERED_LATER
   * after FuseHost.writeLater().
   */
  write?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    data: Uint8Array,
    context: FuseRequestContext,
  ): number;
  /** One close(2) of a descriptor. There may be several for one open. close(2) returns the error. */
  flush?(node: NodeId, handle: FileHandle, context: FuseRequestContext): void;
  /** The last user of an open file is gone. No program sees an error. */
  release?(node: NodeId, handle: FileHandle, flags: number, context: FuseRequestContext): void;
  fsync?(node: NodeId, handle: FileHandle, dataOnly: boolean, context: FuseRequestContext): void;
  /** `mode` as in fallocate(2). */
  fallocate?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    length: number,
    mode: number,
    context: FuseRequestContext,
  ): void;
  /** SEEK_DATA (3) and SEEK_HOLE (4) only. Returns the offset found. */
  lseek?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    whence: number,
    context: FuseRequestContext,
  ): number;

  opendir?(node: NodeId, flags: number, context: FuseRequestContext): FuseOpenAnswer;
  /** getdents(2). `offset` is 0 at first, then the `next` of the last name that the kernel took. */
  readdir?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    answer: FuseDirectoryAnswer,
    context: FuseRequestContext,
  ): void;
  releasedir?(node: NodeId, handle: FileHandle, context: FuseRequestContext): void;
  fsyncdir?(node: NodeId, handle: FileHandle, dataOnly: boolean, context: FuseRequestContext): void;

  /** statfs(2), df. */
  statfs?(node: NodeId, context: FuseRequestContext): FuseStatfs;
  /** syncfs(2). Linux sends it to few file systems of FUSE (virtiofs, fuseblk). */
  syncfs?(context: FuseRequestContext): void;
  /** access(2), only when the mount is without default_permissions. `mask`: R_OK 4, W_OK 2, X_OK 1. */
  access?(node: NodeId, mask: number, context: FuseRequestContext): void;
  /** Returns the value; the session itself answers requests for the length only, and ERANGE. Throw ENODATA when there is none. */
  getxattr?(node: NodeId, name: string, context: FuseRequestContext): Uint8Array;
  listxattr?(node: NodeId, context: FuseRequestContext): readonly string[];
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
  setxattr?(node: NodeId, name: string, value: Uint8Array, flags: number, context: FuseRequestContext): void;
  removexattr?(node: NodeId, name: string, context: FuseRequestContext): void;
}

/** A WRITE that another thread carries out and answers. */
export interface DelayedWrite {
  readonly unique: number;
  readonly fd: number;
  /** All bytes, one piece after the other. The array must have a buffer of its own: it is moved to the other thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where in the file each piece goes. */
  readonly pieces: readonly { readonly offset: number; readonly length: number }[];
}

/** What a file system in the worker can ask its session for. Every call sends a message and returns at once. */
export interface FuseHost {
  readonly mountpoint: string;
  /** Drops cached pages and attributes (see FuseSession.invalidateInode). The main thread does it, after this call. */
  invalidateInode(node: NodeId, offset?: number, length?: number): void;
  /** Drops a cached name. */
  invalidateEntry(parent: NodeId, name: string): void;
  /**
   * Writes to files on another thread, and then answers the WRITE with this `unique`. For files of the mount itself: a write(2) of the
   * thread that serves them could wait for a request that it has to answer.
   */
  writeLater(write: DelayedWrite): void;
  /** Sends a message to the session's `onMessage`. */
  post(message: unknown): void;
  /** Reports an error that the file system has survived to the session's `onReport`. */
  report(error: unknown): void;
}

/**
 * A module that `startSession` loads in its worker. `createFileSystem` gets `fileSystem.data` (structured clone).
 * It may be async. The mount is made only after it has succeeded.
 */
export interface FuseFileSystemModule {
  createFileSystem(data: unknown, host: FuseHost): FuseFileSystem | Promise<FuseFileSystem>;
}

/** Converts milliseconds since 1970 to a Timestamp. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.floor((milliseconds - seconds * 1000) * 1e6) };
}
