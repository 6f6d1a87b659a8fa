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
  fmapOf(ino: number): Fmap;
}

/** The inodes of a mounted famfs that are in use, by number. All handles of a file share one. */
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
    const known = this.#used.get(ino);
    if (known) return known;
    const { tree, device } = this.#home;
    const { size } = tree.stat(ino);
    const path = `/${tree.pathOf(ino)}`;
    const fmap = (): Fmap => {
      const found = this.#home.fmapOf(ino);
      device.reach?.(found, { path, size });
      return found;
    };
    return this.newInode(path, size, fmap, {
      first: (inode) => {
        const first = this.#used.get(ino) ?? inode;
        this.#used.set(ino, first);
        return first;
      },
      unused: () => this.#used.delete(ino),
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
