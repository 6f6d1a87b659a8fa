/**
 * The kernel's side of extent maps as a model, with the rules of the recorded kernel (conformance/fuse-extent-maps, docs/mount.md): ids,
 * one map an inode, DAX fixed when the inode is made, one inode a page, inodes that remember pages until they are dropped. What a real
 * kernel would warn of is in `warnings`: a test expects none. Memory is real: device and log are files on tmpfs, the server maps them.
 *
 * Failure model: it knows no caches but those named above, no concurrency, and no faults of huge pages: memory that the server mapped and
 * touched counts as touched for the whole of the mapping.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { FuseBackings, FuseMapExtent, NodeId } from '../../../src/fuse/index.js';
import { DaxError } from '../../../src/libc/index.js';
import type { ZeroCopyFileSystem, ZeroCopyRequest } from '../../../src/mounts/famfs/zero-copy/file-system.js';
import { request, Wire } from '../../fuse/support/wire.js';
import { Pages } from './pages.js';
import { errnoName, initOfMaps, mappedBytes, Requests } from './requests.js';

const PAGE = 4096;
const ATTR_DAX = 2;
const FOPEN = { directIo: 1, passthrough: 0x80 };
interface Inode {
  readonly node: number;
  readonly isDax: boolean;
  size: number;
  lookups: number;
  /** Pages (of the device) that were mapped through it, by page of the file. */
  readonly remembered: Map<number, number>;
  opens: number;
  map: readonly FuseMapExtent[] | null;
  mapId: bigint;
}

/** An open file of a program. */
export interface Description {
  readonly inode: Inode;
  readonly handle: bigint;
  /** Present when the kernel maps it. */
  readonly map: readonly FuseMapExtent[] | null;
}

/** Devices that some connection has: one at a time, over all mounts. */
const held = new Set<string>();

export class MapKernel extends Requests {
  readonly warnings: string[] = [];
  readonly messages: string[] = [];
  readonly log: string[] = [];
  readonly reports: string[] = [];
  readonly requests: ZeroCopyRequest[] = [];
  fileSystem!: ZeroCopyFileSystem;
  /** What init() or started() refused. */
  refusal: unknown;
  readonly #maps = new Map<bigint, readonly FuseMapExtent[]>();
  readonly #inodes = new Map<number, Inode>();
  /** Names: directory node and name to node. */
  readonly #names = new Map<string, number>();
  readonly #pages = new Pages(this.warnings);
  readonly #own = new Map<number, { description: Description; name: string }>();
  readonly #directory: string;
  readonly #device: string;
  #deviceId = 0n;

  /** @param directory where device and log are files */
  constructor(directory: string) {
    super();
    this.#directory = directory;
    this.#device = path.join(directory, 'device');
    this.#inodes.set(1, this.#newInode(1, false, 0));
  }

  /** The side of the main thread: the host of the file system. */
  get host() {
    return {
      mountpoint: '/nowhere',
      invalidateInode: () => {},
      invalidateEntry: (parent: NodeId, name: string) => this.#dropName(parent, name),
      post: (message: unknown) => void this.requests.push(message as ZeroCopyRequest),
      report: (error: unknown) => void this.reports.push((error as Error).message),
      writeLater: (write: Parameters<import('../../../src/fuse/index.js').FuseHost['writeLater']>[0]) => {
        let done = 0;
        for (const { offset, length } of write.pieces) {
          fs.writeSync(write.fd, write.bytes, done, length, offset);
          done += length;
        }
        this.isAnsweredLater = true;
      },
    };
  }

  /** Mounts: INIT, the hidden files, the volume. */
  mount(fileSystem: ZeroCopyFileSystem, init: Uint8Array<ArrayBuffer> = initOfMaps): void {
    this.fileSystem = fileSystem;
    this.wire = new Wire(fileSystem, {
      initialized: false,
      connection: { extentMaps: true },
      backings: this.backings,
      onInitFailure: (error) => {
        this.refusal = error;
      },
    });
    this.wire.send(init);
    if (this.refusal !== undefined) return;
    const names = this.#passOwn('.device') as string[];
    for (const name of names) this.#passOwn(name);
    fileSystem.message('begin');
  }

  /** What the main thread does for the worker, until it has nothing more to ask. */
  work(): void {
    for (let next = this.requests.shift(); next !== undefined; next = this.requests.shift()) {
      const { zeroCopy, name, fd } = next;
      if (zeroCopy === 'open') this.#passOwn(name);
      else this.#closeOwn(fd!);
    }
  }

  end(): void {
    this.fileSystem.destroy();
    for (const fd of this.#own.keys()) fs.closeSync(fd);
    if (this.#deviceId !== 0n) held.delete(this.#device);
  }

  /** Opens a hidden file as a thread of the server. */
  #passOwn(name: string): unknown {
    const meta = this.lookup(1, '.meta', 0);
    const node = this.lookup(meta, name, process.pid);
    const description = this.open(node, 2, process.pid);
    const fd = fs.openSync(this.#fileOf(name), 'r+');
    this.#own.set(fd, { description, name });
    return this.fileSystem.message({ opened: name, fd });
  }

  #closeOwn(fd: number): void {
    const { description, name } = this.#own.get(fd)!;
    this.#noteServer();
    if (mappedBytes(this.#fileOf(name)).length > 0)
      this.warnings.push(`${name} is closed while it is mapped`);
    this.#own.delete(fd);
    fs.closeSync(fd);
    this.close(description);
    this.#dropName(Number(this.#names.get('1 .meta')), name);
  }

  /** Real files of different names over the same memory, so that /proc tells by which of them it is mapped. */
  #fileOf(name: string): string {
    if (name === '.log') return path.join(this.#directory, 'log');
    const link = path.join(this.#directory, `own${name}`);
    if (!fs.existsSync(link)) fs.linkSync(this.#device, link);
    return link;
  }

  // Requests of programs

  /** @returns the node; a negative errno when there is no such name */
  lookup(parent: number, name: string, pid = 77): number {
    const { error, body } = this.ask(1, parent, pid, ['text', `${name}\0`]);
    if (error !== 0) return error;
    const node = Number(body.getBigUint64(0, true));
    if (node === 0) return -2;
    this.#enter(body, 0);
    this.#names.set(`${parent} ${name}`, node);
    return node;
  }

  /** Takes an entry of an answer: makes the inode, whose DAX is fixed from then on. */
  #enter(body: DataView, at: number): Inode {
    const node = Number(body.getBigUint64(at, true));
    const size = Number(body.getBigUint64(at + 48, true));
    const isDax = (body.getUint32(at + 40 + 84, true) & ATTR_DAX) !== 0;
    let inode = this.#inodes.get(node);
    if (inode === undefined) {
      inode = this.#newInode(node, isDax, size);
      this.#inodes.set(node, inode);
    }
    if (size < inode.size && inode.remembered.size > 0)
      this.warnings.push(`size of ${node} shrank: mm/truncate.c`);
    inode.size = size;
    inode.lookups++;
    return inode;
  }

  #newInode(node: number, isDax: boolean, size: number): Inode {
    return { node, isDax, size, lookups: 0, remembered: new Map(), opens: 0, map: null, mapId: 0n };
  }

  /** READDIRPLUS. @returns nodes by name; 0 for names without an entry */
  list(directory: number): Record<string, number> {
    const body = this.askNames(directory);
    const found: Record<string, number> = {};
    for (let at = 0; at < body.byteLength; ) {
      const node = Number(body.getBigUint64(at, true));
      const nameBytes = body.getUint32(at + 128 + 16, true);
      const name = Buffer.from(body.buffer, body.byteOffset + at + 152, nameBytes).toString();
      if (node !== 0) this.#enter(body, at);
      found[name] = node;
      at += Math.ceil((152 + nameBytes) / 8) * 8;
    }
    return found;
  }

  /** The node of a hidden file that the server has open. */
  ownNode(name: string): number {
    return [...this.#own.values()].find((own) => own.name === name)!.description.inode.node;
  }

  isDax(node: number): boolean {
    return this.#inodes.get(node)!.isDax;
  }

  walk(file: string): number {
    return file
      .split('/')
      .filter((name) => name !== '')
      .reduce((node, name) => this.lookup(node, name), 1);
  }

  /** open(2) of a node. @throws DaxError EIO the kernel refused the answer; or the server's error */
  open(node: number, flags = 0, pid = 77): Description {
    const { error, body } = this.ask(14, node, pid, ['u32', flags], ['u32', 0]);
    if (error !== 0) throw new DaxError(errnoName(error), 'open');
    return this.#opened(this.#inodes.get(node)!, body, 0);
  }

  #opened(inode: Inode, body: DataView, at: number): Description {
    const handle = body.getBigUint64(at, true);
    const flags = body.getUint32(at + 8, true);
    const isLong = body.byteLength - at >= 24;
    const mapId = isLong ? body.getBigUint64(at + 16, true) : 0n;
    const refuse = (text: string): never => {
      this.log.push(text);
      this.#release(inode.node, handle);
      throw new DaxError('EIO', text);
    };
    const isPassthrough = (flags & FOPEN.passthrough) !== 0;
    if (inode.isDax && !isPassthrough) refuse('DAX inode without FOPEN_PASSTHROUGH');
    if (!inode.isDax && isPassthrough) refuse('dax mode mismatch');
    if (!isPassthrough) {
      inode.opens++;
      return { inode, handle, map: null };
    }
    if ((flags & FOPEN.directIo) !== 0) this.warnings.push('DIRECT_IO beside PASSTHROUGH');
    if ((flags & ~(FOPEN.passthrough | 0x60 | FOPEN.directIo)) !== 0) refuse('conflicting open flags');
    if (body.getInt32(at + 12, true) !== 0) refuse('32 bit backing ID set');
    if (mapId === this.#deviceId) refuse('invalid backing type');
    const map = this.#maps.get(mapId) ?? refuse('backing not found');
    if (inode.opens > 0 && inode.map !== map) refuse('mismatched backing');
    inode.map = map;
    inode.mapId = mapId;
    inode.opens++;
    return { inode, handle, map };
  }

  /** open(2) with O_CREAT of a new name. */
  create(parent: number, name: string, mode = 0o644): Description {
    const { error, body } = this.ask(
      35,
      parent,
      77,
      ['u32', 0o102],
      ['u32', mode],
      ['u32', 0],
      ['u32', 0],
      ['text', `${name}\0`],
    );
    if (error !== 0) throw new DaxError(errnoName(error), 'create');
    const inode = this.#enter(body, 0);
    this.#names.set(`${parent} ${name}`, inode.node);
    return this.#opened(inode, body, 128);
  }

  /** @returns a negative errno, or 0 */
  write({ inode, handle, map }: Description, text: string, offset = 0): number {
    if (map !== null) {
      fs.writeSync(this.#fd(), Buffer.from(text), 0, undefined, this.#addressOf(map, offset));
      return 0;
    }
    return this.askWrite(inode.node, handle, text, offset);
  }

  read({ inode, handle, map }: Description, length: number, offset = 0): string {
    if (map !== null) {
      const into = Buffer.alloc(length);
      fs.readSync(this.#fd(), into, 0, length, this.#addressOf(map, offset));
      return into.toString('latin1');
    }
    return this.askRead(inode.node, handle, length, offset);
  }

  /** mmap(2) and a touch of every page in the range: the kernel notes who has these pages. */
  touch({ inode, map }: Description, offset = 0, length = inode.size): void {
    if (map === null) return; // pages of the page cache
    this.#noteServer();
    for (let at = offset - (offset % PAGE); at < offset + length; at += PAGE) {
      this.#pages.note(inode, at / PAGE, this.#addressOf(map, at) / PAGE);
    }
  }

  /** What the server has mapped of its hidden files. */
  #noteServer(): void {
    for (const { description, name } of this.#own.values()) {
      if (name === '.log') continue;
      for (const [start, end] of mappedBytes(this.#fileOf(name))) {
        if (name === '.device') this.warnings.push('the server has mapped .device');
        for (let at = start; at < end; at += PAGE) {
          if (description.inode.remembered.has(at / PAGE)) continue;
          this.#pages.note(description.inode, at / PAGE, at / PAGE);
        }
      }
    }
  }

  /** close(2) of the last descriptor, after munmap. */
  close({ inode, handle }: Description): number {
    const { error } = this.ask(25, inode.node, process.pid, ['u64', handle], ['u64', 0n], ['u64', 0n]);
    this.#noteServer();
    inode.opens--;
    this.#release(inode.node, handle);
    return error;
  }

  #release(node: number, handle: bigint): void {
    this.ask(18, node, 77, ['u64', handle], ['u32', 0], ['u32', 0], ['u64', 0n]);
  }

  /** Drops a cached name. The inode goes when nothing has it open. */
  #dropName(parent: number, name: string): void {
    const node = this.#names.get(`${parent} ${name}`);
    this.#names.delete(`${parent} ${name}`);
    if (node !== undefined) this.evict(node);
  }

  /** Drops an inode that nobody has open, as memory pressure does, and sends FORGET. */
  evict(node: number): void {
    const inode = this.#inodes.get(node);
    if (inode === undefined || inode.opens > 0) return;
    this.#inodes.delete(node);
    this.#pages.forget(inode);
    this.wire.send(request(2, 6n, BigInt(node), ['u64', BigInt(inode.lookups)]));
  }

  #addressOf(map: readonly FuseMapExtent[], offset: number): number {
    const extent = map.find((one) => one.offset <= offset && offset < one.offset + one.length);
    if (extent === undefined) throw new DaxError('EIO', 'missing mapping');
    return extent.address + offset - extent.offset;
  }

  #fd(): number {
    return [...this.#own].find(([, { name }]) => name === '.device')![0];
  }

  // Backings

  map(id: number, deviceId: bigint, extents: readonly FuseMapExtent[]): void {
    this.messages.push(`map ${id} ${extents.map((e) => `${e.offset}+${e.length}@${e.address}`).join(' ')}`);
    if (this.#maps.has(BigInt(id)) || BigInt(id) === this.#deviceId) throw new DaxError('EEXIST', 'map');
    if (extents.length > 1365) throw new DaxError('EINVAL', 'map');
    if (deviceId !== this.#deviceId) throw new DaxError('EIO', 'backing not found');
    const sorted = [...extents].sort((a, b) => a.offset - b.offset);
    sorted.forEach((extent, index) => {
      const { offset, length, address } = extent;
      if ([offset, length, address].some((value) => value % PAGE !== 0))
        throw new DaxError('EIO', 'not page aligned');
      if (length === 0) throw new DaxError('EIO', 'zero sized extent');
      const next = sorted[index + 1];
      if (next && offset + length > next.offset) throw new DaxError('EIO', 'overlap');
    });
    this.#maps.set(BigInt(id), extents);
  }

  remove(id: number): void {
    this.messages.push(`remove ${id}`);
    if (!this.#maps.delete(BigInt(id))) throw new DaxError('ENOENT', 'remove');
  }

  invalidate(node: NodeId): boolean {
    this.messages.push(`invalidate ${node}`);
    const inode = this.#inodes.get(node);
    if (inode) this.#pages.forget(inode);
    return inode !== undefined;
  }

  /** How many maps the kernel has. */
  get mapCount(): number {
    return this.#maps.size;
  }

  /** BACKING_CREATE. A property, because create() is the system call of programs here. */
  readonly backings: FuseBackings = {
    create: (_fd, id) => {
      if (held.has(this.#device)) throw new DaxError('EBUSY', 'held');
      held.add(this.#device);
      this.#deviceId = id;
    },
    map: (...all) => this.map(...all),
    remove: (id) => this.remove(id),
    invalidate: (node) => this.invalidate(node),
  };
}
