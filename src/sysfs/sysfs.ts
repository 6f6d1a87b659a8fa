/** The face of the tree: what a file system over it, a tool or a person asks. */
import { type Bus, seenByStore } from '../dax/index.js';
import {
  checkMethods,
  DaxError,
  fail,
  flag,
  number,
  objectWith,
  oneOf,
  optional,
  options,
  text,
} from '../libc/index.js';
import { type AccessMode, type Caller, openAttribute, ROOT } from './access.js';
import { modeOf, type SysfsNode, sizeOf } from './node.js';
import { type RegionPlace, udaxPlace } from './place.js';
import { rootDirectory } from './root.js';
import { type Found, walk } from './walk.js';

/** How the tree reaches a bus: a Machine's own `view` and `change`, or a bus as it is (`accessTo`). */
export interface BusAccess {
  view<T>(read: (bus: Bus) => T): T;
  change<T>(apply: (bus: Bus) => T): T;
}

/** A bus that nobody shares. */
export function accessTo(bus: Bus): BusAccess {
  return { view: (read) => read(bus), change: (apply) => apply(bus) };
}

export interface SysfsOptions {
  /** Which provider directory a region has; default `platform/udax.ID`. */
  place?: RegionPlace;
}

export interface NodeInfo {
  type: 'directory' | 'file' | 'link';
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes as stat says them: 4096 for every attribute. */
  size: number;
  /** Path from the root without links. */
  physical: string;
}

/** What stat says of a node below /dev. */
export interface DeviceNodeInfo {
  type: 'char';
  mode: number;
  uid: number;
  gid: number;
  size: number;
  major: number;
  minor: number;
}

export interface TreeEntry {
  /** Relative to the directory asked about. */
  path: string;
  type: NodeInfo['type'];
  mode: number;
  /** Of an attribute that can be read. */
  value?: string;
  /** Errno name, of one that cannot. */
  errno?: string;
  /** Of a link. */
  target?: string;
}

/**
 * Paths are relative to /sys; `/bus/dax` and `/sys/bus/dax` mean the same as `bus/dax`. Links on the
 * way are followed. Every call looks at the bus as it is now.
 */
export class Sysfs {
  readonly #access: BusAccess;
  readonly place: RegionPlace;

  constructor(access: BusAccess, options: SysfsOptions = {}) {
    this.#access = access;
    this.place = options.place ?? udaxPlace;
  }

  /** lstat, or stat with `follow`. @throws ENOENT ENOTDIR ELOOP */
  lookup(path: string, options: { follow?: boolean } = {}): NodeInfo {
    return this.#view(path, options.follow ?? false, ({ node, physical }) => ({
      type: node.type,
      mode: modeOf(node),
      uid: 0,
      gid: 0,
      size: sizeOf(node),
      physical,
    }));
  }

  /** True when the path leads somewhere. */
  exists(path: string): boolean {
    try {
      this.lookup(path, { follow: true });
      return true;
    } catch (error) {
      if (error instanceof DaxError && ['ENOENT', 'ENOTDIR'].includes(error.code)) return false;
      throw error;
    }
  }

  /** Names in a directory, sorted. @throws ENOENT ENOTDIR */
  readdir(path: string): string[] {
    return this.#view(path, true, ({ node }) => {
      if (node.type !== 'directory') fail('ENOTDIR', `${path} is not a directory`, { path });
      return node.names();
    });
  }

  /** Path without links, as realpath(3), relative to /sys. @throws ENOENT ENOTDIR ELOOP */
  realpath(path: string): string {
    return this.lookup(path, { follow: true }).physical;
  }

  /** @throws ENOENT, EINVAL (not a link) */
  readlink(path: string): string {
    return this.#view(path, false, ({ node }) => {
      if (node.type !== 'link') fail('EINVAL', `${path} is not a link`, { path });
      return node.target;
    });
  }

  /** stat of `/dev/NAME`: there from the creation of a device on, bound or not. @throws ENOENT */
  deviceNode(name: string): DeviceNodeInfo {
    return this.#access.view((bus) => {
      const { major, minor } = bus.device(name) ?? fail('ENOENT', `there is no /dev/${name}`, { path: name });
      return { type: 'char', mode: 0o600, uid: 0, gid: 0, size: 0, major, minor };
    });
  }

  /** The checks of open(2). @throws ENOENT EACCES EISDIR */
  checkOpen(path: string, access: AccessMode, caller: Caller = ROOT): void {
    this.#view(path, true, ({ node }) => void openAttribute(node, access, caller, path));
  }

  /** open, read everything, close. @throws as checkOpen, or what the attribute's show fails with */
  read(path: string, caller: Caller = ROOT): string {
    return this.#view(path, true, ({ node }) => show(node, caller, path));
  }

  /**
   * open(O_WRONLY), one write(2), close. The attribute sees the text up to the first NUL; an empty
   * write never reaches it.
   * @returns bytes accepted: all of them
   * @throws as checkOpen, or what the attribute's store fails with
   */
  write(path: string, data: string, caller: Caller = ROOT): number {
    return this.#access.change((bus) => {
      const { node } = walk(rootDirectory(bus, this.place), relative(path), true);
      const attribute = openAttribute(node, 'write', caller, path);
      if (data !== '') attribute.store?.(seenByStore(data));
      return Buffer.byteLength(data);
    });
  }

  /** Everything below a directory, `depth` levels deep, sorted; links are told, not followed. */
  tree(path: string, depth: number, caller: Caller = ROOT): TreeEntry[] {
    return this.#view(path, true, ({ node }) => {
      if (node.type !== 'directory') fail('ENOTDIR', `${path} is not a directory`, { path });
      return [...treeBelow(node, '', depth, caller)];
    });
  }

  #view<T>(path: string, follow: boolean, look: (found: Found) => T): T {
    return this.#access.view((bus) => look(walk(rootDirectory(bus, this.place), relative(path), follow)));
  }
}

function relative(path: string): string {
  return path.replace(/^\/sys(\/|$)/, '');
}

function show(node: SysfsNode, caller: Caller, path: string): string {
  return openAttribute(node, 'read', caller, path).show?.() ?? '';
}

function* treeBelow(
  node: Extract<SysfsNode, { type: 'directory' }>,
  prefix: string,
  depth: number,
  caller: Caller,
): Generator<TreeEntry> {
  if (depth === 0) return;
  for (const name of node.names()) {
    const child = node.child(name);
    if (child === undefined) continue;
    const path = prefix + name;
    yield { path, type: child.type, mode: modeOf(child), ...content(child, caller, path) };
    if (child.type === 'directory') yield* treeBelow(child, `${path}/`, depth - 1, caller);
  }
}

function content(node: SysfsNode, caller: Caller, path: string): Partial<TreeEntry> {
  if (node.type === 'directory') return {};
  if (node.type === 'link') return { target: node.target };
  try {
    return { value: show(node, caller, path) };
  } catch (error) {
    if (error instanceof DaxError) return { errno: error.code };
    throw error;
  }
}

const path = { path: text };
const caller = optional(objectWith('who asks: { uid, gid }', 'uid'));

checkMethods(Sysfs, {
  lookup: { ...path, options: optional(options({ follow: optional(flag) })) },
  exists: path,
  readdir: path,
  realpath: path,
  readlink: path,
  deviceNode: { name: text },
  checkOpen: { ...path, access: oneOf('read', 'write'), caller },
  read: { ...path, caller },
  write: { ...path, data: text, caller },
  tree: { ...path, depth: number, caller },
});
