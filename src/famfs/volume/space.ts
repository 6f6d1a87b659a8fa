import { DaxError } from '../../libc/index.js';
import { type Allocator, dataStart } from '../media/allocator.js';
import type { FamfsExtent, Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import { reclaimableBytes } from '../media/reclaimable.js';
import type { Stripe } from '../media/stripe.js';
import type { FileTree } from '../media/tree.js';
import type { RangeLocks } from './range-locks.js';
import type { VolumeStatfs } from './types.js';

/**
 * Space of the device for new files. The log says which space is used; the range locks say which space other
 * processes have reserved. All methods but Reservation.end() need the log's lock (a session).
 */
export class Space {
  readonly #allocator: Allocator;
  readonly #locks: RangeLocks;
  readonly #own = { bytes: 0 };

  constructor(allocator: Allocator, locks: RangeLocks) {
    this.#allocator = allocator;
    this.#locks = locks;
  }

  /** Free bytes, in whole units. Space that other processes have reserved counts as free. */
  get freeBytes(): number {
    return this.#allocator.freeBytes;
  }

  /** Bytes that files in the making of this process have, which the log does not name. Not in `freeBytes`. */
  get reservedBytes(): number {
    return this.#own.bytes;
  }

  /**
   * Bytes from `start` on that other living processes of this host have reserved, as of this moment. They are in `freeBytes`.
   * No lock is needed.
   */
  reservedByOthers(start: number): number {
    const { map, unit } = this.#allocator;
    const end = map.units * unit;
    let bytes = 0;
    for (const { offset, length } of this.#locks.lockedByOthers(start, end - start)) {
      const first = Math.floor(offset / unit);
      const count = Math.ceil((offset + length) / unit) - first;
      // Bytes of a published file can be locked too.
      bytes += (count - map.countSet(first, count)) * unit;
    }
    return bytes;
  }

  /** Must be called when a session begins: allocation starts at the start of the device again, as in C. */
  beginSession(): void {
    this.#allocator.beginSession();
  }

  /**
   * Takes space for `size` bytes, for this session; keep() holds it longer. end() or the death of this process gives it back.
   * @throws DaxError ENOSPC no room, EINVAL bad stripe; nothing is taken then
   */
  take(size: number, stripe?: Stripe): Reservation {
    return new Reservation(this.#allocate(size, stripe), this.#allocator, this.#locks, this.#own);
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
      // Reservations of other processes may end at any time. So the map keeps only what the log and this process have taken.
      this.#allocator.release({ type: 'simple', extents: theirs });
    }
  }

  /** Allocates. An ENOSPC names the processes whose reservations took the space, if there are any. */
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

/** Space that this process has taken for one file that the log does not name yet. */
export class Reservation {
  readonly #allocator: Allocator;
  readonly #locks: RangeLocks;
  readonly #bytes: number;
  readonly #counted: { bytes: number };
  #isMarked = true;
  #isKept = false;

  constructor(
    readonly fmap: Fmap,
    allocator: Allocator,
    locks: RangeLocks,
    counted: { bytes: number },
  ) {
    this.#allocator = allocator;
    this.#locks = locks;
    this.#bytes = fmap.extents.reduce((sum, { length }) => sum + length, 0);
    this.#counted = counted;
    counted.bytes += this.#bytes;
  }

  /** Keeps the space after the session too: locks it against other processes. Called within the session that took it. */
  keep(): void {
    this.#locks.reserve(this.fmap.extents);
    this.#isKept = true;
  }

  /** Unmarks the space, so that replay of the entry that names it can mark it. Called within the session that appends. */
  handOver(): void {
    if (!this.#isMarked) return;
    this.#isMarked = false;
    this.#allocator.release(this.fmap);
    this.#counted.bytes -= this.#bytes;
  }

  /** Ends the reservation. The space belongs to the file when an entry names it; else it is free again. Idempotent. */
  end(): void {
    this.handOver();
    if (this.#isKept) this.#locks.release(this.fmap.extents);
    this.#isKept = false;
  }
}

function annexUsage({ annex }: FileTree): { annexSlots: number; annexUsed: number; annexRecords: number } {
  const { slots, used } = annex?.usage() ?? { slots: 0, used: 0 };
  return { annexSlots: slots, annexUsed: used, annexRecords: annex?.records ?? 0 };
}

/** What is to be told about: a mounted famfs, or a log that is only planned, whose space nobody has reserved. */
interface Accounted {
  superblock: Superblock;
  tree: FileTree;
  space: Pick<Space, 'freeBytes'> & Partial<Pick<Space, 'reservedBytes' | 'reservedByOthers'>>;
}

/** See Volume.statfs. */
export function statfsOf({ superblock, tree, space }: Accounted): VolumeStatfs {
  const { deviceSize, allocUnit } = superblock;
  const { slots } = tree.log;
  const metadata = dataStart(superblock);
  const others = space.reservedByOthers?.(metadata) ?? 0;
  const free = space.freeBytes - others;
  const used = deviceSize - (deviceSize % allocUnit) - free;
  return {
    size: deviceSize,
    used,
    free,
    allocUnit,
    units: used / allocUnit,
    metadata,
    fileBytes: tree.counts.sumOfFileSizes,
    lostToRounding: tree.counts.roundingBytes,
    reserved: (space.reservedBytes ?? 0) + others,
    reclaimable: reclaimableBytes(tree, allocUnit),
    files: tree.counts.files,
    directories: tree.counts.directories,
    logSlots: slots,
    logUsed: Math.min(tree.nextIndex, slots),
    logFree: Math.max(0, slots - tree.nextIndex),
    ...annexUsage(tree),
  };
}
