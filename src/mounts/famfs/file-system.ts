import { constants } from 'node:fs';
import type { Volume } from '../../famfs/index.js';
import {
  type FileHandle,
  type FuseAttributeAnswer,
  type FuseAttributeChange,
  type FuseConnection,
  type FuseDirectoryAnswer,
  type FuseEntry,
  type FuseFileSystem,
  type FuseHost,
  type FuseInitAnswer,
  type FuseOpenAnswer,
  type FuseReadAnswer,
  type FuseRequestContext,
  type FuseStatfs,
  fuseMountAt,
  HandleTable,
  type NodeId,
  type Timestamp,
} from '../../fuse/index.js';
import { fail, hasCode } from '../../libc/index.js';
import { opensForWriting } from '../modes.js';
import { AttributeChanges } from './attribute-changes.js';
import { Creations } from './creations.js';
import { ExtendedAttributes } from './extended-attributes.js';
import type { FamfsFigures, FamfsQuestion } from './figures.js';
import { KeptTimes } from './kept-times.js';
import { Listings } from './listings.js';
import { Making } from './making.js';
import { NameChanges } from './name-changes.js';
import { Names } from './names.js';
import { failToGrow, LoggedFiles, type OpenDirectly, type OpenFile } from './open-file.js';
import { PageCaching } from './page-caching.js';
import { unimplementedOn } from './unimplemented.js';

const STATFS_BLOCK_BYTES = 4096;
/** The longest name that can be made: of Linux, and without an annex of a log entry. */
const NAME_BYTES = 255;
const LOGGED_NAME_BYTES = 79;

export interface FamfsFileSystemOptions {
  /** The times of all inodes whose times were not set through this mount. */
  readonly times: Timestamp;
  /** How long a new file or directory stays unpublished after its last change. */
  readonly settleMilliseconds: number;
  /** Whether extended attributes are served. */
  readonly xattrs: boolean;
  /** Shows what the log says and nothing else, and keeps it. */
  readonly plain?: boolean;
  /** Opens published files by system calls, where their memory is not mapped here. */
  readonly direct?: OpenDirectly;
}

/** A volume as a FUSE file system. docs/mount.md has the rules. */
export class FamfsFileSystem implements FuseFileSystem {
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #closeDevice: () => void;
  readonly #names: Names;
  readonly #files = new HandleTable<OpenFile>();
  readonly #listings: Listings;
  readonly #logged: LoggedFiles;
  readonly #making: Making;
  readonly #creations: Creations;
  readonly #changes: NameChanges;
  readonly #attributeChanges: AttributeChanges;
  readonly #xattrs: ExtendedAttributes;
  readonly #times: KeptTimes;
  readonly #options: FamfsFileSystemOptions;
  readonly #hasAnnex: boolean;
  /** Nodes of which the kernel may have cached pages. */
  readonly #opened = new Set<NodeId>();
  readonly #caching: PageCaching;
  #published: string;

  /** @param closeDevice called at the end, after the volume is closed */
  constructor(volume: Volume, host: FuseHost, closeDevice: () => void, options: FamfsFileSystemOptions) {
    const { times, settleMilliseconds, direct, plain = false } = options;
    const hasAnnex = !plain && !volume.readOnly;
    this.#volume = volume;
    this.#host = host;
    this.#closeDevice = closeDevice;
    this.#options = options;
    this.#hasAnnex = hasAnnex;
    const names = new Names(volume, host, times);
    this.#names = names;
    this.#logged = new LoggedFiles(volume, direct);
    names.changes.onReplaced = (ino) => this.#logged.replaced(ino);
    const making = new Making(volume, host, names, this.#logged, { settleMilliseconds, hasAnnex });
    this.#making = making;
    this.#creations = new Creations(names, making, hasAnnex);
    this.#changes = new NameChanges(volume, names, making, hasAnnex);
    this.#attributeChanges = new AttributeChanges(volume, names, making, hasAnnex);
    this.#xattrs = new ExtendedAttributes(volume, names, hasAnnex);
    this.#times = new KeptTimes(volume, names, settleMilliseconds, host.report);
    this.#listings = new Listings(volume, names);
    this.#published = volume.publications.stamp();
    this.#caching = new PageCaching(volume, direct === undefined);
  }

  get names(): Names {
    return this.#names;
  }

  init({ capabilities }: FuseConnection): FuseInitAnswer {
    // Requests are served only after mount(2) has returned, so the mount is in the table.
    const device = fuseMountAt(this.#host.mountpoint)?.device ?? '';
    this.#making.device = device;
    this.#names.newFiles.numberFor(device);
    return { unimplemented: unimplementedOn(capabilities, this.#options.xattrs) };
  }

  destroy(): void {
    this.#flush();
    for (const file of this.#files.values()) file.close();
    this.#making.end();
    this.#volume.close();
    this.#closeDevice();
  }

  /**
   * Answers a question of the main thread.
   * @returns nodes whose pages and attributes the kernel should drop, or the figures
   * @throws DaxError what publishing threw, so that no caller takes it for done
   */
  message(question: unknown): NodeId[] | FamfsFigures {
    const asked = question as FamfsQuestion;
    if (asked === 'tick') return this.#tick();
    if (asked === 'figures') return this.#figures();
    const failed = this.#flush();
    if (failed) throw failed.why;
    return typeof asked === 'object' ? this.#openedAt(asked.publish) : [...this.#opened];
  }

  #figures(): FamfsFigures {
    const unpublished = this.#names.newFiles.unpublishedCount;
    return { openFiles: this.#files.size, unpublished, replayLag: this.#volume.inodes.lag };
  }

  /** Publishes all that is closed. @returns why something could not be published */
  #flush(): { why: unknown } | undefined {
    const failed = this.#making.settling.flush();
    if (this.#hasAnnex) this.#times.flush();
    return failed;
  }

  #tick(): NodeId[] {
    try {
      this.#making.settling.tick();
      if (this.#hasAnnex) this.#times.tick();
      this.#names.refresh();
    } catch (error) {
      if (!hasCode(error, 'ESTALE')) throw error;
      // The device was formatted anew. The kernel must drop the pages and sizes of the old file system.
      return [...this.#opened];
    }
    const stamp = this.#volume.publications.stamp();
    if (stamp === this.#published) return [];
    this.#published = stamp;
    this.#making.settling.flush();
    return [...this.#opened];
  }

  #openedAt(path: string): NodeId[] {
    const { ino } = this.#volume.stat(path);
    const node = this.#names.newFiles.nodeOf(ino) as NodeId;
    return this.#opened.has(node) ? [node] : [];
  }

  // Names

  lookup(parent: NodeId, name: string): FuseEntry {
    return this.#names.lookup(parent, name);
  }

  /** @returns whether the kernel does not know the node any more */
  forget(node: NodeId, count: number): boolean {
    if (!this.#names.forget(node, count)) return false;
    this.#opened.delete(node);
    this.#caching.forget(node);
    return true;
  }

  getattr(node: NodeId): FuseAttributeAnswer {
    return this.#names.attributeAnswer(node);
  }

  setattr(node: NodeId, change: FuseAttributeChange): FuseAttributeAnswer {
    this.#mustWrite(node);
    this.#attributeChanges.apply(node, change);
    return this.getattr(node);
  }

  readlink(node: NodeId): string {
    const { ino, made } = this.#names.resolve(node);
    if (made?.kind === 'symlink') return made.target;
    const target = ino === null ? null : this.#volume.inodes.linkTarget(ino);
    return target ?? fail('EINVAL', 'that is no symbolic link');
  }

  opendir(node: NodeId): FuseOpenAnswer {
    this.#names.directory(node);
    return { handle: 0 as FileHandle, cacheDirectory: true, keepCache: true };
  }

  readdir(node: NodeId, _handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    this.#listings.fill(node, offset, answer);
  }

  /** Publishes the directory, and what is closed in it. */
  fsyncdir(node: NodeId): void {
    const failed = this.#making.settling.flushDirectory(this.#names.directory(node));
    if (failed) throw failed.why;
    if (this.#hasAnnex) this.#times.flush();
    if (this.#volume.acceptsStores) this.#volume.publish();
  }

  /** Checks an open(2). @throws DaxError EROFS it is for writing, and this mount stores nothing */
  mayOpen(node: NodeId, flags: number): boolean {
    const writable = opensForWriting(flags);
    if (writable && !this.#volume.acceptsStores) this.#mustWrite(node);
    return writable;
  }

  open(node: NodeId, flags: number): FuseOpenAnswer {
    const writable = this.mayOpen(node, flags);
    const { ino, made } = this.#names.resolve(node);
    this.#opened.add(node);
    if (made?.kind === 'file')
      return { handle: this.#files.open(this.#making.open(made, writable)), directIo: true };
    if (made) fail('EISDIR', `${this.#names.pathOf(node)} is a directory`);
    const handle = this.#files.open(this.#logged.open(ino, writable));
    // Closing a file that was opened for reading needs no FLUSH.
    return { handle, ...this.#caching.opened(node, ino, writable), noFlush: !writable };
  }

  read(_node: NodeId, handle: FileHandle, offset: number, length: number, answer: FuseReadAnswer): void {
    this.#files.get(handle).read(offset, length, answer);
  }

  write(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    data: Uint8Array,
    { uid, unique }: FuseRequestContext,
  ): number {
    const written = this.#files.get(handle).write(data, offset, unique);
    if (this.#caching.mayBeOld(node)) this.#host.invalidateInode(node);
    this.#names.attributes.touch(this.#names.keyOf(node));
    if (uid !== 0) this.#attributeChanges.dropSetIds(node);
    return written;
  }

  flush(_node: NodeId, handle: FileHandle, { pid }: FuseRequestContext): void {
    this.#files.get(handle).flush(pid);
  }

  release(_node: NodeId, handle: FileHandle): void {
    this.#files.close(handle)?.release();
  }

  fsync(node: NodeId): void {
    const { made } = this.#names.resolve(node);
    if (made) this.#making.sync(made);
    const { ino, made: left } = this.#names.resolve(node);
    if (ino === null || left) return;
    if (made === null) this.#volume.inodes.flush(ino);
    if (this.#hasAnnex) this.#times.keep(ino);
  }

  syncfs(): void {
    const failed = this.#flush();
    if (failed) throw failed.why;
  }

  /** Supports plain preallocation only (mode 0). */
  fallocate(node: NodeId, _handle: FileHandle, offset: number, length: number, mode: number): void {
    if (mode !== 0) fail('EOPNOTSUPP', 'famfs files have no holes: only plain preallocation (mode 0) works');
    const { ino, made } = this.#names.resolve(node);
    const end = offset + length;
    if (made?.kind === 'file') made.growing.resize(Math.max(made.growing.size, end));
    else if (ino !== null && end > this.#volume.inodes.stat(ino).size) {
      if (!this.#making.maySize) failToGrow(this.#names.pathOf(node), 'allocated');
      this.#making.change(ino).growing.resize(end);
    }
    this.#names.attributes.touch(this.#names.keyOf(node));
  }

  // Making things

  create(
    parent: NodeId,
    name: string,
    mode: number,
    flags: number,
    umask: number,
    context: FuseRequestContext,
  ): { entry: FuseEntry; opened: FuseOpenAnswer } {
    const isExclusive = (flags & constants.O_EXCL) !== 0;
    const file = this.#creations.file(parent, name, mode & ~umask, context, isExclusive);
    const handle = this.#files.open(this.#making.open(file, true));
    this.#opened.add(file.node as NodeId);
    return { entry: this.#names.madeEntry(file), opened: { handle, directIo: true } };
  }

  mkdir(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry {
    return this.#creations.directory(parent, name, mode & ~umask, context);
  }

  symlink(parent: NodeId, name: string, target: string, context: FuseRequestContext): FuseEntry {
    this.#mustWritePlace(parent, name);
    return this.#creations.symlink(parent, name, target, context);
  }

  mknod(
    parent: NodeId,
    name: string,
    mode: number,
    _rdev: number,
    umask: number,
    context: FuseRequestContext,
  ): FuseEntry {
    this.#mustWritePlace(parent, name);
    return this.#creations.node(parent, name, mode & ~umask, context);
  }

  // Names

  unlink(parent: NodeId, name: string): void {
    this.#mustWritePlace(parent, name);
    this.#changes.remove(parent, name, 'file');
  }

  rmdir(parent: NodeId, name: string): void {
    this.#mustWritePlace(parent, name);
    this.#changes.remove(parent, name, 'directory');
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): void {
    this.#mustWritePlace(parent, name);
    this.#changes.rename({ parent, name }, { parent: newParent, name: newName }, flags);
  }

  link(node: NodeId, parent: NodeId, name: string): FuseEntry {
    this.#mustWritePlace(parent, name);
    return this.#changes.link(node, parent, name);
  }

  #mustWritePlace(parent: NodeId, name: string): void {
    if (this.#volume.readOnly) this.#mustWritePath(this.#names.pathIn(parent, name));
  }

  #mustWrite(node: NodeId): void {
    if (this.#volume.readOnly) this.#mustWritePath(this.#names.pathOf(node));
  }

  #mustWritePath(path: string): void {
    if (this.#volume.readOnly) fail('EROFS', `${path} cannot be written: this mount only reads`, { path });
  }

  // The whole

  statfs(): FuseStatfs {
    const { size, free, logSlots, logFree } = this.#volume.statfs();
    const freeBlocks = Math.floor(free / STATFS_BLOCK_BYTES);
    return {
      blockSize: STATFS_BLOCK_BYTES,
      blocks: Math.floor(size / STATFS_BLOCK_BYTES),
      freeBlocks,
      availableBlocks: freeBlocks,
      files: logSlots,
      freeFiles: logFree,
      nameLength: this.#hasAnnex ? NAME_BYTES : LOGGED_NAME_BYTES,
    };
  }

  getxattr(node: NodeId, name: string): Uint8Array {
    return this.#xattrs.get(node, name);
  }

  listxattr(node: NodeId): string[] {
    return this.#xattrs.list(node);
  }

  setxattr(node: NodeId, name: string, value: Uint8Array, flags: number): void {
    this.#mustWrite(node);
    this.#xattrs.set(node, name, value, flags);
  }

  removexattr(node: NodeId, name: string): void {
    this.#mustWrite(node);
    this.#xattrs.remove(node, name);
  }
}
