import type { Writable } from 'node:stream';
import { checkMethods, fail, isBytes, whenClosed, whenCollected } from '../../libc/index.js';
import { dataStart } from '../media/allocator.js';
import type { Daxdev } from '../media/daxdev-table.js';
import type { Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import type { Problem } from '../media/problem.js';
import type { Role } from '../media/role.js';
import { type VolumeFs, volumeFs } from '../volume-fs/index.js';
import { writeOut } from './copy.js';
import { type CopySource, openSource, volumeSource } from './copy-source.js';
import { copyFileIn, createFile, makeDirectories } from './creation.js';
import { report } from './events.js';
import { VolumeFile } from './file.js';
import type { Inode } from './inode.js';
import type { MountedFamfs } from './mounted.js';
import { fileAt, find, isThere, listingOf, statOf, walkTree } from './names.js';
import { memoryOfFiles, type OpenFileHost } from './open-file-host.js';
import { Publications } from './publications.js';
import { type RewriteChanges, type RewriteOptions, type RewriteResult, rewriteVolume } from './rewrite.js';
import { statfsOf } from './space.js';
import type {
  CopyOptions,
  CreateOptions,
  DirectoryEntry,
  FileStat,
  MkdirOptions,
  OpenOptions,
  Refusals,
  VolumeStatfs,
  VolumeUsage,
  WriteOptions,
} from './types.js';
import { usageOf } from './usage.js';
import { volumeArguments } from './volume-arguments.js';
import { VolumeChanges } from './volume-changes.js';
import { VolumeInodes } from './volume-inodes.js';
import { VolumeWatcher, type WatchOptions } from './watch.js';
import { leaving } from './watching.js';
import { bytesSource, type FileContent, openWriteStream, pour } from './writing.js';

const SET_ID_BITS = 0o6000;

/**
 * A mounted famfs. Names, sizes and places come from the replayed log. refresh() shows what other processes and hosts have published
 * since, without a new mount. Only the master appends to the log, under a lock of some microseconds: its processes may create at once.
 * Paths start at the volume's root, with or without a slash. `.` and `..` are refused.
 */
export class Volume extends VolumeChanges {
  readonly role: Role;
  /** True when no file or directory can be made: on a client, a read-only mount, or read-only memory. */
  readonly readOnly: boolean;
  /** True when existing files can be stored to: the volume is not readOnly, or is a client with `clientWrites`. */
  readonly acceptsStores: boolean;
  /** True when mounted to salvage what is left. Unreadable entries are not shown, but listed in `problems`. */
  readonly isSalvage: boolean;
  /** The device's name, for messages. */
  readonly device: string;
  /** @internal Tells mounts of other processes on this host about publish(). */
  publications: Publications;
  #mounted: MountedFamfs;
  readonly #whyReadOnly: string | null;
  readonly #whyNoStores: string | null;
  #host: OpenFileHost;
  /** The views that its open files gave out. Not the files themselves: a dropped file is collected. */
  readonly #viewed = new Set<{ close(): void }>();
  #seen: number;
  #fs: VolumeFs | undefined;
  #inodes: VolumeInodes | undefined;
  #isClosed = false;

  /** @internal mountFamfsOn() makes volumes. @param refusals why changes, and stores into files, are refused; or null */
  static over(mounted: MountedFamfs, role: Role, refusals: Refusals): Volume {
    return new Volume(mounted, role, refusals);
  }

  private constructor(mounted: MountedFamfs, role: Role, refusals: Refusals) {
    super(() => ({
      forChange: (path) => {
        this.#checkChange(path);
        return this.#mounted;
      },
      forReading: () => this.#check(),
      changed: () => void this.#seeAll(),
    }));
    this.#mounted = mounted;
    this.role = role;
    this.#whyReadOnly = refusals.readOnly;
    this.#whyNoStores = refusals.noStores;
    this.readOnly = refusals.readOnly !== null;
    this.acceptsStores = refusals.noStores === null;
    this.isSalvage = mounted.isSalvage;
    this.device = mounted.device.name;
    this.publications = Publications.of(mounted);
    this.#seen = mounted.tree.position;
    report('mount', () => ({ device: this.device, uuid: this.superblock.uuid, role }));
    whenCollected(this, `volume on ${this.device}`, leaving(mounted));
    this.#host = this.#hostOn(mounted);
  }

  /** The superblock that it was mounted with. */
  get superblock(): Superblock {
    return this.#mounted.superblock;
  }

  /** What files that are opened on a mounted famfs ask. They stay with it: after rewrite() they are ESTALE. */
  #hostOn(mounted: MountedFamfs): OpenFileHost {
    return {
      check: () => void this.#check(mounted),
      checkChange: (path) => this.#checkChange(path),
      checkStores: (path) => this.#checkStores(path, mounted),
      viewed: (views, hasViews) => void (hasViews ? this.#viewed.add(views) : this.#viewed.delete(views)),
      keepMounted: () => mounted.retain(),
      ...memoryOfFiles(mounted.media),
    };
  }

  /**
   * Makes a directory.
   * @throws DaxError EEXIST, ENOENT or ENOTDIR parent, EINVAL or ENAMETOOLONG name, ENOSPC log full, EROFS
   */
  mkdir(path: string, options: MkdirOptions = {}): void {
    this.#checkChange(path);
    makeDirectories(this.#mounted, path, options);
    this.#published(path);
  }

  /**
   * Makes a file of `size` bytes and opens it. It is published at once, and reads as zeroes, or with `zero: false` as old bytes.
   * @throws DaxError EINVAL size or stripe, ENOSPC device or log full; as mkdir() for the name
   */
  create(path: string, options: CreateOptions): VolumeFile {
    this.#checkChange(path);
    const ino = createFile(this.#mounted, path, options);
    this.#published(path);
    return VolumeFile.of(this.#mounted.inode(ino), this.#host, false);
  }

  /**
   * Opens a file.
   * @throws DaxError ENOENT, ENOTDIR, EISDIR; EROFS it cannot be written; ENODEV some of it is on a device that is not here, by its uuid
   */
  open(path: string, { writable }: OpenOptions = {}): VolumeFile {
    this.#check();
    if (writable) this.#checkStores(path);
    const inode = this.#inode(path);
    inode.assertHere();
    return VolumeFile.of(inode, this.#host, writable === false);
  }

  /** Lists the names in a directory, sorted; with `withFileTypes`, also their types. @throws DaxError ENOENT, ENOTDIR */
  readdir(path: string, options: { withFileTypes: true }): DirectoryEntry[];
  readdir(path: string, options?: { withFileTypes?: false }): string[];
  readdir(path: string, { withFileTypes = false } = {}): string[] | DirectoryEntry[] {
    this.#check();
    return listingOf(this.#mounted.tree, path, withFileTypes);
  }

  /** The size, type, mode, owner... of what a path leads to. @throws DaxError ENOENT, ENOTDIR, ELOOP */
  stat(path: string): FileStat {
    this.#check();
    return statOf(this.#mounted.tree, find(this.#mounted.tree, path));
  }

  /** Whether a path exists. @throws DaxError EINVAL, ENAMETOOLONG for text that cannot be a path */
  exists(path: string): boolean {
    this.#check();
    return isThere(this.#mounted.tree, path);
  }

  /** Walks everything below a path, names sorted. A directory comes before its content. A file yields itself. */
  walk(path = '/'): IterableIterator<FileStat> {
    this.#check();
    return walkTree(this.#mounted.tree, find(this.#mounted.tree, path));
  }

  /** The size of a file and the extents that hold it. @throws DaxError ENOENT, ENOTDIR, EISDIR */
  getmap(path: string): { size: number } & Fmap {
    this.#check();
    const { size, fmap } = this.#inode(path);
    return { size, ...fmap };
  }

  /** Log entries that break a rule, with the reasons. Most of them are not shown as files or directories. */
  get skipped(): Problem[] {
    this.#check();
    return this.#mounted.tree.problems;
  }

  /** The problems of log entries: those of `skipped`, and the bad entry at which replay has stopped, if any. */
  get problems(): Problem[] {
    this.#check();
    return this.#mounted.tree.problemsAndStop;
  }

  /** The devices of the volume by index: this device, then those that log entries added. udax does not read the latter. */
  get devices(): readonly Daxdev[] {
    this.#check();
    return this.#mounted.tree.devices.list();
  }

  /** Space and log slots of the whole volume: taken, lost to rounding, reserved, reclaimable, free. */
  statfs(): VolumeStatfs {
    this.#check();
    return statfsOf(this.#mounted);
  }

  /** What a file takes, or a directory with all that is in it. @throws DaxError ENOENT, ENOTDIR */
  usage(path: string): VolumeUsage {
    this.#check();
    return usageOf(this.#mounted.tree, find(this.#mounted.tree, path));
  }

  /**
   * Copies one host file, or an open file of a volume, onto this volume. A new file appears when it is whole; a copy that is aborted,
   * fails or dies leaves none. A destination of the same size is overwritten in place.
   * @throws DaxError EEXIST destination of another size, EISDIR, EINVAL empty or not a regular file; as create()
   */
  async copyIn(source: string | VolumeFile, destination: string, options: CopyOptions = {}): Promise<void> {
    this.#checkChange(destination);
    const open = () => (typeof source === 'string' ? openSource(source) : volumeSource(source));
    await this.#fillFrom(open, destination, options);
  }

  /**
   * Makes a file from bytes, or from a stream of Node or of the web, or any iterable of bytes. The file appears when it is whole, as with
   * copyIn(). A Uint8Array (but no stream) overwrites an existing file of the same size in place.
   * @throws DaxError EEXIST; EINVAL no bytes at all, or a piece that is no bytes; as create(). AbortError
   */
  async writeFile(path: string, content: FileContent, options: WriteOptions = {}): Promise<void> {
    this.#checkChange(path);
    if (isBytes(content)) await this.#fillFrom(() => bytesSource(content, path), path, options);
    else await pour(content, this.createWriteStream(path, options), options.signal);
  }

  /**
   * Opens a Node stream into a new file, which appears when the stream ends (`finish`). A destroyed stream leaves no file. Pieces are
   * Uint8Arrays or text (UTF-8).
   * @throws DaxError as create(), at once. Later errors (ENOSPC, EINVAL nothing was written) are the stream's `error` event
   */
  createWriteStream(path: string, options: WriteOptions = {}): Writable {
    this.#checkChange(path);
    const told = { check: () => this.#checkChange(path), published: () => this.#published(path) };
    return openWriteStream(this.#mounted, path, options, told);
  }

  /**
   * Copies one file of the volume to a host path, where it appears when it is whole. Without `mode` the copy gets the file's mode
   * without set-id bits, because somebody else may have made the file. @throws DaxError as open()
   */
  async copyOut(source: string, destination: string, options: CopyOptions = {}): Promise<void> {
    const file = this.open(source, { writable: false });
    const mode = options.mode ?? this.stat(source).mode & ~SET_ID_BITS;
    const { dax } = this.#inode(source);
    const copied = writeOut(dax, file.path, destination, { ...options, mode }, () => file.check());
    await copied.finally(() => file.close());
  }

  /**
   * Applies what was published since the last refresh. It is cheap when that is nothing.
   * @returns how many log entries, and records of the annex, are new to this volume
   * @throws DaxError ESTALE the device was formatted anew; EIO memory of the superblock or log has failed
   */
  refresh(): number {
    this.#check();
    this.#mounted.refresh();
    return this.#seeAll();
  }

  /**
   * Watches for new, removed and renamed files and directories, by any process or host, which are reported within a few milliseconds; a
   * bad log entry once, and those behind it when it is repaired. The iteration throws what refresh() throws, and ends when the watcher
   * is closed.
   * @throws DaxError EINVAL interval
   */
  watch(options: WatchOptions = {}): VolumeWatcher {
    this.#check();
    const mounted = this.#mounted;
    const refresh = () => this.#check(mounted).refresh();
    return VolumeWatcher.over({ tree: mounted.tree, refresh }, options);
  }

  /** A part of node:fs over this volume, for libraries that take an `fs`: reading, names, attributes, whole files. */
  get fs(): VolumeFs {
    this.#fs ??= volumeFs(this);
    return this.#fs;
  }

  /**
   * Removes, moves and resizes files and directories, all or nothing, and gives their space back: writes one new log. Needs the device
   * alone: no open file, no other user on this host or others (`othersAreGone`). The file system gets a new uuid: what anybody still
   * has of it is ESTALE, and this volume goes on. A crash leaves the volume as before or as after.
   * @throws DaxError ENOENT, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, ENAMETOOLONG, EFBIG, ENOSPC naming the path; EBUSY naming who has it;
   *   EPERM other hosts; EBADMSG damaged log; EROFS; nothing was changed then. AbortError
   */
  async rewrite(changes: RewriteChanges = {}, options: RewriteOptions = {}): Promise<RewriteResult> {
    this.#checkChange(this.device);
    return rewriteVolume(this.#mounted, changes, options, (mounted) => this.#adopt(mounted));
  }

  #adopt(mounted: MountedFamfs): void {
    whenClosed(this);
    whenCollected(this, `volume on ${this.device}`, leaving(mounted));
    this.#mounted = mounted;
    this.publications = Publications.of(mounted);
    this.#host = this.#hostOn(mounted);
    this.#inodes = undefined;
    this.#seeAll();
  }

  /** Makes the bytes of a file durable, if its memory is persistent (decision 12). @throws DaxError EIO some of them are gone */
  flush(path: string): void {
    this.#check();
    this.inodes.flush(this.#file(path));
  }

  /**
   * Makes all metadata durable, if its memory is persistent, and orders it before later stores. Also tells the mounts of other processes
   * on this host, if it accepts stores. @throws DaxError EIO memory is gone; ENOSPC, EACCES, EROFS the mounts cannot be told
   */
  publish(): void {
    this.#check();
    this.#mounted.media.sync(0, dataStart(this.superblock));
    this.#mounted.media.fence();
    if (this.acceptsStores) this.publications.announce();
  }

  /** @internal Access by inode numbers instead of paths, for servers. */
  get inodes(): VolumeInodes {
    this.#inodes ??= new VolumeInodes(this.#mounted, this.#host);
    return this.#inodes;
  }

  /** Closes the volume and ends every view of its files that no pin keeps. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    whenClosed(this);
    report('unmount', () => ({ device: this.device, uuid: this.superblock.uuid }));
    for (const views of [...this.#viewed]) views.close();
    this.#mounted.leave();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #fillFrom(source: () => CopySource, path: string, options: CopyOptions): Promise<void> {
    await copyFileIn(this.#mounted, source, path, options, () => {
      this.#check();
      this.#mounted.assertSameFileSystem();
    });
    this.#published(path);
  }

  #published(path: string): void {
    this.#seeAll();
    report('create', () => ({ path, device: this.device }));
  }

  #inode(path: string): Inode {
    return this.#mounted.inode(this.#file(path));
  }

  #file(path: string): number {
    return fileAt(this.#mounted.tree, path);
  }

  /** What this volume has published itself do not count as new in refresh(). */
  #seeAll(): number {
    const seen = this.#seen;
    this.#seen = this.#mounted.tree.position;
    return this.#seen - seen;
  }

  #checkChange(what: string | (() => string)): void {
    this.#check();
    if (this.#whyReadOnly === null) return; // each change checks more, under the log's lock
    this.#mounted.assertSameFileSystem();
    const path = typeof what === 'string' ? what : what();
    fail('EROFS', `${path} cannot be written: ${this.#whyReadOnly}`, { path });
  }

  #check(mounted = this.#mounted): MountedFamfs {
    if (this.#isClosed) {
      fail('EBADF', `the volume on ${this.device} is closed: mount it again`, { path: this.device });
    }
    mounted.check();
    return mounted;
  }

  #checkStores(path: string, mounted = this.#mounted): void {
    mounted.assertSameFileSystem();
    const why = this.#whyNoStores;
    if (why !== null) fail('EROFS', `${path} cannot be written: ${why}`, { path });
    mounted.media.stores.begin();
  }
}

checkMethods(Volume, volumeArguments);
