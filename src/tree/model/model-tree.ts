/** The attribute tree of a bus as it is now, with the calls of a DaxTree and those that a file system over it needs. */
import { type Bus, seenByStore } from '../../dax/index.js';
import { DaxError, fail, hasCode } from '../../libc/index.js';
import type { DaxTree } from '../dax-tree.js';
import { type AccessMode, type Caller, openAttribute, ROOT } from './access.js';
import { type DirectoryNode, modeOf, type SysfsNode, sizeOf } from './node.js';
import { type RegionPlace, udaxPlace } from './place.js';
import { rootDirectory } from './root.js';
import { type Found, walk } from './walk.js';

/** The host that a tree stands for. */
export interface ModelTreeOptions {
  /** Gives the provider directory of a region; default `udax/regionID`. */
  place?: RegionPlace;
  /** The user who makes the calls; default root. */
  caller?: Caller;
  /** False: only loaded drivers can be used, as on a host without /lib/modules. Default true. */
  modulesAvailable?: boolean;
}

/** What stat(2) says of a node of the tree. */
export interface NodeInfo {
  type: 'directory' | 'file' | 'link';
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes as stat reports them: 4096 for every attribute. */
  size: number;
  /** Path from the root, with links resolved. */
  physical: string;
}

/** The stat of a node below /dev. */
export interface DeviceNodeInfo {
  type: 'char';
  mode: number;
  uid: number;
  gid: number;
  size: number;
  major: number;
  minor: number;
}

/** A node of a listing. */
export interface TreeEntry {
  /** Relative to the listed directory. */
  path: string;
  type: NodeInfo['type'];
  mode: number;
  /** The text of a readable attribute. */
  value?: string;
  /** The errno name, when reading the attribute fails. */
  errno?: string;
  /** The target of a link. */
  target?: string;
}

/** The attribute tree of a bus. Nothing is cached: every call walks the bus. Links on the way are followed; `/sys/bus` is `bus`. */
export class ModelTree implements DaxTree {
  readonly #bus: Bus;
  readonly #root: DirectoryNode;
  readonly #caller: Caller;
  readonly #modulesAvailable: boolean;

  constructor(
    bus: Bus,
    { place = udaxPlace, caller = ROOT, modulesAvailable = true }: ModelTreeOptions = {},
  ) {
    this.#bus = bus;
    this.#root = rootDirectory(bus, place);
    this.#caller = caller;
    this.#modulesAvailable = modulesAvailable;
  }

  get quirks(): ReadonlySet<string> {
    return this.#bus.quirks;
  }

  /** lstat, or stat with `follow`. @throws DaxError ENOENT, ENOTDIR, ELOOP */
  lookup(path: string, { follow = false }: { follow?: boolean } = {}): NodeInfo {
    const { node, physical } = this.#find(path, follow);
    return { type: node.type, mode: modeOf(node), uid: 0, gid: 0, size: sizeOf(node), physical };
  }

  exists(path: string): boolean {
    try {
      this.#find(path, true);
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  /** Names in a directory, sorted. */
  readdir(path: string): string[] {
    return this.#directory(path).names();
  }

  realpath(path: string): string {
    return this.#find(path, true).physical;
  }

  readlink(path: string): string {
    const { node } = this.#find(path, false);
    if (node.type !== 'link') fail('EINVAL', `${path} is not a link`, { path });
    return node.target;
  }

  /** stat of `/dev/NAME`. The node exists as long as the device, bound or not. @throws DaxError ENOENT */
  deviceNode(name: string): DeviceNodeInfo {
    const device = this.#bus.device(name) ?? fail('ENOENT', `there is no /dev/${name}`, { path: name });
    const { major, minor } = device;
    return { type: 'char', mode: 0o600, uid: 0, gid: 0, size: 0, major, minor };
  }

  /** The checks of open(2). @throws DaxError ENOENT, EACCES, EISDIR */
  checkOpen(path: string, access: AccessMode): void {
    openAttribute(this.#find(path, true).node, access, this.#caller, path);
  }

  read(path: string): string {
    return this.#show(this.#find(path, true).node, path);
  }

  /**
   * open(O_WRONLY), one write(2), close. The attribute sees the text up to the first NUL; an empty write never reaches it.
   * @returns bytes accepted: all of them
   */
  write(path: string, text: string): number {
    const attribute = openAttribute(this.#find(path, true).node, 'write', this.#caller, path);
    if (text !== '') attribute.store?.(seenByStore(text));
    return Buffer.byteLength(text);
  }

  loadDriver(name: string): void {
    if (!this.#modulesAvailable) fail('ENOENT', `could not find module by name='${name}'`);
    if (this.#caller.uid !== 0) fail('EPERM', `loading ${name} needs root`);
    this.#bus.insmod(name);
  }

  /** Everything below a directory, `depth` levels deep, sorted. Links are listed, not followed. */
  tree(path: string, depth: number): TreeEntry[] {
    return [...this.#below(this.#directory(path), '', depth)];
  }

  #find(path: string, follow: boolean): Found {
    return walk(this.#root, path.replace(/^\/sys(\/|$)/, ''), follow);
  }

  #directory(path: string): DirectoryNode {
    const { node } = this.#find(path, true);
    return node.type === 'directory' ? node : fail('ENOTDIR', `${path} is not a directory`, { path });
  }

  #show(node: SysfsNode, path: string): string {
    return openAttribute(node, 'read', this.#caller, path).show?.() ?? '';
  }

  *#below(node: DirectoryNode, prefix: string, depth: number): Generator<TreeEntry> {
    if (depth === 0) return;
    for (const name of node.names()) {
      const child = node.child(name);
      if (child === undefined) continue;
      const path = prefix + name;
      yield { path, type: child.type, mode: modeOf(child), ...this.#content(child, path) };
      if (child.type === 'directory') yield* this.#below(child, `${path}/`, depth - 1);
    }
  }

  #content(node: SysfsNode, path: string): Partial<TreeEntry> {
    if (node.type === 'directory') return {};
    if (node.type === 'link') return { target: node.target };
    try {
      return { value: this.#show(node, path) };
    } catch (error) {
      if (error instanceof DaxError) return { errno: error.code };
      throw error;
    }
  }
}
