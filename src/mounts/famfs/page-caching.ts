import type { Volume } from '../../famfs/index.js';
import type { FuseOpenAnswer, NodeId } from '../../fuse/index.js';

/** How the kernel caches an open file. */
type Caching = Pick<FuseOpenAnswer, 'directIo' | 'parallelDirectWrites' | 'keepCache'>;

const WRITE_BITS = 0o222;
/** Read and written past the page cache, so that stores past this mount are seen. */
const UNCACHED: Caching = { directIo: true, parallelDirectWrites: true };

/**
 * Decides what the kernel's page cache may keep of a file. Where nobody on this host stores, all of it, from open to open: programs
 * that map a file read it once. As soon as a process stores (through a view, or having the file open for writing in a mount), files
 * are opened uncached, and what was cached before is dropped at the next open.
 */
export class PageCaching {
  readonly #volume: Volume;
  readonly #seesStores: boolean;
  /** Node -> the stamp of the stores that its cached pages are not older than. */
  readonly #kept = new Map<NodeId, bigint>();
  /** Inodes that a program of this mount has opened for writing. A mapping of the memory itself may outlive its descriptor. */
  readonly #written = new Set<number>();
  /** Nodes that were opened cached since the kernel knows them: descriptors of that time may still fill the cache. */
  readonly #cached = new Set<NodeId>();

  /** @param seesStores whether all stores into the memory are known: not where the kernel maps files for programs */
  constructor(volume: Volume, seesStores: boolean) {
    this.#volume = volume;
    this.#seesStores = seesStores;
  }

  /** How a file that the log names is opened. */
  opened(node: NodeId, ino: number, writable: boolean): Caching {
    const { inodes } = this.#volume;
    if (writable) return this.#openedForWriting(node, ino);
    if (!this.#volume.acceptsStores || (inodes.stat(ino).mode & WRITE_BITS) === 0) return { keepCache: true };
    if (!this.#seesStores || this.#written.has(ino) || inodes.stores.areOthersStoring()) {
      this.#kept.delete(node);
      return UNCACHED;
    }
    const stamp = inodes.stores.stamp();
    const keepCache = this.#kept.get(node) === stamp;
    this.#kept.set(node, stamp);
    this.#cached.add(node);
    return { keepCache };
  }

  /** Whether the kernel may have pages of the file that a write past the page cache leaves old. */
  mayBeOld(node: NodeId): boolean {
    return this.#cached.has(node);
  }

  forget(node: NodeId): void {
    this.#kept.delete(node);
    this.#cached.delete(node);
  }

  #openedForWriting(node: NodeId, ino: number): Caching {
    this.#kept.delete(node);
    this.#written.add(ino);
    return UNCACHED;
  }
}
