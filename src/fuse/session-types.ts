import type { FuseSettledConnection, NodeId } from './types.js';

export interface FuseMountOptions {
  /** The mount's source, as in /proc/mounts. Commas need no escape. Default: `udax`. */
  readonly source?: string;
  /** The subtype; the mount's type is `fuse.SUBTYPE`. Default: `udax`. */
  readonly subtype?: string;
  readonly readOnly?: boolean;
  /** Users other than the mounter may use the mount. Needs root, or user_allow_other in /etc/fuse.conf. */
  readonly allowOther?: boolean;
  /** The kernel checks the owner and mode of files before it sends a request. Default: true. */
  readonly defaultPermissions?: boolean;
  /** Lets device nodes work. Root with mount(2) only. Default: false. */
  readonly devices?: boolean;
  /** Lets set-user-id bits work. Root with mount(2) only. Default: false. */
  readonly setuid?: boolean;
  /** How to mount. Default: mount(2) for root, else fusermount3. */
  readonly by?: 'mount' | 'fusermount3';
}

export interface FuseConnectionOptions {
  /** Largest WRITE and READ, bytes. Default: 1 MiB. The kernel may allow less. */
  readonly maxWriteBytes?: number;
  /** Read-ahead of buffered readers, bytes. INIT allows 128 KiB; root can set more. Default: what INIT allows. */
  readonly readaheadBytes?: number;
  /** open(2) with O_TRUNC comes as one OPEN with that flag, without a SETATTR first. Default: false. */
  readonly atomicTruncate?: boolean;
  /** When the kernel uses READDIRPLUS: 'auto' (default) lets the kernel decide. */
  readonly readdirplus?: 'auto' | 'always' | 'never';
  /** Allows shared mmap of files opened with directIo, if the kernel supports it. Default: true. */
  readonly directIoMmap?: boolean;
  /** The kernel drops cached pages when mtime or size changes. Default false: the file system invalidates them. */
  readonly autoInvalidate?: boolean;
  /** The kernel caches the targets of symbolic links until they are invalidated. Default: true. */
  readonly cacheSymlinks?: boolean;
  /** The kernel caches that a file has no ACL, and does not ask at every `ls -l`. For file systems with getxattr. Default: false. */
  readonly posixAcl?: boolean;
  /** The file system clears set-id bits, and the kernel does not ask for security.capability before every write. Default: false. */
  readonly handleKillPrivileges?: boolean;
  /** Allows PASSTHROUGH to backing files (root only). Default: false. */
  readonly passthrough?: boolean;
  /** Asks for extent maps over dax devices (Linux 7.4, CAP_SYS_RAWIO). Whether they work is known once FuseBackings.create() succeeds. */
  readonly extentMaps?: boolean;
}

export interface FuseSessionOptions {
  readonly mountpoint: string;
  readonly mount?: FuseMountOptions;
  readonly connection?: FuseConnectionOptions;
  /** The module that makes the file system in the worker. `data` is passed to it (structured clone). */
  readonly fileSystem: { readonly moduleUrl: string | URL; readonly data?: unknown };
  /** Counts requests and their latencies, for measured(). It costs under 0.4 us a request. Default: false. */
  readonly measure?: boolean;
  /** Receives every message as one readable line. It slows the mount down. */
  readonly onWire?: (line: string) => void;
  /** Receives the messages that the file system posts. */
  readonly onMessage?: (message: unknown) => void;
  /** Whether onReport also gets, once a kind, the reasons of refused calls: their callers see only an errno. Default: false. */
  readonly tellRefusals?: boolean;
  /** Receives errors that the session survives (a handler's bug, a failed notification). Default: one line on stderr. */
  readonly onReport?: (error: Error) => void;
}

/** Why a session ended. `failed`: the worker died, and the main thread took the mount down. */
export interface FuseSessionEnd {
  readonly reason: 'unmounted' | 'aborted' | 'failed';
  readonly error?: Error;
}

export interface FuseUnmountOptions {
  /**
   * What to do when the mount is in use (an open file, a working directory). 'abort' (default) detaches it at once and ends the
   * connection; the next call of its users fails with ENOTCONN. 'fail' throws EBUSY and changes nothing, when it is in use for 0.3 s.
   */
  readonly whenBusy?: 'abort' | 'fail';
}

/** What one kind of request took since the mount began. */
export interface OperationFigures {
  /** As in the FUSE protocol: `READ`, `LOOKUP`. */
  readonly name: string;
  readonly count: number;
  /** Requests that were answered with an errno, ordinary answers such as ENOTEMPTY among them. */
  readonly errors: number;
  /** Seconds from taking the requests to handing in their answers, all together. */
  readonly seconds: number;
  /** How many took at most as long as each of LATENCY_BOUNDS_SECONDS and no shorter bound; then how many took longer. */
  readonly buckets: readonly number[];
}

/** What a session has done since it began. */
export interface FuseFigures {
  /** By kind of request. */
  readonly operations: readonly OperationFigures[];
  /** Bytes of the answers to READ, and of WRITE requests. Memory that programs have mapped passes by both. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Requests that wait for their answer now, as the kernel counts them; null where it does not tell (fusectl is not mounted). */
  readonly waiting: number | null;
}

/** A mounted file system that a worker of this process serves. */
export interface FuseSession {
  readonly mountpoint: string;
  readonly connection: FuseSettledConnection;
  /** The kernel's number of the connection: /sys/fs/fuse/connections/N, and the minor of st_dev. */
  readonly connectionId: number;
  /** Resolves when the mount is gone, for any reason. Never rejects. */
  readonly closed: Promise<FuseSessionEnd>;

  /**
   * NOTIFY_INVAL_INODE: drops the cached attributes, and the cached pages of the range (length 0: to the end).
   * `offset` -1 drops the attributes only. Mapped pages are faulted in again, so mmap readers see what the file system answers then.
   * @returns false when the kernel does not know this node
   */
  invalidateInode(node: NodeId, offset?: number, length?: number): Promise<boolean>;
  /**
   * NOTIFY_INVAL_ENTRY: drops a cached name, also a cached "does not exist", and the directory's listing.
   * @returns false when the kernel has not cached the parent or the name
   */
  invalidateEntry(parent: NodeId, name: string, options?: { expireOnly?: boolean }): Promise<boolean>;
  /** NOTIFY_DELETE: the child is gone, as if unlinked through the mount. inotify watchers are notified. */
  notifyDelete(parent: NodeId, child: NodeId, name: string): Promise<boolean>;
  /** Null unless the session was started with `measure`. */
  measured(): FuseFigures | null;
  /** Passes a message to the file system's `message()` between two requests. Resolves with its result. */
  call(message: unknown): Promise<unknown>;
  /** Takes the mount down and ends the worker. Never hangs. Idempotent. */
  unmount(options?: FuseUnmountOptions): Promise<void>;
}
