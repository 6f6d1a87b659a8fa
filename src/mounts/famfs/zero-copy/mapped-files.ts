import type { Volume } from '../../../famfs/index.js';
import {
  type FileHandle,
  type FuseAttributes,
  type FuseBackings,
  type FuseEntry,
  type FuseHost,
  type FuseMapExtent,
  type FuseOpenAnswer,
  HandleTable,
  type NodeId,
} from '../../../fuse/index.js';
import { fail } from '../../../libc/index.js';
import type { Names } from '../names.js';
import { FIRST_NEW_NODE } from '../new-files.js';
import { type DeviceBounds, ExtentMaps, type MapOrReason, mapOf } from './extent-maps.js';
import type { OwnFile } from './own-files.js';
import { Sharing } from './sharing.js';
import type { Windows } from './windows.js';

/** Handles of opens through a map, far beyond those of the file system below. */
const FIRST_MAPPED_HANDLE = 2 ** 44;

/**
 * Which files of a volume the kernel maps, and what is open of them. Whether an inode is mapped is fixed when the kernel makes it, by
 * the first answer that names its node; so it is decided once a node, and holds until FORGET.
 */
export class MappedFiles {
  readonly #host: FuseHost;
  readonly #windows: Windows;
  readonly #maps: ExtentMaps;
  readonly #open = new HandleTable<NodeId>();
  readonly #daxNodes = new Set<NodeId>();
  /** Files that were published, and whose pages a window may still remember. */
  #fresh: number[] = [];
  /** Files of which the reason for the copy path was told. */
  readonly #told = new Set<number>();
  #volume: Volume | undefined;
  #sharing: Sharing | undefined;
  #bounds: DeviceBounds = { dataStart: 0, size: 0 };

  constructor(host: FuseHost, backings: FuseBackings, windows: Windows) {
    this.#host = host;
    this.#windows = windows;
    this.#maps = new ExtentMaps(backings);
  }

  /** The volume is there: from now on its files are mapped. */
  begin(volume: Volume, bounds: DeviceBounds): void {
    this.#volume = volume;
    this.#bounds = bounds;
    this.#sharing = new Sharing(volume);
  }

  /** A file that was made through the mount is in the log. */
  published(ino: number): void {
    this.#fresh.push(ino);
  }

  has(node: NodeId): boolean {
    return this.#daxNodes.has(node);
  }

  isHandle(handle: FileHandle): boolean {
    return handle >= FIRST_MAPPED_HANDLE;
  }

  /** An entry of the volume as the kernel gets it: marked when its file is mapped. */
  marked(entry: FuseEntry): FuseEntry {
    if (entry.node === 0 || !this.#isMapped(entry.node)) return entry;
    this.#daxNodes.add(entry.node);
    return { ...entry, attributes: { ...entry.attributes, isDax: true } };
  }

  attributes(node: NodeId, attributes: FuseAttributes): FuseAttributes {
    return this.#daxNodes.has(node) ? { ...attributes, isDax: true } : attributes;
  }

  /** Whether the kernel gets a map of a node. Told once a file, when it gets none. */
  #isMapped(node: NodeId): boolean {
    if (this.#daxNodes.has(node)) return true;
    const { inodes } = this.#volume!;
    if (node >= FIRST_NEW_NODE) return false;
    const { type, size } = inodes.stat(node);
    if (type !== 'file' || size === 0) return false;
    if (this.#windows.remembers(inodes.fmap(node))) return false;
    const map = this.#mapOf(node);
    const why =
      'why' in map ? map.why : this.#sharing!.has(node) ? 'it shares memory with another file' : null;
    if (why !== null) this.#tell(node, why);
    return why === null;
  }

  #mapOf(ino: number): MapOrReason {
    const { inodes } = this.#volume!;
    return mapOf(inodes.fmap(ino), inodes.stat(ino).size, this.#bounds);
  }

  #tell(ino: number, why: string): void {
    if (this.#told.has(ino)) return;
    this.#told.add(ino);
    const path = this.#volume!.inodes.pathOf(ino);
    this.#host.report(
      new Error(`${path} has no zero-copy map, and is read and written as on other mounts: ${why}`),
    );
  }

  /** Opens a mapped file. A clone that was published after the kernel got its map cannot take its pages away. */
  open(node: NodeId, writable: boolean): FuseOpenAnswer {
    const map = this.#mapOf(node);
    if ('why' in map) return fail('EIO', `${this.#volume!.inodes.pathOf(node)} has no map: ${map.why}`);
    return this.#opened(node, map.extents, !writable);
  }

  /** Opens a hidden file of the mount. */
  openOwn({ node, start, length }: OwnFile): FuseOpenAnswer {
    return this.#opened(node, [{ offset: 0, length, address: start }], true);
  }

  #opened(node: NodeId, extents: readonly FuseMapExtent[], noFlush: boolean): FuseOpenAnswer {
    const map = this.#maps.open(node, extents);
    const handle = (FIRST_MAPPED_HANDLE + this.#open.open(node)) as FileHandle;
    return { handle, map, noFlush };
  }

  release(handle: FileHandle): void {
    const node = this.#open.close((handle - FIRST_MAPPED_HANDLE) as FileHandle);
    if (node !== undefined) this.#maps.close(node);
  }

  /** The kernel has dropped an inode. */
  forgotten(node: NodeId): void {
    this.#daxNodes.delete(node);
    this.#maps.forget(node);
  }

  /** A window is gone: published files that nothing remembers any more get nodes of their own, which are mapped. */
  showFresh(names: Names): void {
    const { inodes } = this.#volume!;
    this.#fresh = this.#fresh.filter((ino) => {
      if (this.#windows.remembers(inodes.fmap(ino))) return true;
      names.forgetFirstNode(ino);
      return false;
    });
  }
}
