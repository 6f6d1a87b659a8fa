import type { DaxDevice } from '../../dax/index.js';
import type { DaxError } from '../../libc/index.js';
import type { Fmap } from '../media/fmap.js';
import type { FileTree } from '../media/tree.js';
import { Inode, type InodeHome, UNNAMED } from './inode.js';
import type { FamfsDevice } from './types.js';

/** What inodes need from the famfs that they are of. */
interface MountedHome {
  readonly dax: DaxDevice;
  readonly device: Pick<FamfsDevice, 'name' | 'reach'>;
  readonly tree: FileTree;
  fmapOfEntry(ino: number): Fmap;
}

/**
 * The inodes of a mounted famfs that are in use, by the number of the log entry that has their bytes. All handles of the same bytes
 * share one; a file that got other bytes gets another one, and who had it open goes on with the old ones.
 */
export class InodesInUse implements InodeHome {
  readonly #used = new Map<number, Inode>();
  readonly #home: MountedHome;
  /** Why mappings ended, when it is the file system that ended. */
  readonly loss: () => DaxError | undefined;

  constructor(home: MountedHome, loss: () => DaxError | undefined) {
    this.#home = home;
    this.loss = loss;
  }

  get dax(): DaxDevice {
    return this.#home.dax;
  }

  get deviceName(): string {
    return this.#home.device.name;
  }

  /** One that is in use, if any is. */
  get first(): Inode | undefined {
    return this.#used.values().next().value;
  }

  /** The inode of a file: the one that is in use, else a new one, which is remembered from its first use on. */
  inode(ino: number): Inode {
    const { tree } = this.#home;
    const content = tree.contentOf(ino);
    const known = this.#used.get(content);
    if (known && content !== 0) return known;
    const path = `/${tree.pathOf(ino)}`;
    if (content === 0) return this.newInode(path, 0, { type: 'simple', extents: [] });
    return new Inode(this, path, tree.stat(ino).size, content, this.#isShared);
  }

  /** The inode of bytes that the log does not name. */
  newInode(path: string, size: number, fmap: Fmap): Inode {
    return new Inode(this, path, size, UNNAMED, this.#isShared, fmap);
  }

  /** Some files name the same space (clones). */
  get #isShared(): boolean {
    return (this.#home.tree.usage?.collisions ?? 0) > 0;
  }

  fmapOf(content: number, path: string, size: number): Fmap {
    const found = this.#home.fmapOfEntry(content);
    this.#home.device.reach?.(found, { path, size });
    return found;
  }

  foreignDevice(devindex: number): string {
    return this.#home.tree.devices.describe(devindex);
  }

  used(inode: Inode): Inode {
    const { content } = inode;
    if (content === UNNAMED) return inode;
    const first = this.#used.get(content);
    if (first !== undefined) return first;
    this.#used.set(content, inode);
    return inode;
  }

  unused({ content }: Inode): void {
    if (content !== UNNAMED) this.#used.delete(content);
  }

  /** Ends every mapping of them. */
  forget(): void {
    for (const inode of this.#used.values()) inode.forget();
    this.#used.clear();
  }
}
