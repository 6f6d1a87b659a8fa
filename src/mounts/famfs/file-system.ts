import { constants } from 'node:fs';
import type { FileSpans, Volume } from '../../famfs/index.js';
import {
  type FileHandle,
  type FuseAttributeAnswer,
  type FuseAttributeChange,
  type FuseConnection,
  type FuseDirectoryAnswer,
  type FuseEntry,
  type FuseFileSystem,
  type FuseHost,
  type FuseOpenAnswer,
  type FuseReadAnswer,
  type FuseRequestContext,
  type FuseStatfs,
  fuseMountAt,
  HandleTable,
  type NodeId,
  type Timestamp,
} from '../../fuse/index.js';
import { DaxError, fail, hasCode } from '../../libc/index.js';
import { opensForWriting, PERMISSION_BITS, S_ISGID } from '../modes.js';
import { applyChange } from './attributes.js';
import {
  type Described,
  extendedAttribute,
  extendedAttributeNames,
  mustBeOurs,
} from './extended-attributes.js';
import { Listings } from './listings.js';
import { Names } from './names.js';
import { FIRST_NEW_NODE, type NewDirectory, type NewFile, type NewNode } from './new-files.js';
import { GrowingHandle, LoggedFile, type OpenFile } from './open-file.js';
import { isOpenAnywhere } from './processes.js';
import { Settling } from './settling.js';

const STATFS_BLOCK_BYTES = 4096;
const NAME_BYTES = 79;
const WRITE_BITS = 0o222;

/** What the mount's main thread asks between requests. */
export type FamfsQuestion = 'tick' | 'publish' | { readonly publish: string };

export interface FamfsFileSystemOptions {
  /** Of all whose times nobody said through this mount. */
  readonly times: Timestamp;
  /** How long what was made stays unpublished after its last change. */
  readonly settleMilliseconds: number;
}

/** A volume as a FUSE file system. Rules: docs/mount.md. */
export class FamfsFileSystem implements FuseFileSystem {
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #closeDevice: () => void;
  readonly #names: Names;
  readonly #files = new HandleTable<OpenFile>();
  readonly #listings: Listings;
  readonly #settling: Settling;
  /** `major:minor` of this file system. */
  #device = '';
  /** Of open files, shared by their handles. */
  readonly #spans = new Map<number, { spans: FileSpans | null; uses: number }>();
  /** Nodes that the kernel may have pages of. */
  readonly #opened = new Set<NodeId>();
  #published: string;

  /** @param closeDevice called after the volume was closed, at the end */
  constructor(
    volume: Volume,
    host: FuseHost,
    closeDevice: () => void,
    { times, settleMilliseconds }: FamfsFileSystemOptions,
  ) {
    this.#volume = volume;
    this.#host = host;
    this.#closeDevice = closeDevice;
    this.#names = new Names(volume, host, times);
    this.#settling = new Settling(this.#names.newFiles, settleMilliseconds, {
      publishFile: (file) => this.#names.published(file, file.growing.publish()),
      publishDirectory: (directory) => this.#publishDirectory(directory),
      failed: (_made, error) => host.report(error),
    });
    this.#listings = new Listings(
      (directory) => this.#names.list(directory as NodeId),
      (item) => this.#names.entryOfItem(item),
    );
    this.#published = volume.publications.stamp();
  }

  init({ capabilities }: FuseConnection): void {
    // The mount is in the table: requests are served from when mount(2) has returned.
    this.#device = fuseMountAt(this.#host.mountpoint)?.device ?? '';
    // Directories have no state here: what is not there is ENOSYS, after which the kernel opens none, and caches all.
    if (capabilities.includes('NO_OPENDIR_SUPPORT')) Object.assign(this, { opendir: undefined });
  }

  destroy(): void {
    this.#settling.flush();
    for (const file of this.#files.values()) file.close();
    for (const file of this.#names.newFiles.growing()) file.growing.end();
    this.#volume.close();
    this.#closeDevice();
  }

  /** @returns nodes whose pages and attributes the kernel should drop */
  message(question: unknown): NodeId[] {
    const asked = question as FamfsQuestion;
    if (asked === 'tick') return this.#tick();
    this.#settling.flush();
    return typeof asked === 'object' ? this.#openedAt(asked.publish) : [...this.#opened];
  }

  #tick(): NodeId[] {
    try {
      this.#settling.tick();
      this.#names.refresh();
    } catch (error) {
      if (!hasCode(error, 'ESTALE')) throw error;
      // Another file system is there now: what the kernel has of the old one, pages and sizes, is nobody's any more.
      return [...this.#opened];
    }
    const stamp = this.#volume.publications.stamp();
    if (stamp === this.#published) return [];
    this.#published = stamp;
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

  forget(node: NodeId, count: number): void {
    this.#names.newFiles.forget(node, count);
    this.#opened.delete(node);
  }

  getattr(node: NodeId): FuseAttributeAnswer {
    const attributeSeconds = this.#names.attributeSeconds(node);
    return { attributes: this.#names.attributesOf(node), attributeSeconds };
  }

  setattr(node: NodeId, change: FuseAttributeChange): FuseAttributeAnswer {
    this.#mustWrite(node);
    const { ino, made } = this.#names.resolve(node);
    if (made) this.#changeMade(made, change);
    else this.#changeLogged(node, ino, change);
    return this.getattr(node);
  }

  #changeMade(made: NewNode, change: FuseAttributeChange): void {
    const { mode, uid, gid, size, ...times } = change;
    if (uid !== undefined || gid !== undefined) this.#names.dropSetIds(made.node as NodeId);
    if (made.kind === 'file' && size !== undefined) made.growing.resize(size);
    const said = made.kind === 'file' ? made.growing : made;
    if (mode !== undefined) said.mode = mode & PERMISSION_BITS;
    said.uid = uid ?? said.uid;
    said.gid = gid ?? said.gid;
    applyChange(this.#names.attributes.overridesOf(made.node), times);
    this.#names.newFiles.touch(made);
  }

  /** Mode and owner are in the log for good: only what says the same is taken. The root has no entry: its own last as long as the mount. */
  #changeLogged(node: NodeId, ino: number, change: FuseAttributeChange): void {
    const { mode, uid, gid, size, ...times } = change;
    if (size !== undefined) this.#mustKeepSize(ino, size);
    const overrides = this.#names.attributes.overridesOf(ino);
    if (ino === this.#volume.inodes.root) {
      applyChange(overrides, change);
      return;
    }
    const now = this.#names.attributesOf(node);
    const isSame =
      (mode === undefined || (mode & PERMISSION_BITS) === (now.mode & PERMISSION_BITS)) &&
      (uid === undefined || uid === now.uid) &&
      (gid === undefined || gid === now.gid);
    if (!isSame) {
      const path = this.#volume.inodes.pathOf(ino);
      fail(
        'EPERM',
        `${path} keeps its mode and owner: the log of a famfs says them once, when a file is published ` +
          '(until it was closed and unchanged for a while they can be changed: udax mount --settle)',
        { path },
      );
    }
    applyChange(overrides, times);
  }

  #mustKeepSize(ino: number, size: number): void {
    const stat = this.#volume.inodes.stat(ino);
    if (stat.type === 'file' && stat.size === size) return;
    const path = this.#volume.inodes.pathOf(ino);
    fail('EINVAL', `${path} keeps its ${stat.size} bytes: a famfs file has the size it was made with`, {
      path,
    });
  }

  opendir(node: NodeId): FuseOpenAnswer {
    if (this.#names.resolve(node).made?.kind === 'file')
      fail('ENOTDIR', 'a file in the making is not a directory');
    return { handle: 0 as FileHandle, cacheDirectory: true, keepCache: true };
  }

  readdir(node: NodeId, _handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    this.#listings.fill(node, offset, answer);
  }

  /** What is closed in it is published with it. */
  fsyncdir(node: NodeId): void {
    this.#settling.flushDirectory(this.#names.directory(node));
    if (this.#volume.acceptsStores) this.#volume.publish();
  }

  // Files

  open(node: NodeId, flags: number): FuseOpenAnswer {
    const writable = opensForWriting(flags);
    if (writable && !this.#volume.acceptsStores) this.#mustWrite(node);
    const { ino, made } = this.#names.resolve(node);
    this.#opened.add(node);
    if (made?.kind === 'file')
      return { handle: this.#files.open(this.#growingHandle(made, writable)), directIo: true };
    if (made) fail('EISDIR', `${this.#names.pathOf(node)} is a directory`);
    const handle = this.#files.open(this.#openLogged(ino, writable));
    // What this host may write is read where it is, so that stores made past this mount are seen.
    const changes =
      this.#volume.acceptsStores && (writable || (this.#volume.inodes.stat(ino).mode & WRITE_BITS) !== 0);
    // Closing what was only read is nobody's business but the kernel's: no FLUSH.
    return changes
      ? { handle, directIo: true, parallelDirectWrites: true, noFlush: !writable }
      : { handle, keepCache: true, noFlush: !writable };
  }

  #openLogged = (ino: number, writable: boolean): LoggedFile => {
    const known = this.#spans.get(ino) ?? { spans: this.#volume.inodes.spans(ino), uses: 0 };
    const file = new LoggedFile(this.#volume, ino, known.spans, writable);
    known.uses++;
    this.#spans.set(ino, known);
    return file;
  };

  #closeLogged(ino: number): void {
    const known = this.#spans.get(ino);
    if (known && --known.uses === 0) this.#spans.delete(ino);
  }

  #growingHandle(file: NewFile, writable: boolean): GrowingHandle {
    if (writable) this.#names.newFiles.countWriters(file, 1);
    return new GrowingHandle(file, writable, this.#openLogged, (ino) => this.#closeLogged(ino));
  }

  read(_node: NodeId, handle: FileHandle, offset: number, length: number, answer: FuseReadAnswer): void {
    this.#files.get(handle).read(offset, length, answer);
  }

  write(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    data: Uint8Array,
    { uid }: FuseRequestContext,
  ): number {
    const file = this.#files.get(handle);
    const end = offset + data.length;
    if (file instanceof LoggedFile && end > file.size && data.length > 0) this.#refuseToGrow(node, 'written');
    const written = file.write(data, offset);
    this.#names.attributes.touch(this.#names.resolve(node).ino ?? node);
    if (uid !== 0) this.#names.dropSetIds(node);
    return written;
  }

  /** Of the errors that a program explains, the one that says it: a file that may not become larger. */
  #refuseToGrow(node: NodeId, what: string): never {
    const path = this.#names.pathOf(node);
    return fail(
      'EFBIG',
      `${path} keeps its size: nothing can be ${what} behind its end (a famfs file has the size it was published with)`,
      { path },
    );
  }

  /**
   * close(2) is the last call whose error somebody sees, so what is wrong with a new file is said there: to whoever closes its last
   * descriptor, of all processes (a child that inherited one goes on writing when its maker has ended, and shells close copies).
   * That nobody has it any more is sure only at RELEASE, when the last of all copies is gone, mapped and sent ones too.
   */
  flush(_node: NodeId, handle: FileHandle, context: FuseRequestContext): void {
    const handled = this.#files.get(handle);
    if (!(handled instanceof GrowingHandle) || !handled.writable) return;
    const file = handled.newFile;
    if (file.ino !== null || file.isRemoved) return;
    const isDue = this.#settling.isImmediate || file.isHurried;
    if (file.growing.isWhole && !isDue) return;
    if (isOpenAnywhere({ device: this.#device, inode: file.node }, context.pid)) return;
    file.growing.assertWhole();
    if (file.writers === 1) this.#settling.publish(file);
  }

  #publishDirectory(directory: NewDirectory): void {
    const { mode, uid, gid } = directory;
    const path = this.#names.pathOf(directory.node as NodeId);
    this.#volume.mkdir(path, { mode, uid, gid });
    directory.releaseName();
    this.#names.published(directory, this.#volume.stat(path).ino);
  }

  release(_node: NodeId, handle: FileHandle): void {
    const file = this.#files.close(handle);
    if (file === undefined) return;
    try {
      if (file instanceof GrowingHandle) this.#releaseGrowing(file);
    } finally {
      file.close();
      if (file instanceof LoggedFile) this.#closeLogged(file.ino);
      else if (file instanceof GrowingHandle) this.#names.newFiles.dropIfUnused(file.newFile);
    }
  }

  #releaseGrowing({ newFile: file, writable }: GrowingHandle): void {
    if (writable) this.#names.newFiles.countWriters(file, -1);
    if (file.ino !== null) return;
    const isDue = this.#settling.isImmediate || file.isHurried;
    if (file.writers === 0 && file.growing.isWhole && !file.isRemoved) {
      if (isDue) this.#publishUnseen(file);
    } else if (file.opens === 1) this.#abandon(file);
  }

  #publishUnseen(file: NewFile): void {
    try {
      this.#settling.publish(file);
    } catch (error) {
      file.hasFailed = true;
      this.#host.report(error); // nobody waits for this answer
    }
  }

  /** A file that is not to be: its name and its space are free again. */
  #abandon(file: NewFile): void {
    const { parent, name, isRemoved } = file;
    file.growing.end();
    this.#names.attributes.drop(file.node);
    this.#names.newFiles.removed(file);
    if (!isRemoved) this.#host.invalidateEntry(this.#names.newFiles.nodeOf(parent) as NodeId, name);
  }

  /** A new file is published: at once when nobody writes it, else as soon as it is closed, since its size is fixed by that. */
  fsync(node: NodeId): void {
    const { ino, made } = this.#names.resolve(node);
    if (ino !== null) this.#volume.flush(this.#volume.inodes.pathOf(ino));
    else if (made.kind === 'file' && !made.isRemoved) {
      made.isHurried = true;
      if (made.writers === 0) this.#settling.publish(made);
    }
  }

  /** Plain preallocation only. */
  fallocate(node: NodeId, _handle: FileHandle, offset: number, length: number, mode: number): void {
    if (mode !== 0) fail('EOPNOTSUPP', 'famfs files have no holes, and keep their size');
    const { ino, made } = this.#names.resolve(node);
    const end = offset + length;
    if (made?.kind === 'file') made.growing.resize(Math.max(made.growing.size, end));
    else if (ino !== null && end > this.#volume.inodes.stat(ino).size) this.#refuseToGrow(node, 'allocated');
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
    const { gid } = this.#groupIn(parent, context);
    const directory = this.#names.directory(parent);
    const isExclusive = (flags & constants.O_EXCL) !== 0;
    const growing = existingIf(isExclusive, () =>
      this.#volume.inodes.grow(this.#names.pathIn(parent, name), {
        mode: mode & ~umask & PERMISSION_BITS,
        uid: context.uid,
        gid,
        ...this.#promised(directory),
      }),
    );
    const file = this.#names.newFiles.addFile({ parent: directory, name, growing });
    const handle = this.#files.open(this.#growingHandle(file, true));
    this.#opened.add(file.node as NodeId);
    this.#names.attributes.touch(file.node);
    return { entry: this.#names.madeEntry(file), opened: { handle, directIo: true } };
  }

  mkdir(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry {
    const { gid, inherited } = this.#groupIn(parent, context);
    const directory = this.#names.directory(parent);
    const path = this.#names.pathIn(parent, name);
    const made = this.#names.newFiles.addDirectory({
      parent: directory,
      name,
      mode: (mode & ~umask & PERMISSION_BITS) | inherited,
      uid: context.uid,
      gid,
      releaseName: existingIf(true, () => this.#volume.inodes.reserveName(path, this.#promised(directory))),
    });
    this.#names.attributes.touch(made.node);
    const entry = this.#names.madeEntry(made);
    if (this.#settling.isImmediate) this.#settling.publish(made);
    return entry;
  }

  /** What of the log is spoken for by what was made here. */
  #promised(directory: number): { parentComes: boolean; entriesBefore: number } {
    return {
      parentComes: directory >= FIRST_NEW_NODE,
      entriesBefore: this.#names.newFiles.unpublishedCount,
    };
  }

  /** In a directory with the set-group-id bit things get its group, and directories the bit. */
  #groupIn(parent: NodeId, context: FuseRequestContext): { gid: number; inherited: number } {
    const { mode, gid } = this.#names.attributesOf(parent);
    return (mode & S_ISGID) !== 0 ? { gid, inherited: S_ISGID } : { gid: context.gid, inherited: 0 };
  }

  /** Only a file in the making: nothing of it is in the log yet. */
  unlink(parent: NodeId, name: string): void {
    const made = this.#names.newFiles.named(this.#names.directory(parent), name);
    if (made?.kind !== 'file') this.#refuse(this.#names.pathIn(parent, name), 'removed');
    else this.#unlink(made);
  }

  #unlink(made: NewFile): void {
    if (made.opens === 0) made.growing.end();
    this.#names.newFiles.removed(made);
  }

  rmdir(parent: NodeId, name: string): void {
    const path = this.#names.pathIn(parent, name);
    const made = this.#names.newFiles.named(this.#names.directory(parent), name);
    if (made?.kind !== 'directory') {
      this.#refuse(path, 'removed');
      return;
    }
    for (const _inside of this.#names.newFiles.in(made.node))
      fail('ENOTEMPTY', `${path} is not empty`, { path });
    made.releaseName();
    this.#names.newFiles.removed(made);
  }

  rename(parent: NodeId, name: string): void {
    this.#refuse(this.#names.pathIn(parent, name), 'renamed');
  }

  link(_node: NodeId, parent: NodeId, name: string): FuseEntry {
    return this.#refuse(this.#names.pathIn(parent, name), 'made: there are no links');
  }

  symlink(parent: NodeId, name: string): FuseEntry {
    return this.#refuse(this.#names.pathIn(parent, name), 'made: there are no symbolic links');
  }

  mknod(parent: NodeId, name: string): FuseEntry {
    return this.#refuse(this.#names.pathIn(parent, name), 'made: there are only files and directories');
  }

  #refuse(path: string, what: string): never {
    this.#mustWritePath(path);
    return fail('EPERM', `${path} cannot be ${what} on famfs`, { path });
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
      nameLength: NAME_BYTES,
    };
  }

  getxattr(node: NodeId, name: string): Uint8Array {
    mustBeOurs(name);
    return extendedAttribute(this.#described(node), name);
  }

  listxattr(node: NodeId): string[] {
    return extendedAttributeNames(this.#described(node));
  }

  setxattr(node: NodeId): void {
    this.#mustWrite(node);
    fail('EOPNOTSUPP', 'famfs has no extended attributes of its own: user.famfs.* only tell where a file is');
  }

  removexattr(node: NodeId): void {
    this.setxattr(node);
  }

  #described(node: NodeId): Described {
    const { inodes, device, superblock } = this.#volume;
    const { ino } = this.#names.resolve(node);
    const fmap = ino === null || inodes.isDirectory(ino) ? null : inodes.fmap(ino);
    return { device, uuid: superblock.uuid, fmap };
  }
}

/** To who wants to be the only maker of a name, one that is being made is there: EBUSY becomes EEXIST. */
function existingIf<T>(isExclusive: boolean, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (isExclusive && error instanceof DaxError && error.code === 'EBUSY')
      throw new DaxError('EEXIST', error.message, { cause: error });
    throw error;
  }
}
