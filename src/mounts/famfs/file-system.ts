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
  type OptionalOperation,
  type Timestamp,
} from '../../fuse/index.js';
import { fail, hasCode } from '../../libc/index.js';
import { opensForWriting, PERMISSION_BITS, S_ISGID } from '../modes.js';
import { changeAttributes } from './attribute-changes.js';
import {
  type Described,
  extendedAttribute,
  extendedAttributeNames,
  mustBeOurs,
} from './extended-attributes.js';
import { Listings } from './listings.js';
import { Making, type Ownership } from './making.js';
import { MEMORY_ATTRIBUTE, memoryAttribute } from './memory-attribute.js';
import { Names } from './names.js';
import { failToGrow, LoggedFiles, type OpenDirectly, type OpenFile } from './open-file.js';
import { PageCaching } from './page-caching.js';
import { Renaming } from './renaming.js';

const STATFS_BLOCK_BYTES = 4096;
const NAME_BYTES = 79;
/** The flag of renameat2(2). */
const RENAME_NOREPLACE = 1;

/** A question of the mount's main thread to the worker. */
export type FamfsQuestion = 'tick' | 'publish' | { readonly publish: string };

export interface FamfsFileSystemOptions {
  /** The times of all inodes whose times were not set through this mount. */
  readonly times: Timestamp;
  /** How long a new file or directory stays unpublished after its last change. */
  readonly settleMilliseconds: number;
  /** Whether the attributes `user.famfs.*` are served. */
  readonly xattrs: boolean;
  /** Opens published files by system calls, where their memory is not mapped here. */
  readonly direct?: OpenDirectly;
}

/** The operations that a famfs does not implement on a connection. */
export function unimplementedOn(capabilities: readonly string[], xattrs: boolean): OptionalOperation[] {
  const unimplemented: OptionalOperation[] = xattrs ? [] : ['GETXATTR', 'LISTXATTR'];
  // Open directories have no state here. With this answer the kernel opens none, and caches all listings.
  if (capabilities.includes('NO_OPENDIR_SUPPORT')) unimplemented.push('OPENDIR');
  return unimplemented;
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
  readonly #renaming: Renaming;
  readonly #xattrs: boolean;
  /** Nodes of which the kernel may have cached pages. */
  readonly #opened = new Set<NodeId>();
  readonly #caching: PageCaching;
  #published: string;

  /** @param closeDevice called at the end, after the volume is closed */
  constructor(
    volume: Volume,
    host: FuseHost,
    closeDevice: () => void,
    { times, settleMilliseconds, xattrs, direct }: FamfsFileSystemOptions,
  ) {
    this.#volume = volume;
    this.#host = host;
    this.#closeDevice = closeDevice;
    this.#names = new Names(volume, host, times);
    this.#logged = new LoggedFiles(volume, direct);
    this.#making = new Making(volume, host, this.#names, this.#logged, settleMilliseconds);
    this.#renaming = new Renaming(this.#names, this.#making);
    this.#xattrs = xattrs;
    this.#listings = new Listings(
      (directory) => this.#names.list(directory as NodeId),
      (item) => this.#names.entryOfItem(item),
    );
    this.#published = volume.publications.stamp();
    this.#caching = new PageCaching(volume, direct === undefined);
  }

  get names(): Names {
    return this.#names;
  }

  init({ capabilities }: FuseConnection): FuseInitAnswer {
    // The mount is in the mount table already: requests are served only after mount(2) has returned.
    this.#making.device = fuseMountAt(this.#host.mountpoint)?.device ?? '';
    return { unimplemented: unimplementedOn(capabilities, this.#xattrs) };
  }

  destroy(): void {
    this.#making.settling.flush();
    for (const file of this.#files.values()) file.close();
    this.#making.end();
    this.#volume.close();
    this.#closeDevice();
  }

  /**
   * Answers a question of the main thread.
   * @returns nodes whose pages and attributes the kernel should drop
   * @throws DaxError what publishing threw, so that no caller takes it for done
   */
  message(question: unknown): NodeId[] {
    const asked = question as FamfsQuestion;
    if (asked === 'tick') return this.#tick();
    const failed = this.#making.settling.flush();
    if (failed) throw failed.why;
    return typeof asked === 'object' ? this.#openedAt(asked.publish) : [...this.#opened];
  }

  #tick(): NodeId[] {
    try {
      this.#making.settling.tick();
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
    changeAttributes(this.#volume, this.#names, node, change);
    return this.getattr(node);
  }

  opendir(node: NodeId): FuseOpenAnswer {
    if (this.#names.resolve(node).made?.kind === 'file')
      fail('ENOTDIR', 'a file in the making is not a directory');
    return { handle: 0 as FileHandle, cacheDirectory: true, keepCache: true };
  }

  readdir(node: NodeId, _handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    this.#listings.fill(node, offset, answer);
  }

  /** Publishes the directory, and what is closed in it. */
  fsyncdir(node: NodeId): void {
    const failed = this.#making.settling.flushDirectory(this.#names.directory(node));
    if (failed) throw failed.why;
    if (this.#volume.acceptsStores) this.#volume.publish();
  }

  // Files

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
    this.#names.attributes.touch(this.#names.resolve(node).ino ?? node);
    if (uid !== 0) this.#names.dropSetIds(node);
    return written;
  }

  flush(_node: NodeId, handle: FileHandle, { pid }: FuseRequestContext): void {
    this.#files.get(handle).flush(pid);
  }

  release(_node: NodeId, handle: FileHandle): void {
    this.#files.close(handle)?.release();
  }

  fsync(node: NodeId): void {
    const { ino, made } = this.#names.resolve(node);
    if (made) this.#making.sync(made);
    else this.#volume.inodes.flush(ino);
  }

  /** Supports plain preallocation only (mode 0). */
  fallocate(node: NodeId, _handle: FileHandle, offset: number, length: number, mode: number): void {
    if (mode !== 0) fail('EOPNOTSUPP', 'famfs files have no holes, and keep their size');
    const { ino, made } = this.#names.resolve(node);
    const end = offset + length;
    if (made?.kind === 'file') made.growing.resize(Math.max(made.growing.size, end));
    else if (ino !== null && end > this.#volume.inodes.stat(ino).size)
      failToGrow(this.#names.pathOf(node), 'allocated');
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
    const ownership: Ownership = { mode: mode & ~umask & PERMISSION_BITS, uid: context.uid, gid };
    const file = this.#making.makeFile(parent, name, ownership, (flags & constants.O_EXCL) !== 0);
    const handle = this.#files.open(this.#making.open(file, true));
    this.#opened.add(file.node as NodeId);
    return { entry: this.#names.madeEntry(file), opened: { handle, directIo: true } };
  }

  mkdir(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry {
    const { gid, inherited } = this.#groupIn(parent, context);
    const permissions = (mode & ~umask & PERMISSION_BITS) | inherited;
    const made = this.#making.makeDirectory(parent, name, { mode: permissions, uid: context.uid, gid });
    const entry = this.#names.madeEntry(made);
    if (this.#making.settling.isImmediate) this.#making.settling.publish(made);
    return entry;
  }

  /** A directory with the set-group-id bit gives its group to new files and directories, and the bit to new directories. */
  #groupIn(parent: NodeId, context: FuseRequestContext): { gid: number; inherited: number } {
    const { mode, gid } = this.#names.attributesOf(parent);
    return (mode & S_ISGID) !== 0 ? { gid, inherited: S_ISGID } : { gid: context.gid, inherited: 0 };
  }

  /** Removes a file in the making, which the log does not name yet. All others are refused. */
  unlink(parent: NodeId, name: string): void {
    const made = this.#names.madeIn(parent, name);
    if (made?.kind === 'file') this.#making.removeFile(made);
    else this.#refuse(parent, name, 'removed');
  }

  rmdir(parent: NodeId, name: string): void {
    const made = this.#names.madeIn(parent, name);
    if (made?.kind === 'directory') this.#making.removeDirectory(made);
    else this.#refuse(parent, name, 'removed');
  }

  /** Renames what is in the making, also over something in the making. What the log names keeps its name. */
  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): void {
    const made = this.#names.madeIn(parent, name);
    if (made === undefined) this.#refuse(parent, name, 'renamed');
    if ((flags & ~RENAME_NOREPLACE) !== 0)
      fail('EINVAL', 'famfs can neither exchange two names nor leave a whiteout');
    const replaced = this.#names.madeIn(newParent, newName);
    const isLogged = replaced === undefined && this.#names.isLogged(newParent, newName);
    if (flags === RENAME_NOREPLACE && (replaced || isLogged)) {
      const path = this.#names.pathIn(newParent, newName);
      fail('EEXIST', `${path} exists already`, { path });
    }
    if (isLogged) this.#refuse(newParent, newName, 'replaced');
    if (replaced !== made) this.#renaming.rename(made, { parent: newParent, name: newName }, replaced);
  }

  link(_node: NodeId, parent: NodeId, name: string): FuseEntry {
    return this.#refuse(parent, name, 'made: there are no links');
  }

  symlink(parent: NodeId, name: string): FuseEntry {
    return this.#refuse(parent, name, 'made: there are no symbolic links');
  }

  mknod(parent: NodeId, name: string): FuseEntry {
    return this.#refuse(parent, name, 'made: there are only files and directories');
  }

  #refuse(parent: NodeId, name: string, what: string): never {
    const path = this.#names.pathIn(parent, name);
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
    if (name === MEMORY_ATTRIBUTE) {
      const { ino, made } = this.#names.resolve(node);
      const value = made?.kind === 'directory' ? null : memoryAttribute(this.#volume, ino);
      if (value) return value;
    }
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
