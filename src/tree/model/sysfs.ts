/** The tree of a bus that may be shared with other processes, for calls by several users: of a file system, a tool, a person. */
import type { Bus } from '../../dax/index.js';
import { checkMethods, flag, number, objectWith, oneOf, optional, options, text } from '../../libc/index.js';
import type { ReadableTree } from '../dax-tree.js';
import { type AccessMode, type Caller, ROOT } from './access.js';
import { type DeviceNodeInfo, ModelTree, type NodeInfo, type TreeEntry } from './model-tree.js';
import { type RegionPlace, udaxPlace } from './place.js';

/** The access of the tree to a bus: a Machine's `view` and `change`, or a bus by itself (`accessTo`). */
export interface BusAccess {
  /** Calls `read` with the bus as it is now. */
  view<T>(read: (bus: Bus) => T): T;
  /** Calls `apply` with the bus, alone; what it changes is kept when it returns. */
  change<T>(apply: (bus: Bus) => T): T;
}

/** The access to a bus that is not shared. */
export function accessTo(bus: Bus): BusAccess {
  return { view: (read) => read(bus), change: (apply) => apply(bus) };
}

/** How the tree shows a bus. */
export interface SysfsOptions {
  /** Gives the provider directory of a region; default `udax/regionID`. */
  place?: RegionPlace;
}

/**
 * The attribute tree of a bus. Paths are relative to /sys; `/bus/dax` and `/sys/bus/dax` mean the same as `bus/dax`. Links on
 * the way are followed. Every call shows the bus as it is now.
 */
export class Sysfs implements ReadableTree {
  readonly #access: BusAccess;
  readonly place: RegionPlace;

  /** The tree of a bus, as `access` shows and changes it. */
  constructor(access: BusAccess, options: SysfsOptions = {}) {
    this.#access = access;
    this.place = options.place ?? udaxPlace;
  }

  /** lstat, or stat with `follow`. @throws DaxError ENOENT, ENOTDIR, ELOOP */
  lookup(path: string, options: { follow?: boolean } = {}): NodeInfo {
    return this.#view((tree) => tree.lookup(path, options));
  }

  /** True when the path exists, with links followed. */
  exists(path: string): boolean {
    return this.#view((tree) => tree.exists(path));
  }

  /** Names in a directory, sorted. @throws DaxError ENOENT, ENOTDIR */
  readdir(path: string): string[] {
    return this.#view((tree) => tree.readdir(path));
  }

  /** The path with links resolved, as realpath(3), relative to /sys. @throws DaxError ENOENT, ENOTDIR, ELOOP */
  realpath(path: string): string {
    return this.#view((tree) => tree.realpath(path));
  }

  /** The target of a link. @throws DaxError ENOENT, EINVAL (not a link) */
  readlink(path: string): string {
    return this.#view((tree) => tree.readlink(path));
  }

  /** stat of `/dev/NAME`. The node exists as long as the device, bound or not. @throws DaxError ENOENT */
  deviceNode(name: string): DeviceNodeInfo {
    return this.#view((tree) => tree.deviceNode(name));
  }

  /** The checks of open(2). @throws DaxError ENOENT, EACCES, EISDIR */
  checkOpen(path: string, access: AccessMode, caller: Caller = ROOT): void {
    this.#view((tree) => tree.checkOpen(path, access), caller);
  }

  /** open, read everything, close. @throws DaxError as checkOpen, or the error of the attribute's show */
  read(path: string, caller: Caller = ROOT): string {
    return this.#view((tree) => tree.read(path), caller);
  }

  /**
   * open(O_WRONLY), one write(2), close. The attribute sees the text up to the first NUL; an empty
   * write never reaches it.
   * @returns bytes accepted: all of them
   * @throws DaxError as checkOpen, or the error of the attribute's store
   */
  write(path: string, data: string, caller: Caller = ROOT): number {
    const { place } = this;
    return this.#access.change((bus) => new ModelTree(bus, { place, caller }).write(path, data));
  }

  /** Everything below a directory, `depth` levels deep, sorted. Links are listed, not followed. */
  tree(path: string, depth: number, caller: Caller = ROOT): TreeEntry[] {
    return this.#view((tree) => tree.tree(path, depth), caller);
  }

  #view<T>(look: (tree: ModelTree) => T, caller: Caller = ROOT): T {
    const { place } = this;
    return this.#access.view((bus) => look(new ModelTree(bus, { place, caller })));
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
