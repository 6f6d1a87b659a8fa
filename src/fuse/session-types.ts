import type { FuseSettledConnection, NodeId } from './types.js';

export interface FuseMountOptions {
  /** The mount's source, as in /proc/mounts; no commas needed to be escaped. Default `udax`. */
  readonly source?: string;
  /** The type is `fuse.SUBTYPE`. Default `udax`. */
  readonly subtype?: string;
  readonly readOnly?: boolean;
  /** Users other than the one who mounts may use it (needs root, or user_allow_other in /etc/fuse.conf). */
  readonly allowOther?: boolean;
  /** The kernel checks owner and mode of files before it asks. Default true. */
  readonly defaultPermissions?: boolean;
  /** Allow device nodes to work (root only). Default false. */
  readonly devices?: boolean;
  /** Allow set-user-id bits to work (root only). Default false. */
  readonly setuid?: boolean;
  /** How to mount: default mount(2) for root, else fusermount3. */
  readonly by?: 'mount' | 'fusermount3';
}

export interface FuseConnectionOptions {
  /** Largest WRITE and READ, bytes. Default 1 MiB (the kernel may allow less). */
  readonly maxWriteBytes?: number;
  /** Read-ahead of buffered readers, bytes: INIT allows 128 KiB, root can have more. Default: what INIT allows. */
  readonly readaheadBytes?: number;
  /** open(2) with O_TRUNC comes as one OPEN with that flag instead of a SETATTR first. Default false. */
  readonly atomicTruncate?: boolean;
  /** READDIRPLUS: 'auto' as the kernel sees fit (default), 'always', 'never'. */
  readonly readdirplus?: 'auto' | 'always' | 'never';
  /** Shared mmap of files opened with directIo. Default true where the kernel knows it. */
  readonly directIoMmap?: boolean;
  /** Page cache goes away when mtime or size changes. Default false: the file system invalidates. */
  readonly autoInvalidate?: boolean;
  /** Symbolic link targets are cached until invalidated. Default true. */
  readonly cacheSymlinks?: boolean;
  /** The kernel remembers that a file has no ACL, instead of asking at every `ls -l`. For file systems with getxattr. Default false. */
  readonly posixAcl?: boolean;
  /** Set-id bits are the file system's to clear: the kernel does not ask for security.capability before every write. Default false. */
  readonly handleKillPrivileges?: boolean;
  /** PASSTHROUGH to backing files (root). Default false. */
  readonly passthrough?: boolean;
}

export interface FuseSessionOptions {
  readonly mountpoint: string;
  readonly mount?: FuseMountOptions;
  readonly connection?: FuseConnectionOptions;
  /** The module that makes the file system, in the worker; `data` is cloned to it. */
  readonly fileSystem: { readonly moduleUrl: string | URL; readonly data?: unknown };
  /** Every message in one readable line, as it passes. Costs; off by default. */
  readonly onWire?: (line: string) => void;
  /** What the file system posts. */
  readonly onMessage?: (message: unknown) => void;
  /** Whether onReport also hears, once a kind, why calls were refused: who made them sees an errno only. Default false. */
  readonly tellRefusals?: boolean;
  /** Errors that were survived (a handler's bug, a failed notification). Default: one line on stderr. */
  readonly onReport?: (error: Error) => void;
}

/** Why a session ended. `failed`: the worker died; the mount was taken down behind it. */
export interface FuseSessionEnd {
  readonly reason: 'unmounted' | 'aborted' | 'failed';
  readonly error?: Error;
}

export interface FuseUnmountOptions {
  /**
   * Somebody holds the mount (open file, working directory): 'abort' (default) detaches it at once and ends the
   * connection, so that their next call fails with ENOTCONN; 'fail' throws EBUSY and leaves all as it was.
   */
  readonly whenBusy?: 'abort' | 'fail';
}

/** A mounted file system served by a worker of this process. */
export interface FuseSession {
  readonly mountpoint: string;
  readonly connection: FuseSettledConnection;
  /** The kernel's number of the connection: /sys/fs/fuse/connections/N, and the minor of st_dev. */
  readonly connectionId: number;
  /** Resolves when the mount is gone, for whatever reason; never rejects. */
  readonly closed: Promise<FuseSessionEnd>;

  /**
   * NOTIFY_INVAL_INODE: cached pages of the range are dropped (length 0: to the end), and the attributes.
   * `offset` -1: attributes only. Mapped pages are faulted anew: mmap readers then see what the file system answers.
   * @returns false when the kernel does not have this node
   */
  invalidateInode(node: NodeId, offset?: number, length?: number): Promise<boolean>;
  /**
   * NOTIFY_INVAL_ENTRY: the name is looked up again; also drops a cached "does not exist" and the directory's listing.
   * @returns false when the kernel does not have the parent or the name
   */
  invalidateEntry(parent: NodeId, name: string, options?: { expireOnly?: boolean }): Promise<boolean>;
  /** NOTIFY_DELETE: the child is gone, as if unlinked through the mount; tells inotify watchers. */
  notifyDelete(parent: NodeId, child: NodeId, name: string): Promise<boolean>;
  /** Hands a message to the file system's `message()` between two requests; resolves with what it returned. */
  call(message: unknown): Promise<unknown>;
  /** Takes the mount down and ends the worker. Never hangs; calling it again is fine. */
  unmount(options?: FuseUnmountOptions): Promise<void>;
}
