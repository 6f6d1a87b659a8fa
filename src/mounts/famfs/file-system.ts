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
  HandleTable,
  type NodeId,
} from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
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
import type { NewFile } from './new-files.js';
import { GrowingHandle, LoggedFile, type OpenFile } from './open-file.js';
import { hasOpen, isSameProcess } from './processes.js';

const STATFS_BLOCK_BYTES = 4096;
const NAME_BYTES = 79;
const WRITE_BITS = 0o222;

/** What the mount's main thread asks between requests. */
export type FamfsQuestion = 'tick' | 'publish' | { readonly publish: string };

/** A volume as a FUSE file system. Rules: docs/mount.md. */
export class FamfsFileSystem implements FuseFileSystem {
  readonly #volume: Volume;
  readonly #host: FuseHost;
  readonly #closeDevice: () => void;
  readonly #names: Names;
  readonly #files = new HandleTable<OpenFile>();
  readonly #listings: Listings;
  /** Of open files, shared by their handles. */
  readonly #spans = new Map<number, { spans: FileSpans | null; uses: number }>();
  /** Nodes that the kernel may have pages of. */
  readonly #opened = new Set<NodeId>();
  #published: string;

  /** @param closeDevice called after the volume was closed, at the end */
  constructor(volume: Volume, host: FuseHost, closeDevice: () => void) {
    this.#volume = volume;
    this.#host = host;
    this.#closeDevice = closeDevice;
    this.#names = new Names(volume, host);
    this.#listings = new Listings(
      (directory) => this.#names.list(directory as NodeId),
      (item) => this.#names.entryOfItem(item),
    );
    this.#published = volume.publications.stamp();
  }

  init({ capabilities }: FuseConnection): void {
    // Directories have no state here: what is not there is ENOSYS, after which the kernel opens none, and caches all.
    if (capabilities.includes('NO_OPENDIR_SUPPORT')) Object.assign(this, { opendir: undefined });
  }

  destroy(): void {
    for (const file of this.#files.values()) file.close();
    for (const file of this.#names.newFiles.unpublished()) file.growing.end();
    this.#volume.close();
    this.#closeDevice();
  }

  /** @returns nodes whose pages and attributes the kernel should drop */
  message(question: unknown): NodeId[] {
    const asked = question as FamfsQuestion;
    if (typeof asked === 'object') return this.#openedAt(asked.publish);
    if (asked === 'publish') return [...this.#opened];
    this.#names.refresh();
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
    if (change.uid !== undefined || change.gid !== undefined) this.#names.dropSetIds(node);
    const { ino, growing } = this.#names.resolve(node);
    if (growing) this.#changeGrowing(growing, change);
    else {
      if (change.size !== undefined) this.#mustKeepSize(ino, change.size);
      applyChange(this.#names.attributes.overridesOf(ino), change);
    }
    return this.getattr(node);
  }

  #changeGrowing({ growing, node }: NewFile, change: FuseAttributeChange): void {
    if (change.size !== undefined) growing.resize(change.size);
    if (change.mode !== undefined) growing.mode = change.mode & PERMISSION_BITS;
    growing.uid = change.uid ?? growing.uid;
    growing.gid = change.gid ?? growing.gid;
    const { mode, uid, gid, ...times } = change;
    applyChange(this.#names.attributes.overridesOf(node), times);
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
    if (this.#names.resolve(node).growing) fail('ENOTDIR', 'a file in the making is not a directory');
    return { handle: 0 as FileHandle, cacheDirectory: true, keepCache: true };
  }

  readdir(node: NodeId, _handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    this.#listings.fill(node, offset, answer);
  }

  fsyncdir(): void {
    if (this.#volume.acceptsStores) this.#volume.publish();
  }

  // Files

  open(node: NodeId, flags: number): FuseOpenAnswer {
    const writable = opensForWriting(flags);
    if (writable && !this.#volume.acceptsStores) this.#mustWrite(node);
    const { ino, growing } = this.#names.resolve(node);
    this.#opened.add(node);
    if (growing) return { handle: this.#files.open(this.#growingHandle(growing, writable)), directIo: true };
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
    const written = this.#files.get(handle).write(data, offset);
    this.#names.attributes.touch(this.#names.resolve(node).ino ?? node);
    if (uid !== 0) this.#names.dropSetIds(node);
    return written;
  }

  /**
   * A new file is published when its maker closes its last descriptor of it: close(2) is the last call whose error he sees.
   * Processes that only inherited one (fork, then exec or exit) close it while the maker still writes, and shells close copies.
   */
  flush(_node: NodeId, handle: FileHandle, context: FuseRequestContext): void {
    const file = this.#files.get(handle);
    if (!(file instanceof GrowingHandle) || !file.writable || file.newFile.ino !== null) return;
    const { creatorPid, name, node } = file.newFile;
    if (!isSameProcess(creatorPid, context.pid) || hasOpen(context.pid, name, node)) return;
    this.#publish(file.newFile);
  }

  #publish(file: NewFile): void {
    if (file.isRemoved) return;
    const ino = file.growing.publish();
    this.#names.newFiles.published(file, ino);
    this.#names.attributes.move(file.node, ino);
    this.#names.refresh(ino);
  }

  release(_node: NodeId, handle: FileHandle): void {
    const file = this.#files.close(handle);
    if (file === undefined) return;
    try {
      if (file instanceof GrowingHandle) this.#releaseGrowing(file.newFile);
    } finally {
      file.close();
      if (file instanceof LoggedFile) this.#closeLogged(file.ino);
      else if (file instanceof GrowingHandle) this.#names.newFiles.dropIfUnused(file.newFile);
    }
  }

  #releaseGrowing(file: NewFile): void {
    const isLast = file.opens === 1;
    if (!isLast || file.ino !== null) return;
    try {
      if (file.growing.isWhole) this.#publish(file);
    } catch (error) {
      this.#host.report(error); // nobody waits for this answer
    }
    if (file.ino === null) this.#abandon(file);
  }

  /** A file that is not to be: its name and its space are free again. */
  #abandon(file: NewFile): void {
    const { parent, name, isRemoved } = file;
    file.growing.end();
    this.#names.attributes.drop(file.node);
    this.#names.newFiles.removed(file);
    if (!isRemoved) this.#host.invalidateEntry(this.#names.newFiles.nodeOf(parent) as NodeId, name);
  }

  fsync(node: NodeId): void {
    const { ino } = this.#names.resolve(node);
    if (ino !== null) this.#volume.flush(this.#volume.inodes.pathOf(ino));
  }

  /** Plain preallocation only. */
  fallocate(node: NodeId, _handle: FileHandle, offset: number, length: number, mode: number): void {
    if (mode !== 0) fail('EOPNOTSUPP', 'famfs files have no holes, and keep their size');
    const { ino, growing } = this.#names.resolve(node);
    const end = offset + length;
    if (growing) growing.growing.resize(Math.max(growing.growing.size, end));
    else if (end > this.#volume.inodes.stat(ino).size) {
      fail('ENOSPC', `${this.#names.pathOf(node)} keeps its size: nothing can be allocated behind its end`);
    }
  }

  // Making things

  create(
    parent: NodeId,
    name: string,
    mode: number,
    _flags: number,
    umask: number,
    context: FuseRequestContext,
  ): { entry: FuseEntry; opened: FuseOpenAnswer } {
    const { gid } = this.#groupIn(parent, context);
    const growing = this.#volume.inodes.grow(this.#names.pathIn(parent, name), {
      mode: mode & ~umask & PERMISSION_BITS,
      uid: context.uid,
      gid,
    });
    const file = this.#names.newFiles.add(this.#names.directory(parent), name, growing, context.pid);
    const handle = this.#files.open(this.#growingHandle(file, true));
    this.#opened.add(file.node as NodeId);
    this.#names.attributes.touch(file.node);
    return { entry: this.#names.growingEntry(file), opened: { handle, directIo: true } };
  }

  mkdir(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry {
    const { gid, inherited } = this.#groupIn(parent, context);
    const path = this.#names.pathIn(parent, name);
    this.#volume.mkdir(path, { mode: (mode & ~umask & PERMISSION_BITS) | inherited, uid: context.uid, gid });
    const { ino } = this.#volume.stat(path);
    this.#names.refresh(ino);
    return this.#names.entryOf(ino);
  }

  /** In a directory with the set-group-id bit things get its group, and directories the bit. */
  #groupIn(parent: NodeId, context: FuseRequestContext): { gid: number; inherited: number } {
    const { mode, gid } = this.#names.attributesOf(parent);
    return (mode & S_ISGID) !== 0 ? { gid, inherited: S_ISGID } : { gid: context.gid, inherited: 0 };
  }

  /** Only a file in the making: nothing of it is in the log yet. */
  unlink(parent: NodeId, name: string): void {
    const file = this.#names.newFiles.named(this.#names.directory(parent), name);
    if (file === undefined) this.#refuse(this.#names.pathIn(parent, name), 'removed');
    else this.#names.newFiles.removed(file);
  }

  rmdir(parent: NodeId, name: string): void {
    this.#refuse(this.#names.pathIn(parent, name), 'removed');
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
