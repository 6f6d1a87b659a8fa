import { checkMethods, either, fail, hasCode, integer, objectWith, options, text } from '../../libc/index.js';
import type { AnnexPosition } from '../media/annex.js';
import type { AnnexChange } from '../media/annex-record.js';
import type { Fmap } from '../media/fmap.js';
import { type DirectoryItem, type InodeStat, inodeOfEntry, ROOT_INO } from '../media/tree.js';
import { VolumeFile } from './file.js';
import { type FileMemory, fileMemory } from './file-memory.js';
import { FileSpans } from './file-spans.js';
import { GrowingDirectory } from './growing-directory.js';
import { GrowingFile } from './growing-file.js';
import {
  type AttributeChange,
  getXattr,
  listXattrs,
  removeXattr,
  setAttributes,
  setTimes,
  setXattr,
  type TimesChange,
  type XattrFlags,
} from './inode-changes.js';
import type { MountedFamfs } from './mounted.js';
import {
  linkIn,
  type PlaceInDirectory,
  type RenameFlags,
  renameIn,
  rmdirIn,
  symlinkIn,
  unlinkIn,
} from './name-changes.js';
import { type GrowingOptions, KeptName, type NewPlace, pathOfPlace } from './new-name.js';
import type { OpenFileHost } from './open-file-host.js';
import type { StoreMarks } from './store-marks.js';
import { stripeOf } from './striping.js';

/**
 * A volume by inode numbers instead of paths, for servers. Numbers are the same on every host and for good: the root is 1,
 * the file or directory of log entry i is i + 2, what record r of the annex made 2^32 + r. Every call throws what the volume's own calls throw when it is closed or its
 * device is gone.
 */
export class VolumeInodes {
  readonly root = ROOT_INO;
  readonly #mounted: MountedFamfs;
  readonly #host: OpenFileHost;

  /** Made by Volume.inodes. */
  constructor(mounted: MountedFamfs, host: OpenFileHost) {
    this.#mounted = mounted;
    this.#host = host;
  }

  /** Applies what was published since; one load when nothing was. @returns the number that the next new inode gets */
  refresh(): number {
    this.#host.check();
    this.#mounted.refresh();
    return this.end;
  }

  /** Whether something was published that this volume has not applied: one load. Damage and new file systems only refresh() sees. */
  get isBehind(): boolean {
    return this.#mounted.tree.isBehind();
  }

  /** How many published entries of the log this volume has not applied. */
  get lag(): number {
    const { log, nextIndex } = this.#mounted.tree;
    return Math.max(0, log.nextIndex() - nextIndex);
  }

  /** Behind the last record of the annex that this volume has applied. */
  get position(): AnnexPosition {
    return this.#mounted.tree.annex?.position ?? { seqnum: 0, file: 0, slot: 0 };
  }

  /** What records of the annex changed from a position on, in order; the log's new entries are not among them. */
  *changesFrom(from: AnnexPosition): Generator<AnnexChange> {
    for (const { record } of this.#mounted.tree.annex?.recordsFrom(from) ?? [])
      if (record.change !== null) yield record.change;
  }

  /** How many units of the device two files share, or a file and the superblock or log. */
  get sharedUnits(): number {
    return this.#mounted.tree.usage?.collisions ?? 0;
  }

  /** The first number that no inode of the log has yet. */
  get end(): number {
    return inodeOfEntry(this.#mounted.tree.nextIndex);
  }

  /** Whether a number names something: entries that replay skipped do not. */
  has(ino: number): boolean {
    try {
      this.#mounted.tree.isDirectory(ino);
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** One name in a directory: its number, or -1. */
  lookup(directory: number, name: string): number {
    this.#host.check();
    return this.#mounted.tree.child(directory, name);
  }

  /** Who stores into published files. */
  get stores(): StoreMarks {
    return this.#mounted.media.stores;
  }

  /** @throws DaxError ENOENT */
  stat(ino: number): InodeStat {
    this.#host.check();
    return this.#mounted.tree.stat(ino);
  }

  /** As stat(), right behind another call that looked at the device. @throws DaxError ENOENT */
  statOfFound(ino: number): InodeStat {
    return this.#mounted.tree.stat(ino);
  }

  isDirectory(ino: number): boolean {
    return this.#mounted.tree.isDirectory(ino);
  }

  nameOf(ino: number): string {
    return this.#mounted.tree.nameOf(ino);
  }

  parentOf(ino: number): number {
    return this.#mounted.tree.parentOf(ino);
  }

  /** With a leading slash. */
  pathOf(ino: number): string {
    return `/${this.#mounted.tree.pathOf(ino)}`;
  }

  /** In order of creation. */
  children(directory: number): Iterable<number> {
    this.#host.check();
    return this.#mounted.tree.children(directory);
  }

  /** The names in a directory: those of the log in order of creation, then those of the annex. */
  entries(directory: number): Iterable<DirectoryItem> {
    this.#host.check();
    return this.#mounted.tree.entries(directory);
  }

  /** The target of a symbolic link; null when it is none. */
  linkTarget(ino: number): string | null {
    return this.#mounted.tree.linkTarget(ino);
  }

  /** The number of the log entry that has the bytes of a file; 0: it is empty. It changes when the file gets other bytes. */
  contentOf(ino: number): number {
    return this.#mounted.tree.contentOf(ino);
  }

  fmap(ino: number): Fmap {
    this.#host.check();
    return this.#mounted.fmapOf(ino);
  }

  /** @throws DaxError EROFS when asked to write where that is not possible */
  open(ino: number, { writable }: { writable: boolean }): VolumeFile {
    this.#host.check();
    const inode = this.#mounted.inode(ino);
    if (writable) this.#host.checkStores(inode.path);
    return VolumeFile.of(inode, this.#host, !writable);
  }

  /** Where the bytes of a file are in this process; null where not all of it is memory of this device (read() says why). */
  spans(ino: number): FileSpans | null {
    this.#host.check();
    try {
      return new FileSpans(this.#mounted, this.#host, () => this.pathOf(ino), this.fmap(ino));
    } catch (error) {
      if (hasCode(error, 'EIO', 'ENODEV', 'ERANGE', 'ENXIO')) return null;
      throw error;
    }
  }

  /** Where the bytes of a file are in the backing of its device, for programs that map it themselves. @throws DaxError as fileMemory() */
  memory(ino: number): FileMemory {
    this.#host.check();
    const { size } = this.#mounted.tree.stat(ino);
    return fileMemory(this.#mounted, this.pathOf(ino), size, this.fmap(ino));
  }

  /** Throws when the device is gone; notices what other processes did to it. */
  check(): void {
    this.#host.check();
  }

  /** Makes the bytes of a file durable, where the memory can be (decision 12). @throws DaxError EISDIR; EIO some of them are gone */
  flush(ino: number): void {
    this.#host.check();
    const { media } = this.#mounted;
    const { fmap } = this.#mounted.inode(ino);
    this.#mounted.assertMemory(fmap);
    for (const { devindex, offset, length } of fmap.extents) if (devindex === 0) media.sync(offset, length);
    media.fence();
  }

  /** A new file that grows until it is published. @throws DaxError EROFS; as Volume.create() for the name; EBUSY it is being made elsewhere */
  grow(place: NewPlace, options: GrowingOptions): GrowingFile {
    this.#mayMake(place);
    return new GrowingFile(this.#mounted, place, options);
  }

  /**
   * A new directory that is published later.
   * @throws DaxError EROFS; EEXIST and as Volume.mkdir() for the name; EBUSY it is being made elsewhere; ENOSPC log full
   */
  growDirectory(place: NewPlace, options: GrowingOptions): GrowingDirectory {
    this.#mayMake(place);
    return new GrowingDirectory(this.#mounted, place, options);
  }

  /**
   * Keeps a name for something that is published later: a symbolic link, or a further name of a file in the making.
   * @param entriesBefore how many log entries the caller has already promised
   * @throws DaxError as grow()
   */
  keepName(place: NewPlace, entriesBefore: number): KeptName {
    this.#mayMake(place);
    return new KeptName(this.#mounted, place, { entriesBefore });
  }

  /**
   * New bytes of a published file, which grow until they are published; then the file has them, under the same number and all its
   * names. It begins with the first bytes of the file.
   * @param bytes how many, at most the file's size
   * @throws DaxError EROFS; EISDIR; ENOSPC
   */
  regrow(ino: number, bytes: number): GrowingFile {
    const { type, size, mode, uid, gid } = this.#mounted.tree.stat(ino);
    const path = this.pathOf(ino);
    this.#host.checkChange(path);
    if (type !== 'file') fail('EISDIR', `${path} is no file, it has no bytes`, { path });
    const inode = size > 0 ? this.#mounted.inode(ino) : null;
    const stripe = inode ? stripeOf(inode) : undefined;
    const file = new GrowingFile(this.#mounted, ino, { mode, uid, gid, stripe });
    try {
      if (inode && bytes > 0) file.copyFrom(inode, Math.min(bytes, size));
      return file;
    } catch (error) {
      file.end();
      throw error;
    }
  }

  /** As Volume.unlink(), by a name in a directory. */
  unlink(directory: number, name: string): void {
    unlinkIn(this.#mounted, this.#place(directory, name));
  }

  rmdir(directory: number, name: string): void {
    rmdirIn(this.#mounted, this.#place(directory, name));
  }

  rename(
    directory: number,
    name: string,
    newDirectory: number,
    newName: string,
    flags: RenameFlags = {},
  ): void {
    renameIn(this.#mounted, this.#place(directory, name), this.#place(newDirectory, newName), flags);
  }

  /** @returns the number of the symbolic link */
  symlink(directory: number, name: string, target: string, owner: { uid: number; gid: number }): number {
    return symlinkIn(this.#mounted, target, this.#place(directory, name), owner);
  }

  link(ino: number, directory: number, name: string): void {
    linkIn(this.#mounted, ino, this.#place(directory, name));
  }

  setAttributes(ino: number, change: AttributeChange): void {
    setAttributes(this.#mounted, ino, change, this.#changed(ino));
  }

  setTimes(ino: number, times: TimesChange): void {
    this.#changed(ino);
    setTimes(this.#mounted, ino, times);
  }

  setXattr(ino: number, name: string, value: Uint8Array, flags: XattrFlags = {}): void {
    this.#changed(ino);
    setXattr(this.#mounted, ino, name, value, flags);
  }

  removeXattr(ino: number, name: string): void {
    this.#changed(ino);
    removeXattr(this.#mounted, ino, name);
  }

  getXattr(ino: number, name: string): Uint8Array {
    this.#host.check();
    return getXattr(this.#mounted.tree, ino, name);
  }

  listXattrs(ino: number): string[] {
    this.#host.check();
    return listXattrs(this.#mounted.tree, ino);
  }

  /**
   * Publishes a symbolic link under a name that was kept for it. @returns its number
   * @throws DaxError as symlink(); EEXIST the name was taken meanwhile
   */
  publishSymlink(name: KeptName, target: string, owner: { uid: number; gid: number }): number {
    return this.#mounted.session(() => name.publishSymlink(target, owner));
  }

  /** Gives what is published a name that was kept for it. @throws DaxError as link() */
  publishLink(name: KeptName, ino: number): void {
    this.#mounted.session(() => name.publishLink(ino));
  }

  /** Whether the volume has an annex already. */
  get hasAnnex(): boolean {
    return this.#mounted.tree.annex !== null;
  }

  /** The path of an inode that is to be changed. @throws DaxError EROFS */
  #changed(ino: number): string {
    const path = this.pathOf(ino);
    this.#host.checkChange(path);
    return path;
  }

  #place(directory: number, name: string): PlaceInDirectory {
    const path = pathOfPlace(this.#mounted.tree, { directory, name });
    this.#host.checkChange(path);
    return { directory, name, path };
  }

  #mayMake(place: NewPlace): void {
    this.#host.checkChange(() => pathOfPlace(this.#mounted.tree, place));
  }
}

const place = either(
  text,
  options({
    directory: either(integer(), objectWith('a directory in the making', 'logPath', 'ino')),
    name: text,
  }),
);

checkMethods(VolumeInodes, { grow: { place }, growDirectory: { place }, keepName: { place } });
