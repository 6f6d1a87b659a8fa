import type { DaxDevice } from '../../dax/index.js';
import type { LockPatience } from '../../libc/index.js';
import type { Role } from '../media/role.js';
import type { Stripe } from '../media/stripe.js';

/**
 * What a volume needs of the device it is mounted on (machine/ has it): the dax device itself, and who we
 * are.
 */
export interface FamfsDevice {
  /** dax0.0, /dev/dax0.0 or the image's path, for messages. */
  readonly name: string;
  /**
   * Asked at every call of a volume, so that what other processes changed (poison, say) is known.
   * @throws DaxError ENODEV, ENXIO when the device is gone or not in famfs mode
   */
  readonly dax: DaxDevice;
  /** This host's system uuid, 36 characters: equal to the superblock's owner on the master. */
  readonly systemUuid: string;
  /** False when the memory could only be opened for reading. */
  readonly writable: boolean;
  /** The host's directory for state of its file systems (`volumes/`), where there is one. */
  readonly reservations?: string;
  /** Tells the host's other processes that the device is in use, until released. */
  hold(purpose: string): { release(): void };
}

export interface MountOptions extends LockPatience {
  /** Default: master when the superblock names this host as its owner, else client. 'client' is always allowed. */
  role?: Role;
  /** Nothing is written: no metadata, no data, every view is private or protected. */
  readOnly?: boolean;
  /**
   * Lets a client store into the bytes of files that are there; log and superblock stay its master's. famfs has no locks
   * between hosts: for files of which it is agreed who writes them, as each end of a queue. Default false.
   */
  clientWrites?: boolean;
  /**
   * Reads what is left of a file system whose superblock or log has lost memory, or holds bad entries: what cannot be read is
   * skipped, and told by `problems`. Read-only; what others publish later does not appear. Default false.
   */
  salvage?: boolean;
  /** What is said of it to whoever is refused the device (udax holders); default `mount`. */
  purpose?: string;
}

export interface MkdirOptions {
  /** Permission bits, default 0o755. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** Makes missing parents too, and accepts a directory that is there. */
  recursive?: boolean;
}

export interface CreateOptions {
  /** Bytes, > 0, for good: famfs files neither grow nor shrink. */
  size: number;
  /** Permission bits, default 0o644. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** Default true: the space reads as zeroes. False leaves what was there (faster; old bytes show). */
  zero?: boolean;
  /** Interleaves the file over parts of the device, as famfs' -N -B -C. Default: one run. */
  stripe?: Stripe;
  /**
   * Stores the file's bytes before it appears: called with its memory, piece by piece, until all of it is filled. When it throws,
   * nothing is left.
   */
  fill?: (into: Uint8Array, position: number) => void;
}

export interface CopyProgress {
  bytes: number;
  totalBytes: number;
  path: string;
}

export interface CopyOptions {
  /** Permission bits of the copy; default the source's. */
  mode?: number;
  uid?: number;
  gid?: number;
  stripe?: Stripe;
  /** Accepted for famfs' `-t`; one thread already saturates memory here. */
  threads?: number;
  /**
   * Whether copyOut() writes through a symbolic link, or into a pipe or device, at its destination. Default true. False: a link is replaced, what is
   * no regular file refused; for names that come from the volume, and not from whom it is copied for.
   */
  followLinks?: boolean;
  /** Aborting leaves nothing behind: AbortError, no file, no space lost. */
  signal?: AbortSignal;
  onProgress?: (done: CopyProgress) => void;
}

export interface WriteOptions {
  /** Permission bits, default 0o644. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** Aborting leaves nothing behind: AbortError, no file, no space lost. */
  signal?: AbortSignal;
}

/** A name in a directory, as node:fs has it. */
export interface DirectoryEntry {
  name: string;
  /** Of the directory it is in, from the volume's root. */
  parentPath: string;
  isFile(): boolean;
  isDirectory(): boolean;
  /** Never: famfs has none. */
  isSymbolicLink(): boolean;
}

export interface OpenOptions {
  /** True: refused now (EROFS) where writing is not possible. False: write() and writable maps are refused (EBADF). */
  writable?: boolean;
}

export interface MapOptions {
  /** First byte, default 0. Any value: the view starts exactly there. */
  offset?: number;
  /** Bytes, default to the end of the file. */
  length?: number;
  /** Default false: stray writes never reach the file (decision 14). */
  writable?: boolean;
}

export interface FileStat {
  path: string;
  type: 'file' | 'directory';
  /** Bytes; 0 for directories. */
  size: number;
  /** Permission bits as logged (no file type bits). */
  mode: number;
  uid: number;
  gid: number;
  ino: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

export interface VolumeStatfs {
  /** Bytes of the device, of allocated units (superblock and log included), and of free units. */
  size: number;
  used: number;
  free: number;
  allocUnit: number;
  files: number;
  directories: number;
  logSlots: number;
  logUsed: number;
  logFree: number;
}

/** A typed array constructor, for mapAs. */
export type ViewConstructor<T> = {
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT?: number;
};

/** Why a volume refuses changes of its metadata, and stores into its files; null where it does not. */
export interface Refusals {
  readonly readOnly: string | null;
  readonly noStores: string | null;
}
