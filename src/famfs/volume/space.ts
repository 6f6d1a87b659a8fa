import { DaxError } from '../../libc/index.js';
import type { Allocator } from '../media/allocator.js';
import type { FamfsExtent, Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import type { Stripe } from '../media/stripe.js';
import type { FileTree } from '../media/tree.js';
import type { RangeLocks } from './range-locks.js';
import type { VolumeStatfs } from './types.js';

/**
 * Space of the device for files to be: from the log what is used, from the range locks what other
 * processes have reserved. All but Reservation.end() need the log (a session).
 */
export class Space {
  readonly #allocator: Allocator;
  readonly #locks: RangeLocks;

  constructor(allocator: Allocator, locks: RangeLocks) {
    this.#allocator = allocator;
    this.#locks = locks;
  }

  /** Free bytes, in whole units; what other processes have reserved still counts as free. */
  get freeBytes(): number {
    return this.#allocator.freeBytes;
  }

  /** To be called when a session begins: allocation starts from the start of the device again, as C's does. */
  beginSession(): void {
    this.#allocator.beginSession();
  }

  /**
   * Takes space for `size` bytes, for the session; keep() holds it longer. Ended by end(), or by our death.
   * @throws DaxError ENOSPC no room, EINVAL bad stripe; then nothing was taken
   */
  take(size: number, stripe?: Stripe): Reservation {
    return new Reservation(this.#allocate(size, stripe), this.#allocator, this.#locks);
  }

  #allocate(size: number, stripe?: Stripe): Fmap {
    const theirs: FamfsExtent[] = [];
    try {
      for (;;) {
        const fmap = this.#allocateFree(size, stripe, theirs);
        const conflict = this.#locks.conflict(fmap.extents);
        if (!conflict) return fmap;
        this.#allocator.release(fmap);
        const extent = { devindex: 0, ...conflict };
        this.#allocator.reserve([extent]);
        theirs.push(extent);
      }
    } finally {
      // Their reservations may lapse: the map keeps only what the log says and what is ours.
      this.#allocator.release({ type: 'simple', extents: theirs });
    }
  }

  /** Where what others have reserved is what is missing, it is said. */
  #allocateFree(size: number, stripe: Stripe | undefined, theirs: readonly FamfsExtent[]): Fmap {
    try {
      return this.#allocator.allocate(size, stripe);
    } catch (error) {
      if (!(error instanceof DaxError) || error.code !== 'ENOSPC' || theirs.length === 0) throw error;
      const who = this.#locks.holdersText(theirs);
      throw new DaxError('ENOSPC', `${error.message}; free space is reserved by ${who}`, {
        ...(error.path !== undefined && { path: error.path }),
        cause: error,
      });
    }
  }
}

/** Space that this process has for one file that the log does not name yet. */
export class Reservation {
  readonly #allocator: Allocator;
  readonly #locks: RangeLocks;
  #isMarked = true;
  #isKept = false;

  constructor(
    readonly fmap: Fmap,
    allocator: Allocator,
    locks: RangeLocks,
  ) {
    this.#allocator = allocator;
    this.#locks = locks;
  }

  /** Nobody else gets the space after the session either. Within the session that took it. */
  keep(): void {
    this.#locks.reserve(this.fmap.extents);
    this.#isKept = true;
  }

  /** Unmarks the space so that replay of the entry that names it can mark it. Within the session that appends. */
  handOver(): void {
    if (this.#isMarked) this.#allocator.release(this.fmap);
    this.#isMarked = false;
  }

  /** Ends it: the space is the log's, when an entry names it, or free again. Idempotent. */
  end(): void {
    this.handOver();
    if (this.#isKept) this.#locks.release(this.fmap.extents);
    this.#isKept = false;
  }
}

/** See Volume.statfs. */
export function statfsOf({
  superblock,
  tree,
  space,
}: {
  superblock: Superblock;
  tree: FileTree;
  space: Space;
}): VolumeStatfs {
  const { deviceSize, allocUnit } = superblock;
  const { slots } = tree.log;
  const used = deviceSize - (deviceSize % allocUnit) - space.freeBytes;
  return {
    size: deviceSize,
    used,
    free: space.freeBytes,
    allocUnit,
    files: tree.counts.files,
    directories: tree.counts.directories,
    logSlots: slots,
    logUsed: Math.min(tree.nextIndex, slots),
    logFree: Math.max(0, slots - tree.nextIndex),
  };
}
