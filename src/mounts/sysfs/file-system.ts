import {
  type DirectoryItem,
  type FileHandle,
  type FuseAttributeAnswer,
  type FuseAttributeChange,
  type FuseAttributes,
  type FuseDirectoryAnswer,
  type FuseEntry,
  type FuseFileSystem,
  type FuseOpenAnswer,
  type FuseReadAnswer,
  type FuseRequestContext,
  fillDirectory,
  HandleTable,
  type NodeId,
  ROOT_NODE,
  timestampOf,
} from '../../fuse/index.js';
import { DaxError, fail } from '../../libc/index.js';
import type { NodeInfo, Sysfs } from '../../tree/index.js';
import { opensForReading, opensForWriting, S_IFDIR, S_IFLNK, S_IFREG } from '../modes.js';
import { DeviceNodes } from './device-nodes.js';

const TYPES = { directory: S_IFDIR, file: S_IFREG, link: S_IFLNK } as const;

/** An open attribute. `shown` is the text of the last show; a read from the start replaces it. */
interface OpenAttribute {
  readonly path: string;
  readonly uid: number;
  shown: Uint8Array | null;
}

/** A message of the mount's main thread: the directory in which to keep the device nodes of a namespace. */
export interface SysfsMessage {
  readonly deviceNodesIn: string;
}

/**
 * The attribute tree of a machine as a FUSE file system, by the rules of sysfs: a read from the start calls show, each write(2)
 * is one store, and nothing can be made or removed. The kernel caches nothing, so the tree always shows the current state.
 */
export class SysfsFileSystem implements FuseFileSystem {
  readonly #sysfs: Sysfs;
  readonly #close: () => void;
  /** Paths below the root, indexed by their permanent node. '' is the root. */
  readonly #paths: string[] = ['', ''];
  readonly #nodes = new Map<string, NodeId>([['', ROOT_NODE]]);
  readonly #open = new HandleTable<OpenAttribute>();
  readonly #listings = new HandleTable<DirectoryItem[]>();
  readonly #mountedAt = timestampOf(Date.now());
  /** The mounter owns the machine. This user has the rights in its tree that root has in /sys. */
  readonly #owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  #deviceNodes: DeviceNodes | null = null;

  constructor(sysfs: Sysfs, close: () => void) {
    this.#sysfs = sysfs;
    this.#close = close;
  }

  destroy(): void {
    this.#close();
  }

  message(message: unknown): void {
    this.#deviceNodes = new DeviceNodes(this.#sysfs, (message as SysfsMessage).deviceNodesIn);
    this.#deviceNodes.sync();
  }

  lookup(parent: NodeId, name: string): FuseEntry {
    const path = this.#below(parent, name);
    const info = this.#sysfs.lookup(path);
    return {
      node: this.#nodeOf(path),
      attributes: this.#attributes(path, info),
      entrySeconds: 0,
      attributeSeconds: 0,
    };
  }

  getattr(node: NodeId): FuseAttributeAnswer {
    const path = this.#pathOf(node);
    // The kernel looks up names each time. So a request for a node that is gone comes from an open descriptor.
    const info = whileOpen(path, () => this.#sysfs.lookup(path));
    return { attributes: this.#attributes(path, info), attributeSeconds: 0 };
  }

  /** Accepts and ignores a new size or times: a shell's `>` truncates before it writes, and touch sets times. */
  setattr(node: NodeId, change: FuseAttributeChange): FuseAttributeAnswer {
    if (change.mode !== undefined || change.uid !== undefined || change.gid !== undefined) {
      fail('EPERM', `${this.#pathOf(node)} keeps its mode and owner`);
    }
    return this.getattr(node);
  }

  readlink(node: NodeId): string {
    return this.#sysfs.readlink(this.#pathOf(node));
  }

  opendir(node: NodeId): FuseOpenAnswer {
    return { handle: this.#listings.open(this.#list(this.#pathOf(node))) };
  }

  readdir(node: NodeId, handle: FileHandle, offset: number, answer: FuseDirectoryAnswer): void {
    const listing = this.#listings.get(handle);
    if (offset === 0) listing.splice(0, listing.length, ...this.#list(this.#pathOf(node)));
    fillDirectory(answer, listing, offset);
  }

  releasedir(_node: NodeId, handle: FileHandle): void {
    this.#listings.close(handle);
  }

  open(node: NodeId, flags: number, context: FuseRequestContext): FuseOpenAnswer {
    const path = this.#pathOf(node);
    const uid = context.uid === this.#owner.uid ? 0 : context.uid;
    if (opensForReading(flags)) this.#sysfs.checkOpen(path, 'read', { uid });
    if (opensForWriting(flags)) this.#sysfs.checkOpen(path, 'write', { uid });
    return { handle: this.#open.open({ path, uid, shown: null }), directIo: true, noFlush: true };
  }

  read(_node: NodeId, handle: FileHandle, offset: number, length: number, answer: FuseReadAnswer): void {
    const open = this.#open.get(handle);
    if (offset === 0 || open.shown === null) open.shown = Buffer.from(this.#show(open));
    answer.addBytes(open.shown.subarray(offset, offset + length));
  }

  #show({ path, uid }: OpenAttribute): string {
    return whileOpen(path, () => this.#sysfs.read(path, { uid }));
  }

  write(_node: NodeId, handle: FileHandle, _offset: number, data: Uint8Array): number {
    const { path, uid } = this.#open.get(handle);
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('latin1');
    try {
      whileOpen(path, () => this.#sysfs.write(path, text, { uid }));
    } finally {
      // A failed write needs it too: a create may have made the device before its size was refused.
      this.#deviceNodes?.sync();
    }
    return data.length;
  }

  release(_node: NodeId, handle: FileHandle): void {
    this.#open.close(handle);
  }

  create(parent: NodeId, name: string): never {
    return fail('EACCES', `nothing can be made in sysfs: ${this.#below(parent, name)}`);
  }

  mkdir(parent: NodeId, name: string): never {
    return this.#refuse(parent, name);
  }

  mknod(parent: NodeId, name: string): never {
    return this.#refuse(parent, name);
  }

  symlink(parent: NodeId, name: string): never {
    return this.#refuse(parent, name);
  }

  link(_node: NodeId, parent: NodeId, name: string): never {
    return this.#refuse(parent, name);
  }

  unlink(parent: NodeId, name: string): void {
    this.#refuse(parent, name);
  }

  rmdir(parent: NodeId, name: string): void {
    this.#refuse(parent, name);
  }

  rename(parent: NodeId, name: string): void {
    this.#refuse(parent, name);
  }

  #refuse(parent: NodeId, name: string): never {
    return fail(
      'EPERM',
      `sysfs is what the machine is: nothing is made or removed at ${this.#below(parent, name)}`,
    );
  }

  #list(path: string): DirectoryItem[] {
    const up = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    const items: DirectoryItem[] = [
      { name: '.', inode: this.#nodeOf(path), type: S_IFDIR },
      { name: '..', inode: this.#nodeOf(up), type: S_IFDIR },
    ];
    for (const name of this.#sysfs.readdir(path)) {
      const child = path === '' ? name : `${path}/${name}`;
      items.push({ name, inode: this.#nodeOf(child), type: TYPES[this.#sysfs.lookup(child).type] });
    }
    return items;
  }

  #attributes(path: string, { type, mode, uid, gid, size }: NodeInfo): FuseAttributes {
    return {
      inode: this.#nodeOf(path),
      mode: TYPES[type] | mode,
      size,
      links: 1,
      uid: uid === 0 ? this.#owner.uid : uid,
      gid: gid === 0 ? this.#owner.gid : gid,
      atime: this.#mountedAt,
      mtime: this.#mountedAt,
      ctime: this.#mountedAt,
    };
  }

  #below(parent: NodeId, name: string): string {
    const path = this.#pathOf(parent);
    return path === '' ? name : `${path}/${name}`;
  }

  #pathOf(node: NodeId): string {
    return this.#paths[node] ?? fail('ESTALE', `node ${node} is not known here`);
  }

  /** The permanent node of a path. Nodes are never dropped: the paths of a machine are few, and come back. */
  #nodeOf(path: string): NodeId {
    const known = this.#nodes.get(path);
    if (known !== undefined) return known;
    const node = this.#paths.push(path) - 1;
    this.#nodes.set(path, node as NodeId);
    return node as NodeId;
  }
}

/** Turns ENOENT into ENODEV, as in the kernel, for an attribute that went away while a descriptor was open. */
function whileOpen<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof DaxError && error.code === 'ENOENT') {
      throw new DaxError('ENODEV', `${path} is gone`, { path, cause: error });
    }
    throw error;
  }
}
