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
 * What a file system answers. Handlers are synchronous, run one after another in the session's worker, and
 * answer by returning, or fail by throwing a DaxError, whose errno the caller of the system call gets.
 * Any other exception is a bug: the caller gets EIO and the session reports it.
 *
 * An operation that is left out answers ENOSYS, which the kernel remembers for many of them (it then stops
 * asking): ACCESS (permissions are checked by `default_permissions`), FLUSH, FSYNC, STATFS excepted (that one
 * answers zeroes), xattr calls (EOPNOTSUPP), OPEN and OPENDIR (stateless: every open succeeds with handle 0).
 * What is there, but not on every connection, is named by what `init` returns; a method is never taken away.
 * Names are UTF-8; a name that is not is EILSEQ when it would be made and ENOENT otherwise, without asking here.
 */
export interface FuseFileSystem {
  /** INIT is settled: the first call. The answer says what is not implemented here, by what was settled. */
  init?(connection: FuseConnection): FuseInitAnswer | undefined;
  /** The mount is gone: the last call. Must not throw. */
  destroy?(): void;
  /** A message from `session.call()`, between two requests; the result (structured clone) goes back. */
  message?(message: unknown): unknown;

  /** A path walk meets a name it does not have cached. The answer adds one to the node's lookup count. */
  lookup(parent: NodeId, name: string, context: FuseRequestContext): FuseEntry;
  /** The kernel drops `count` lookups; at 0 (but for root) the node id is free. Nobody waits for an answer. */
  forget?(node: NodeId, count: number): void;
  /** stat(2) when the cached attributes are too old; `handle` when it came from fstat(2). */
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

  /** open(2) without O_CREAT | O_EXCL. `flags` as in open(2); O_TRUNC comes as a setattr first unless negotiated. */
  open?(node: NodeId, flags: number, context: FuseRequestContext): FuseOpenAnswer;
  /** open(2) with O_CREAT of a name that does not exist: makes and opens it. Without it: mknod, then open. */
  create?(
    parent: NodeId,
    name: string,
    mode: number,
    flags: number,
    umask: number,
    context: FuseRequestContext,
  ): { entry: FuseEntry; opened: FuseOpenAnswer };
  /** read(2) with direct I/O, or the page cache filling itself. */
  read?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    length: number,
    answer: FuseReadAnswer,
    context: FuseRequestContext,
  ): void;
  /** `data` lies in the request's buffer: copy what must outlive the call. Returns how many bytes were taken. */
  write?(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    data: Uint8Array,
    context: FuseRequestContext,
  ): number;
  /** One close(2) of a descriptor; there may be several for one open, and its error is what close(2) returns. */
  flush?(node: NodeId, handle: FileHandle, context: FuseRequestContext): void;
  /** The last user of an open file is gone. Errors reach nobody. */
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
  /** getdents(2). `offset` is 0 at first, then the `next` of the last name the kernel took. */
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
  /** access(2), only when the mount is without default_permissions. `mask`: R_OK 4, W_OK 2, X_OK 1. */
  access?(node: NodeId, mask: number, context: FuseRequestContext): void;
  /** The value; the session answers length-only questions and ERANGE. Throw ENODATA when there is none. */
  getxattr?(node: NodeId, name: string, context: FuseRequestContext): Uint8Array;
  listxattr?(node: NodeId, context: FuseRequestContext): readonly string[];
  /** `flags`: XATTR_CREATE 1, XATTR_REPLACE 2. */
  setxattr?(node: NodeId, name: string, value: Uint8Array, flags: number, context: FuseRequestContext): void;
  removexattr?(node: NodeId, name: string, context: FuseRequestContext): void;
}

/** What a file system in the worker can ask of its session. Everything here is sent; nothing waits. */
export interface FuseHost {
  readonly mountpoint: string;
  /** Drops cached pages and attributes (see Session.invalidateInode): done by the main thread, after this call. */
  invalidateInode(node: NodeId, offset?: number, length?: number): void;
  /** Drops a cached name. */
  invalidateEntry(parent: NodeId, name: string): void;
  /** A message to `session.onMessage`. */
  post(message: unknown): void;
  /** Tells the session's `onReport` about something that went wrong and was survived. */
  report(error: unknown): void;
}

/**
 * A module that `startSession` loads in its worker: `createFileSystem` gets `fileSystem.data` (structured clone).
 * It may be async; the mount is made only after it succeeded.
 */
export interface FuseFileSystemModule {
  createFileSystem(data: unknown, host: FuseHost): FuseFileSystem | Promise<FuseFileSystem>;
}

/** One Timestamp from a date or milliseconds. */
export function timestampOf(milliseconds: number): Timestamp {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.floor((milliseconds - seconds * 1000) * 1e6) };
}
