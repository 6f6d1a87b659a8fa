import type { DaxDevice } from '../../dax/index.js';
import type { DaxError } from '../../libc/index.js';
import type { Fmap } from '../media/fmap.js';
import type { FileTree } from '../media/tree.js';
import { Inode, type InodeOptions } from './inode.js';
import type { FamfsDevice } from './types.js';

/** What inodes need from the famfs that they are of. */
interface InodeHome {
  readonly dax: DaxDevice;
  readonly device: Pick<FamfsDevice, 'name' | 'reach'>;
  readonly tree: FileTree;
  fmapOfEntry(ino: number): Fmap;
}

/**
 * The inodes of a mounted famfs that are in use, by the number of the log entry that has their bytes. All handles of the same bytes
 * share one; a file that got other bytes gets another one, and who had it open goes on with the old ones.
 */
export class InodesInUse {
  readonly #used = new Map<number, Inode>();
  readonly #home: InodeHome;
  readonly #loss: () => DaxError | undefined;

  /** @param loss why mappings ended, when it is the file system that ended */
  constructor(home: InodeHome, loss: () => DaxError | undefined) {
    this.#home = home;
    this.#loss = loss;
  }

  /** One that is in use, if any is. */
  get first(): Inode | undefined {
    return this.#used.values().next().value;
  }

  /** The inode of a file: the one that is in use, else a new one, which is remembered from its first use on. */
  inode(ino: number): Inode {
    const { tree, device } = this.#home;
    const content = tree.contentOf(ino);
    const known = this.#used.get(content);
    if (known && content !== 0) return known;
    const { size } = tree.stat(ino);
    const path = `/${tree.pathOf(ino)}`;
    if (content === 0) return this.newInode(path, 0, { type: 'simple', extents: [] });
    const fmap = (): Fmap => {
      const found = this.#home.fmapOfEntry(content);
      device.reach?.(found, { path, size });
      return found;
    };
    return this.newInode(path, size, fmap, {
      first: (inode) => {
        const first = this.#used.get(content) ?? inode;
        this.#used.set(content, first);
        return first;
      },
      unused: () => this.#used.delete(content),
    });
  }

  newInode(
    path: string,
    size: number,
    fmap: Fmap | (() => Fmap),
    uses: Pick<InodeOptions, 'first' | 'unused'> = {},
  ): Inode {
    const { dax, device, tree } = this.#home;
    return new Inode(dax, {
      path,
      deviceName: device.name,
      size,
      fmap,
      shared: (tree.usage?.collisions ?? 0) > 0,
      foreignDevice: (devindex) => tree.devices.describe(devindex),
      loss: this.#loss,
      ...uses,
    });
  }

  /** Ends every mapping of them. */
  forget(): void {
    for (const inode of this.#used.values()) inode.forget();
    this.#used.clear();
  }
}
