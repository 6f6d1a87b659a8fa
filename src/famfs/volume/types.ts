import type { DaxDevice } from '../../dax/index.js';
import type { LockPatience } from '../../libc/index.js';
import type { InodeTimes } from '../media/annex-names.js';
import type { Fmap } from '../media/fmap.js';
import type { Role } from '../media/role.js';
import type { Stripe } from '../media/stripe.js';

/**
 * What a volume needs from the device it is mounted on, and about this host. machine/ provides it.
 */
export interface FamfsDevice {
  /** The name for messages: dax0.0, /dev/dax0.0 or the image's path. */
  readonly name: string;
  /**
   * A volume reads this property at every call, so that it notices changes by other processes (poison, for example).
   * @throws DaxError ENODEV, ENXIO when the device is gone or not in famfs mode
   */
  readonly dax: DaxDevice;
  /** This host's system uuid, 36 characters. On the master it equals the owner in the superblock. */
  readonly systemUuid: string;
  /** False when the memory could only be opened for reading. */
  readonly writable: boolean;
  /** The host's directory for the state of its file systems (`volumes/`), if there is one. */
  readonly reservations?: string;
  /**
   * Called before memory of files is used for the first time: of a new file (no path), or of one that the log names. A device whose
   * memory is reached through files opens what it needs. Absent: all memory is there.
   * @throws DaxError what opening it threw
   */
  reach?(fmap: Fmap, file?: { readonly path: string; readonly size: number }): void;
  /** The memory of a new file is not used any more: it was published, or given up. `release` is called when its space may be used again. */
  leave?(fmap: Fmap, release: () => void): void;
  /** The directory where a server has it mounted: only that makes files, so a volume here is a client. */
  readonly servedAt?: string;
  /** Marks the device as in use for the host's other processes, until released. */
  hold(purpose: string): DeviceHold;
}

/** One use of a device by this process. */
export interface DeviceHold {
  release(): void;
  /**
   * Keeps every other user off the device and its memory, until the returned function is called. Absent where nobody else can use it.
   * @throws DaxError EBUSY naming the users that are in the way
   */
  takeAlone?(): () => void;
}

/** A mounted famfs that nobody else uses, until done(). */
export interface AloneUse<T> {
  /** @throws DaxError ESTALE, EROFS another host made it another file system, or took it over */
  check(): void;
  /**
   * With `isRewritten`, the mounted famfs is stale from now on.
   * @returns the mounted famfs to go on with: one of what is there now, under the same hold
   */
  done(isRewritten: boolean): T;
}

export interface MountOptions extends LockPatience {
  /** Default: 'master' when the superblock names this host as its owner, else 'client'. 'client' is always allowed. */
  role?: Role;
  /** Nothing is written: no metadata, no data, every view is private or protected. */
  readOnly?: boolean;
  /**
   * Lets a client store into the bytes of existing files. Only the master writes the log and superblock. famfs has no locks
   * between hosts, so the hosts must agree who writes which file, as the two ends of a queue do. Default: false.
   */
  clientWrites?: boolean;
  /**
   * Reads what is left of a file system whose superblock or log has lost memory, or holds bad entries. Unreadable entries are
   * skipped, and listed in `problems`. The volume is read-only; entries published later do not appear. Default: false.
   */
  salvage?: boolean;
  /**
   * Shows the names of the log, as C famfs does, without what the annex says (removals, renames, links, times...), and changes
   * nothing that only an annex can say (EPERM). Default: false.
   */
  plain?: boolean;
  /** The purpose that others see when they are refused the device (udax holders). Default: `mount`. */
  purpose?: string;
}

export interface MkdirOptions {
  /** Permission bits, default 0o755. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** Makes missing parents too, and accepts an existing directory. */
  recursive?: boolean;
}

export interface CreateOptions {
  /** Bytes. */
  size: number;
  /** Permission bits, default 0o644. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** Default true: the file reads as zeroes. False is faster, but the file shows the old bytes of its space. */
  zero?: boolean;
  /** Interleaves the file over parts of the device, as famfs' -N -B -C. Default: one run if possible. */
  stripe?: Stripe;
  /**
   * Stores the file's bytes before the file appears. It is called with the file's memory, piece by piece, until all of it is
   * filled. When it throws, no file is made.
   */
  fill?: (into: Uint8Array, position: number) => void;
}

export interface CopyProgress {
  bytes: number;
  totalBytes: number;
  path: string;
}

export interface CopyOptions {
  /** Permission bits of the copy. Default: those of a host file; 0o644 for copyIn() of a VolumeFile; see copyOut(). */
  mode?: number;
  uid?: number;
  gid?: number;
  stripe?: Stripe;
  /** Replaces a file of another size; who has that open goes on with its old bytes. Default: false, which is EEXIST. */
  replace?: boolean;
  /** Accepted for famfs' `-t`, but ignored: one thread already saturates memory. */
  threads?: number;
  /**
   * Whether copyOut() writes through a symbolic link, or into a pipe or device, at its destination. Default: true. False replaces
   * a link and refuses any other file that is not regular. Use false when the names come from the volume and not from the user.
   */
  followLinks?: boolean;
  /**
   * Aborting ends the copy with an AbortError. No new file and no lost space stay behind. An existing file that is overwritten
   * in place keeps the bytes copied so far.
   */
  signal?: AbortSignal;
  /** Called after each piece, and at the end. */
  onProgress?: (done: CopyProgress) => void;
}

/** One host file, and the path of its copy on a volume. */
export interface FileCopy {
  source: string;
  destination: string;
  /** Permission bits of the copy. Default: those of the options, else of the host file. */
  mode?: number;
}

/** `onProgress` is called for files over 64 KiB. */
export interface CopyManyOptions extends Omit<CopyOptions, 'followLinks'> {
  /** Called when a copy is there, with its bytes: in the order of the copies. */
  onCopied?: (copy: FileCopy, bytes: number) => void;
  /** Called when one cannot be made; the next ones are made then. Default: the first failure ends the copying. */
  onFailure?: (copy: FileCopy, error: Error) => void;
}

export interface WriteOptions {
  /** Permission bits, default 0o644. */
  mode?: number;
  uid?: number;
  gid?: number;
  /** As of CopyOptions. */
  replace?: boolean;
  /**
   * Aborting ends the write with an AbortError. No new file and no lost space stay behind. An existing file that is overwritten
   * in place keeps the bytes written so far.
   */
  signal?: AbortSignal;
}

/** A name in a directory, in the form of fs.Dirent. */
export interface DirectoryEntry {
  name: string;
  /** Path of the directory that holds it, from the volume's root. */
  parentPath: string;
  /** True for a regular file. */
  isFile(): boolean;
  /** True for a directory. */
  isDirectory(): boolean;
  /** True for a symbolic link. */
  isSymbolicLink(): boolean;
}

export interface OpenOptions {
  /** True: open() fails with EROFS when writing is not possible. False: write() and writable maps fail with EBADF. */
  writable?: boolean;
}

export interface MapOptions {
  /** First byte, default 0. It need not be aligned: the view starts exactly there. */
  offset?: number;
  /** Bytes. Default: to the end of the file. */
  length?: number;
  /** Default false: stray stores never reach the file (decision 14). */
  writable?: boolean;
}

export interface FileStat {
  path: string;
  type: 'file' | 'directory' | 'symlink';
  /** Bytes; 0 for directories. Of a symbolic link, the length of its target. */
  size: number;
  /** Permission bits (no file type bits). */
  mode: number;
  uid: number;
  gid: number;
  ino: number;
  /** How many names it has; 1 for directories. */
  nlink: number;
  /** Times that were set or noted; null when none was. */
  times: InodeTimes | null;
  /** True for a regular file. */
  isFile(): boolean;
  /** True for a directory. */
  isDirectory(): boolean;
  /** True for a symbolic link. */
  isSymbolicLink(): boolean;
}

export interface VolumeStatfs {
  /** Bytes of the device, of its allocated units (superblock and log included), and of its free units. */
  size: number;
  used: number;
  free: number;
  allocUnit: number;
  /** `used` in units. */
  units: number;
  /** Bytes of the superblock and log. Part of `used`. */
  metadata: number;
  /** Bytes of all files, and how many bytes of their units hold none of them: units are whole, and so are stripes. */
  fileBytes: number;
  lostToRounding: number;
  /** Bytes that living processes of this host have reserved for files that are not published yet. Part of `used`. */
  reserved: number;
  /** Bytes of published files that no name reaches any more: rewrite() gives them back. Part of `used`. */
  reclaimable: number;
  /** Entries of the log; what was removed since counts. */
  files: number;
  directories: number;
  logSlots: number;
  logUsed: number;
  logFree: number;
  /** Slots of the annex, and its records; 0 while there is none. */
  annexSlots: number;
  annexUsed: number;
  annexRecords: number;
}

/** What a file takes of a volume, or a directory with all that is in it. */
export interface VolumeUsage {
  path: string;
  files: number;
  /** With the directory itself. */
  directories: number;
  /** Bytes of the files. */
  bytes: number;
  /** Bytes of the units that the files have, and how many of these bytes are none of theirs. */
  taken: number;
  lostToRounding: number;
  /** Entries of the log that name them. */
  logEntries: number;
}

/** A typed array constructor, for mapAs. */
export type ViewConstructor<T> = {
  new (buffer: ArrayBuffer, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT?: number;
};

/** Why a volume refuses changes of its metadata (readOnly) and stores into its files (noStores). Null: it does not refuse them. */
export interface Refusals {
  readonly readOnly: string | null;
  readonly noStores: string | null;
}
