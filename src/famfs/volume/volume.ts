import type { Writable } from 'node:stream';
import { checkMethods, fail, isBytes, whenClosed, whenCollected } from '../../libc/index.js';
import type { Daxdev } from '../media/daxdev-table.js';
import type { Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import type { Problem } from '../media/problem.js';
import type { Role } from '../media/role.js';
import { type VolumeFs, volumeFs } from '../volume-fs/index.js';
import { writeOut } from './copy.js';
import { type CopySource, openSource, volumeSource } from './copy-source.js';
import { cloneFile, copyFileIn, createFile, makeDirectories } from './creation.js';
import { report } from './events.js';
import { VolumeFile } from './file.js';
import type { Inode } from './inode.js';
import type { MountedFamfs } from './mounted.js';
import { entriesIn, find, isThere, namesIn, statOf, walkTree } from './names.js';
import { memoryOfFiles, type OpenFileHost } from './open-file-host.js';
import { Publications } from './publications.js';
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
  WriteOptions,
} from './types.js';
import { volumeArguments } from './volume-arguments.js';
import { VolumeInodes } from './volume-inodes.js';
import { VolumeWatcher, type WatchOptions } from './watch.js';
import { bytesSource, type FileContent, openWriteStream, pour } from './writing.js';

const SET_ID_BITS = 0o6000;

/**
 * A mounted famfs. Names, sizes and places come from the replayed log; what other processes and hosts
 * publish appears with refresh(), without reopening. Only the master writes: it takes the log for the few
 * microseconds of an append, so any number of its processes may create at once.
 * Paths start at the volume's root, with or without a slash; `.` and `..` are refused.
 */
export class Volume {
  readonly role: Role;
  /** Nothing can be made: a client, a read-only mount, or memory that is. */
  readonly readOnly: boolean;
  /** Bytes of files that are there can be stored to: a volume that is not readOnly, or a client with `clientWrites`. */
  readonly acceptsStores: boolean;
  /** Mounted to salvage what is left: what cannot be read is not shown, but told by `problems`. */
  readonly isSalvage: boolean;
  /** The device's name, for messages. */
  readonly device: string;
  readonly superblock: Superblock;
  /** @internal Tells mounts of other processes on this host about publish(). */
  readonly publications: Publications;
  readonly #mounted: MountedFamfs;
  readonly #whyReadOnly: string | null;
  readonly #whyNoStores: string | null;
  readonly #host: OpenFileHost;
  /** What its open files gave out. Not the files: those that are dropped are collected. */
  readonly #viewed = new Set<{ close(): void }>();
  #seen: number;
  #fs: VolumeFs | undefined;
  #inodes: VolumeInodes | undefined;
  #isClosed = false;

  /** @internal mountFamfsOn() makes them. @param refusals the sentences that refuse who would make something, and who would store into a file; or null */
  static over(mounted: MountedFamfs, role: Role, refusals: Refusals): Volume {
    return new Volume(mounted, role, refusals);
  }

  private constructor(mounted: MountedFamfs, role: Role, refusals: Refusals) {
    this.#mounted = mounted;
    this.role = role;
    this.#whyReadOnly = refusals.readOnly;
    this.#whyNoStores = refusals.noStores;
    this.readOnly = refusals.readOnly !== null;
    this.acceptsStores = refusals.noStores === null;
    this.isSalvage = mounted.isSalvage;
    this.device = mounted.device.name;
    this.superblock = mounted.superblock;
    this.publications = new Publications(mounted.device.reservations, mounted.superblock.uuid);
    this.#seen = mounted.tree.nextIndex;
    report('mount', () => ({ device: this.device, uuid: this.superblock.uuid, role }));
    whenCollected(this, `volume on ${this.device}`, leaving(mounted));
    this.#host = {
      check: () => this.#check(),
      checkChange: (path) => this.#checkChange(path),
      checkStores: (path) => this.#checkStores(path),
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
   * Makes a file of `size` bytes and opens it. It is there at once, for everybody, and reads as zeroes
   * (`zero: false`: as whatever was in its space).
   * @throws DaxError EINVAL size or stripe, ENOSPC device or log full; as mkdir() for the name
   */
  create(path: string, options: CreateOptions): VolumeFile {
    this.#checkChange(path);
    const ino = createFile(this.#mounted, path, options);
    this.#published(path);
    try {
      // Failed memory that was zeroed for it is good again: looking at the device tells the other processes.
      this.#mounted.check();
    } catch {
      // The file is there. Whoever uses it next learns what has become of the device.
    }
    return VolumeFile.of(this.#mounted.inode(ino), this.#host, false);
  }

  /**
   * @throws DaxError ENOENT, ENOTDIR, EISDIR; EROFS when asked to write where that is not possible; ENODEV naming
   *   the uuid when some of the file lies on a device that is not here
   */
  open(path: string, { writable }: OpenOptions = {}): VolumeFile {
    this.#check();
    if (writable) this.#checkStores(path);
    const inode = this.#inode(path);
    inode.assertHere();
    return VolumeFile.of(inode, this.#host, writable === false);
  }

  /** Names in a directory, sorted; `withFileTypes`: and what they are. @throws DaxError ENOENT, ENOTDIR */
  readdir(path: string, options: { withFileTypes: true }): DirectoryEntry[];
  readdir(path: string, options?: { withFileTypes?: false }): string[];
  readdir(path: string, { withFileTypes = false } = {}): string[] | DirectoryEntry[] {
    this.#check();
    const { tree } = this.#mounted;
    const found = find(tree, path);
    return withFileTypes ? entriesIn(tree, found) : namesIn(tree, found);
  }

  /** @throws DaxError ENOENT, ENOTDIR */
  stat(path: string): FileStat {
    this.#check();
    return statOf(this.#mounted.tree, find(this.#mounted.tree, path));
  }

  /** @throws DaxError EINVAL, ENAMETOOLONG for what cannot be a path */
  exists(path: string): boolean {
    this.#check();
    return isThere(this.#mounted.tree, path);
  }

  /** Everything below a path, a directory before what is in it, names sorted. A file alone gives itself. */
  walk(path = '/'): IterableIterator<FileStat> {
    this.#check();
    return walkTree(this.#mounted.tree, find(this.#mounted.tree, path));
  }

  /** Size and place of a file. @throws DaxError ENOENT, ENOTDIR, EISDIR */
  getmap(path: string): { size: number } & Fmap {
    this.#check();
    const { size, fmap } = this.#inode(path);
    return { size, ...fmap };
  }

  /** Log entries that break a rule, and why; most are not shown. */
  get skipped(): Problem[] {
    this.#check();
    return this.#mounted.tree.problems;
  }

  /** Log entries that are not shown, and why: those skipped by a rule, and the bad one replay waits at. */
  get problems(): Problem[] {
    this.#check();
    const { problems, stopped } = this.#mounted.tree;
    return stopped === null ? problems : [...problems, stopped];
  }

  /** The devices of the volume by index: this one, then those that log entries added (not read by udax). */
  get devices(): readonly Daxdev[] {
    this.#check();
    return this.#mounted.tree.devices.list();
  }

  statfs(): VolumeStatfs {
    this.#check();
    return statfsOf(this.#mounted);
  }

  /**
   * Copies one host file, or an open file of a volume, onto this volume. It appears when it is whole: aborting, failing or dying leaves
   * nothing, and no space is lost. A destination of the same size is overwritten in place.
   * @throws DaxError EEXIST destination of another size, EISDIR, EINVAL empty or not a regular file; as create()
   */
  async copyIn(source: string | VolumeFile, destination: string, options: CopyOptions = {}): Promise<void> {
    this.#checkChange(destination);
    await this.#fillFrom(
      () => (typeof source === 'string' ? openSource(source) : volumeSource(source)),
      destination,
      options,
    );
  }

  /**
   * Makes a file of bytes that are in this process, or come piece by piece: from a stream of Node or of the web, or any iterable.
   * It appears when it is whole; aborting, failing or dying leaves nothing. Bytes onto a file of the same size overwrite it in place,
   * as copyIn().
   * @throws DaxError EEXIST; EINVAL no bytes at all, or a piece that is none; as create(). AbortError
   */
  async writeFile(path: string, content: FileContent, options: WriteOptions = {}): Promise<void> {
    this.#checkChange(path);
    if (isBytes(content)) await this.#fillFrom(() => bytesSource(content, path), path, options);
    else await pour(content, this.createWriteStream(path, options), options.signal);
  }

  /**
   * A stream of Node into a new file, which appears with its end (`finish`) and keeps the size it has then. Destroying the stream leaves
   * nothing. Pieces are Uint8Arrays, or text (UTF-8).
   * @throws DaxError as create(), at once; what comes later (ENOSPC, EINVAL nothing was written) is the stream's `error`
   */
  createWriteStream(path: string, options: WriteOptions = {}): Writable {
    this.#checkChange(path);
    const told = { check: () => this.#checkChange(path), published: () => this.#published(path) };
    return openWriteStream(this.#mounted, path, options, told);
  }

  /**
   * Copies one file of the volume to a host path, under its name when it is whole. Without `mode` it has the file's, without
   * set-id bits: the copy is the caller's, and who made the file may be somebody else.
   * @throws DaxError as open()
   */
  async copyOut(source: string, destination: string, options: CopyOptions = {}): Promise<void> {
    const file = this.open(source, { writable: false });
    try {
      const mode = options.mode ?? this.stat(source).mode & ~SET_ID_BITS;
      const inode = this.#inode(source);
      await writeOut(inode.dax, file.path, destination, { ...options, mode }, () => this.#check());
    } finally {
      file.close();
    }
  }

  /**
   * Applies what was published since this volume last looked; one load when nothing was.
   * @returns how many log entries that were
   * @throws DaxError ESTALE the device was formatted anew
   */
  refresh(): number {
    this.#check();
    this.#mounted.refresh();
    const fresh = this.#mounted.tree.nextIndex - this.#seen;
    this.#seeAll();
    return fresh;
  }

  /**
   * Tells of files and directories as they appear, within a few milliseconds, whoever makes them; and of a bad log
   * entry, once: what follows it appears when it is mended.
   * The iteration throws what refresh() throws, and ends with close() of the watcher.
   * @throws DaxError EINVAL interval
   */
  watch(options: WatchOptions = {}): VolumeWatcher {
    this.#check();
    const { tree } = this.#mounted;
    const refresh = () => {
      this.#check();
      this.#mounted.refresh();
    };
    return VolumeWatcher.over({ tree, refresh }, options);
  }

  /** The reading part of node:fs over this volume, for libraries that take an `fs`. */
  get fs(): VolumeFs {
    this.#fs ??= volumeFs(this);
    return this.#fs;
  }

  /**
   * Makes a second file over the space of another (mirrors `famfs clone`, a tool of tests): from then on fsck
   * reports the overlap, and a store to one shows in the other.
   * @throws DaxError EPERM without `force`; EISDIR; as create() for the names
   */
  clone(source: string, destination: string, { force = false }: { force?: boolean } = {}): void {
    this.#checkChange(destination);
    if (!force) {
      fail(
        'EPERM',
        `a clone of ${source} would share its space, which fsck reports as damage: copy it, or force it (tests only)`,
        { path: destination },
      );
    }
    cloneFile(this.#mounted, source, destination);
    this.#seeAll();
  }

  /** Makes the bytes of a file durable, where the memory can be (decision 12). @throws DaxError EIO some of them are gone */
  flush(path: string): void {
    this.#check();
    this.inodes.flush(this.#file(path));
  }

  /** Makes all metadata durable, where the memory can be, and orders it before what follows. @throws DaxError EIO it is gone */
  publish(): void {
    this.#check();
    const { media, superblock } = this.#mounted;
    media.sync(0, superblock.logOffset + superblock.logLength);
    media.fence();
    if (this.acceptsStores) this.publications.announce();
  }

  /** @internal The volume by inode numbers instead of paths: for servers. */
  get inodes(): VolumeInodes {
    this.#inodes ??= new VolumeInodes(this.#mounted, this.#host);
    return this.#inodes;
  }

  /** Ends the volume and every view of its files that no pin keeps. Idempotent. */
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
    const { tree } = this.#mounted;
    const { ino, logPath } = find(tree, path);
    if (tree.isDirectory(ino)) fail('EISDIR', `/${logPath} is a directory, not a file`, { path });
    return ino;
  }

  /** What we published ourselves is no news to refresh(). */
  #seeAll(): void {
    this.#seen = this.#mounted.tree.nextIndex;
  }

  #checkChange(what: string | (() => string)): void {
    this.#check();
    if (this.#whyReadOnly === null) return; // whoever changes something asks more, with the log in hand
    this.#mounted.assertSameFileSystem();
    const path = typeof what === 'string' ? what : what();
    fail('EROFS', `${path} cannot be written: ${this.#whyReadOnly}`, { path });
  }

  #check(): void {
    if (this.#isClosed) {
      fail('EBADF', `the volume on ${this.device} is closed: mount it again`, { path: this.device });
    }
    this.#mounted.check();
  }

  #checkStores(path: string): void {
    this.#mounted.assertSameFileSystem();
    if (this.#whyNoStores !== null)
      fail('EROFS', `${path} cannot be written: ${this.#whyNoStores}`, { path });
  }
}

/** Weak: what a machine that was dropped with its volumes holds is released by itself. Files and their views keep their volume. */
function leaving(mounted: MountedFamfs): () => void {
  const weak = new WeakRef(mounted);
  return () => weak.deref()?.leave();
}

checkMethods(Volume, volumeArguments);
