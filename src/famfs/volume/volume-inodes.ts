import { checkMethods, either, hasCode, integer, objectWith, options, text } from '../../libc/index.js';
import type { Fmap } from '../media/fmap.js';
import { type InodeStat, inodeOfEntry, ROOT_INO } from '../media/tree.js';
import { VolumeFile } from './file.js';
import { type FileMemory, fileMemory } from './file-memory.js';
import { FileSpans } from './file-spans.js';
import { GrowingDirectory } from './growing-directory.js';
import { GrowingFile } from './growing-file.js';
import type { MountedFamfs } from './mounted.js';
import { type GrowingOptions, KeptName, type NewPlace, pathOfPlace } from './new-name.js';
import type { OpenFileHost } from './open-file-host.js';
import type { StoreMarks } from './store-marks.js';

/**
 * A volume by inode numbers instead of paths, for servers. Numbers are the same on every host and for good: the root is 1,
 * the file or directory of log entry i is i + 2. Every call throws what the volume's own calls throw when it is closed or its
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
    const { tree } = this.#mounted;
    return tree.log.nextIndex() !== tree.nextIndex;
  }

  /** How many units of the device two files share, or a file and the superblock or log. */
  get sharedUnits(): number {
    return this.#mounted.tree.usage?.collisions ?? 0;
  }

  /** The first number that no inode has yet. */
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
      return new FileSpans(this.#mounted, () => this.pathOf(ino), this.fmap(ino));
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

  /** Throws when the device is gone; notices what other processes did to it. Before each use of spans. */
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
   * Keeps a name for something that is published later: a further name of a file in the making.
   * @param entriesBefore how many log entries the caller has already promised
   * @throws DaxError as grow()
   */
  keepName(place: NewPlace, entriesBefore: number): KeptName {
    this.#mayMake(place);
    return new KeptName(this.#mounted, place, entriesBefore);
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
