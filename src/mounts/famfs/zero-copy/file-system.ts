import fs from 'node:fs';
import { bufferMedia, readSuperblock, superblockLayout, type Volume } from '../../../famfs/index.js';
import {
  type FileHandle,
  type FuseAttributeAnswer,
  type FuseAttributeChange,
  type FuseBackings,
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
  type NodeId,
  ROOT_NODE,
} from '../../../fuse/index.js';
import { closeDescriptor, fail } from '../../../libc/index.js';
import { MountedDevice, type MountedDeviceFacts } from '../../../machine/index.js';
import { S_IFDIR } from '../../modes.js';
import { FamfsFileSystem, type FamfsFileSystemOptions } from '../file-system.js';
import { unimplementedOn } from '../unimplemented.js';
import { DirectFile } from './direct-file.js';
import { DEVICE_ID, type DeviceBounds } from './extent-maps.js';
import { MappedFiles } from './mapped-files.js';
import { type OwnFile, OwnFiles } from './own-files.js';
import { whyNotTaken } from './why-not-taken.js';
import { Windows } from './windows.js';

const META = '.meta';
const DEVICE_FILE = '.device';
const SUPERBLOCK_FILE = '.superblock';
const LOG_FILE = '.log';

/** From the main thread: a hidden file is open, or all of the first ones are. */
export type ZeroCopyQuestion = { readonly opened: string; readonly fd: number } | 'begin';

/** To the main thread: open a hidden file, or close one and drop its name. */
export interface ZeroCopyRequest {
  readonly zeroCopy: 'open' | 'close';
  readonly name: string;
  readonly fd?: number;
}

export interface ZeroCopyOptions extends Omit<FamfsFileSystemOptions, 'times' | 'direct'> {
  readonly facts: MountedDeviceFacts;
  /** A descriptor of the device's node. It is open as long as the mount lives, so that others see who has the device. */
  readonly deviceFd: number;
  /** Mounts the volume. */
  readonly mount: (device: MountedDevice) => Volume;
  readonly timesOf: (device: MountedDevice, volume: Volume) => FamfsFileSystemOptions['times'];
}

/**
 * A famfs whose files the kernel maps to the device itself (docs/mount.md, "Zero copy"). It serves the files of the mount through which
 * the server reaches superblock and log; once the main thread has opened these, it makes the volume, and passes on to the ordinary
 * file system what is not about maps.
 *
 *     INIT -> BACKING_CREATE -> main opens .meta/.device -> the log is found -> main opens .superblock, .log and a window -> volume
 *
 * The rules of the kernel, each at its place: maps counted (ExtentMaps), one inode a page (Sharing, Windows), no call on a file of the
 * mount that this thread would have to answer (FileOfDevice, DirectFile).
 */
export class ZeroCopyFileSystem implements FuseFileSystem {
  readonly #host: FuseHost;
  readonly #options: ZeroCopyOptions;
  readonly #own = new OwnFiles();
  readonly #device: MountedDevice;
  readonly #windows: Windows;
  readonly #opened = new Map<string, number>();
  #connection: FuseConnection | undefined;
  #mapped: MappedFiles | undefined;
  #volume: Volume | undefined;
  #inner: FamfsFileSystem | undefined;
  #bounds: DeviceBounds = { dataStart: 0, size: 0 };

  constructor(host: FuseHost, options: ZeroCopyOptions) {
    this.#host = host;
    this.#options = options;
    this.#device = new MountedDevice(options.facts);
    this.#windows = new Windows(this.#device, this.#own, {
      open: (name) => host.post({ zeroCopy: 'open', name } satisfies ZeroCopyRequest),
      close: (name, fd) => host.post({ zeroCopy: 'close', name, fd } satisfies ZeroCopyRequest),
    });
  }

  init(connection: FuseConnection): FuseInitAnswer {
    if (!connection.capabilities.includes('PASSTHROUGH_V2'))
      fail('EOPNOTSUPP', 'this kernel has no extent maps: Linux 7.4 has them');
    this.#connection = connection;
    return { unimplemented: unimplementedOn(connection.capabilities, this.#options.xattrs) };
  }

  started(backings: FuseBackings): void {
    const { deviceFd, facts } = this.#options;
    try {
      backings.create(deviceFd, DEVICE_ID);
    } catch (error) {
      throw whyNotTaken(error, facts, this.#host.mountpoint);
    }
    this.#mapped = new MappedFiles(this.#host, backings, this.#windows);
    this.#own.add(DEVICE_FILE, 0, facts.size, true);
  }

  destroy(): void {
    if (this.#inner) this.#inner.destroy();
    else this.#closeDevice();
  }

  /** The node is no file of the mount, so it may be closed here. The mode of the device cannot change before. */
  #closeDevice(): void {
    this.#device.close();
    closeDescriptor(this.#options.deviceFd);
  }

  /** Answers a question of the main thread. */
  message(question: unknown): unknown {
    const asked = question as ZeroCopyQuestion;
    if (typeof asked === 'object' && 'opened' in asked) return this.#take(asked.opened, asked.fd);
    if (asked === 'begin') return this.#begin();
    return this.#now.message(question);
  }

  /** Takes an open file of the mount. @returns the names of the files to open next */
  #take(name: string, fd: number): string[] {
    this.#opened.set(name, fd);
    if (name === DEVICE_FILE) return this.#findLog(fd);
    const file = this.#own.called(name) ?? fail('ENOENT', `there is no hidden file ${name}`);
    if (file.isPrivate) this.#windows.opened(file, fd);
    else this.#device.show(file.start, file.length, { fd, fileStart: file.start });
    return [];
  }

  /** Reads the superblock with read(2), and makes the files that show it and the log. */
  #findLog(fd: number): string[] {
    const bytes = new Uint8Array(superblockLayout.size);
    const { name, size, writable } = this.#options.facts;
    if (fs.readSync(fd, bytes, 0, bytes.length, 0) < bytes.length) fail('EIO', `${name} cannot be read`);
    const { logOffset, logLength } = readSuperblock(bufferMedia(bytes, { name, size }));
    this.#bounds = { dataStart: logOffset + logLength, size };
    this.#own.add(SUPERBLOCK_FILE, 0, logOffset, false);
    this.#own.add(LOG_FILE, logOffset, logLength, false);
    return [SUPERBLOCK_FILE, LOG_FILE, ...(writable ? [this.#windows.next()] : [])];
  }

  /** Makes the volume: all files that it needs are open. */
  #begin(): void {
    const { mount, timesOf } = this.#options;
    if (this.#options.facts.writable) {
      this.#device.reach = (fmap, file) => {
        if (file === undefined) this.#windows.reach(fmap);
      };
      this.#device.leave = (fmap, release) => this.#windows.leave(fmap, release);
    }
    const volume = mount(this.#device);
    this.#volume = volume;
    this.#files.begin(volume, this.#bounds);
    const deviceFd = this.#opened.get(DEVICE_FILE)!;
    const host = this.#host;
    this.#inner = new FamfsFileSystem(volume, host, () => this.#closeDevice(), {
      ...this.#options,
      times: timesOf(this.#device, volume),
      direct: (ino, writable) => new DirectFile(volume, host, deviceFd, ino, writable),
    });
    this.#inner.names.onPublished = (ino) => this.#files.published(ino);
    this.#inner.init(this.#connection!);
  }

  get #files(): MappedFiles {
    return this.#mapped ?? fail('EBUSY', `${this.#options.facts.name} is being mounted: try again`);
  }

  get #now(): FamfsFileSystem {
    return this.#inner ?? fail('EBUSY', `${this.#options.facts.name} is being mounted: try again`);
  }

  #openOwn(file: OwnFile, pid: number): FuseOpenAnswer {
    if (!this.#own.mayOpen(file, pid)) fail('ENOENT', `${file.name} is not there`);
    return this.#files.openOwn(file);
  }

  // Names and attributes

  lookup(parent: NodeId, name: string, context: FuseRequestContext): FuseEntry {
    if (parent === ROOT_NODE && name === META) return this.#own.entry();
    if (parent !== this.#own.directory) return this.#files.marked(this.#now.lookup(parent, name));
    const file = this.#own.named(name, context.pid);
    return file ? this.#own.entry(file) : fail('ENOENT', `there is no ${name} in ${META}`);
  }

  forget(node: NodeId, count: number): void {
    if (!this.#own.has(node)) {
      if (this.#inner?.forget(node, count)) this.#files.forgotten(node);
      return;
    }
    const file = this.#own.forget(node, count);
    if (file === undefined) return;
    this.#files.forgotten(node);
    if (!file.isPrivate || file.name === DEVICE_FILE) return;
    this.#own.remove(file);
    this.#windows.forgotten(node);
    this.#files.showFresh(this.#now.names);
  }

  getattr(node: NodeId): FuseAttributeAnswer {
    if (this.#own.has(node))
      return { attributes: this.#own.attributesOf(node), attributeSeconds: Number.POSITIVE_INFINITY };
    if (node === ROOT_NODE && this.#inner === undefined) return this.#rootForNow();
    return this.#marked(node, this.#now.getattr(node));
  }

  #marked(node: NodeId, { attributes, attributeSeconds }: FuseAttributeAnswer): FuseAttributeAnswer {
    return { attributes: this.#files.attributes(node, attributes), attributeSeconds };
  }

  #rootForNow(): FuseAttributeAnswer {
    const attributes = this.#own.attributesOf(this.#own.directory);
    return { attributes: { ...attributes, inode: ROOT_NODE, mode: S_IFDIR | 0o755 }, attributeSeconds: 0 };
  }

  setattr(node: NodeId, change: FuseAttributeChange): FuseAttributeAnswer {
    this.#mustNotBeOwn(node);
    return this.#marked(node, this.#now.setattr(node, change));
  }

  #mustNotBeOwn(node: NodeId): void {
    if (this.#own.has(node)) fail('EPERM', `${META} belongs to the mount: nothing in it is made or changed`);
  }

  opendir(node: NodeId): FuseOpenAnswer {
    return this.#own.has(node) ? { handle: 0 as FileHandle } : this.#now.opendir(node);
  }

  readdir(node: NodeId, handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    if (this.#own.has(node)) return;
    this.#now.readdir(node, handle, offset, {
      plus: answer.plus,
      fits: (bytes) => answer.fits(bytes),
      add: (name, inode, type, next, entry) => {
        const marked = entry && (() => this.#markedIfAny(entry()));
        return answer.add(name, inode, type, next, marked);
      },
    });
  }

  #markedIfAny(entry: FuseEntry | undefined): FuseEntry | undefined {
    return entry && this.#files.marked(entry);
  }

  fsyncdir(node: NodeId): void {
    if (!this.#own.has(node)) this.#now.fsyncdir(node);
  }

  // Files

  open(node: NodeId, flags: number, context: FuseRequestContext): FuseOpenAnswer {
    const own = this.#own.get(node);
    if (own) return this.#openOwn(own, context.pid);
    const now = this.#now;
    return this.#files.has(node) ? this.#files.open(node, now.mayOpen(node, flags)) : now.open(node, flags);
  }

  read(node: NodeId, handle: FileHandle, offset: number, length: number, answer: FuseReadAnswer): void {
    this.#now.read(node, handle, offset, length, answer);
  }

  write(
    node: NodeId,
    handle: FileHandle,
    offset: number,
    data: Uint8Array,
    context: FuseRequestContext,
  ): number {
    return this.#now.write(node, handle, offset, data, context);
  }

  flush(node: NodeId, handle: FileHandle, context: FuseRequestContext): void {
    if (!this.#files.isHandle(handle)) this.#now.flush(node, handle, context);
  }

  release(node: NodeId, handle: FileHandle): void {
    if (this.#files.isHandle(handle)) this.#files.release(handle);
    else this.#inner?.release(node, handle);
  }

  /** The stores of a mapped file are its writer's own business: no call reaches the lines that are in caches of the processor. */
  fsync(node: NodeId): void {
    if (this.#own.has(node)) return;
    const { made } = this.#now.names.resolve(node);
    if (made) this.#now.fsync(node);
    else this.#volume!.inodes.check();
  }

  fallocate(node: NodeId, handle: FileHandle, offset: number, length: number, mode: number): void {
    this.#mustNotBeOwn(node);
    this.#now.fallocate(node, handle, offset, length, mode);
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
    this.#mayMake(parent, name);
    return this.#now.create(parent, name, mode, flags, umask, context);
  }

  mkdir(parent: NodeId, name: string, mode: number, umask: number, context: FuseRequestContext): FuseEntry {
    this.#mayMake(parent, name);
    return this.#now.mkdir(parent, name, mode, umask, context);
  }

  #mayMake(parent: NodeId, name: string): void {
    this.#mustNotBeOwn(parent);
    if (parent === ROOT_NODE && name === META) fail('EEXIST', `${META} is the mount's own`);
  }

  unlink(parent: NodeId, name: string): void {
    this.#mustNotBeOwn(parent);
    this.#now.unlink(parent, name);
  }

  rmdir(parent: NodeId, name: string): void {
    this.#mayMake(parent, name);
    this.#now.rmdir(parent, name);
  }

  rename(parent: NodeId, name: string, newParent: NodeId, newName: string, flags: number): void {
    this.#mustNotBeOwn(parent);
    this.#mayMake(newParent, newName);
    this.#now.rename(parent, name, newParent, newName, flags);
  }

  link(node: NodeId, parent: NodeId, name: string): FuseEntry {
    this.#mayMake(parent, name);
    return this.#now.link(node, parent, name);
  }

  symlink(parent: NodeId, name: string, target: string, context: FuseRequestContext): FuseEntry {
    this.#mayMake(parent, name);
    return this.#now.symlink(parent, name, target, context);
  }

  readlink(node: NodeId): string {
    return this.#now.readlink(node);
  }

  mknod(
    parent: NodeId,
    name: string,
    mode: number,
    rdev: number,
    umask: number,
    context: FuseRequestContext,
  ): FuseEntry {
    this.#mayMake(parent, name);
    return this.#now.mknod(parent, name, mode, rdev, umask, context);
  }

  // The whole

  syncfs(): void {
    this.#now.syncfs();
  }

  statfs(): FuseStatfs {
    return this.#now.statfs();
  }

  getxattr(node: NodeId, name: string): Uint8Array {
    if (this.#own.has(node) || this.#inner === undefined)
      fail('ENODATA', `${META} has no extended attributes`);
    return this.#now.getxattr(node, name);
  }

  listxattr(node: NodeId): string[] {
    return this.#own.has(node) || this.#inner === undefined ? [] : this.#now.listxattr(node);
  }

  setxattr(node: NodeId, name: string, value: Uint8Array, flags: number): void {
    this.#mustNotBeOwn(node);
    this.#now.setxattr(node, name, value, flags);
  }

  removexattr(node: NodeId, name: string): void {
    this.#mustNotBeOwn(node);
    this.#now.removexattr(node, name);
  }
}
