/** The kind of memory under a region. It decides how the memory may be mapped, and whether it survives power loss. */
export type BackingKind = 'file' | 'tmpfs' | 'hugetlbfs' | 'devdax' | 'memfd';

/**
 * Memory that several programs can reach: an open file or device. The interface has only what is needed to map it.
 * Offsets and lengths are bytes.
 */
export interface Backing {
  readonly kind: BackingKind;
  /** The path (or `memfd:NAME`), for messages. */
  readonly name: string;
  /** Equal for two backings over the same memory, whatever their paths. */
  readonly identity: string;
  readonly fd: number;
  /** The byte of the backing that the descriptor has at offset 0; default 0. Offsets of locks count from the backing's start all the same. */
  readonly fileStart?: number;
  /** The file that locks on the memory lie on; default: the descriptor's own. */
  readonly lockPath?: string;
  /** Its size in bytes when it was opened. */
  readonly size: number;
  /** Offsets and lengths of mappings are multiples of this: 4096, the huge page size, or the device's align. */
  readonly granule: number;
  readonly writable: boolean;
  /** A dax device: private mappings are refused (decision 14). */
  readonly sharedOnly: boolean;
  /** All users share caches: they see each other's stores without a flush. */
  readonly coherent: boolean;
  /** Survives power loss: pmem or a disk file. */
  readonly persistent: boolean;
  /** Other processes may truncate it at any time, so each access checks its size first. Devices and sealed memory do not shrink. */
  readonly canShrink: boolean;
  /** The file has holes: parts without allocated space. One system call. */
  readonly isSparse: boolean;
  /**
   * Checks that the backing has the whole range now, so that an access to it is no SIGBUS.
   * @throws DaxError EIO names the file, its end and the range
   */
  checkRange(offset: number, length: number): void;
  /** Its size in bytes now. */
  endNow(): number;
  /**
   * Allocates the holes in a range, and nothing outside it, so that stores (or loads alone) find memory. Without space the
   * access would be a fatal SIGBUS. Memory without a disk behind it needs a page even when a hole is only loaded from. Cheap
   * where the range has no holes.
   * @returns false where the file system cannot allocate space in advance
   * @throws DaxError ENOSPC the file system is full, EIO the backing ends before the bytes
   */
  ensure(offset: number, length: number, access?: 'store' | 'load'): boolean;
  /** Makes a range read as zeroes: by a hole punch where the file system has it, else by storing zeroes. */
  zero(offset: number, length: number): void;
  /** Makes a range durable where the backing is persistent. Flushes cache lines where it is not coherent. */
  sync(offset: number, length: number): void;
  /**
   * Drops the cache lines of a range where the backing is not coherent, so that loads see what other hosts stored.
   * @throws DaxError EOPNOTSUPP without libpmem
   */
  invalidate(offset: number, length: number): void;
  /** Called at each fence that orders stores to the backing. Only a backing that records its stores (in proofs) has this. */
  fenced?(): void;
  /** Closes the descriptor. Mappings stay. Idempotent. */
  close(): void;
}

/** Bytes of a backing that a physical range maps to. */
export interface BackingPiece {
  backing: Backing;
  offset: number;
  length: number;
}

/** The parts of backings that an object uses: of each backing, the span from the first used byte to the last. */
export class MemoryBehind {
  readonly #used = new Map<Backing, { start: number; end: number }>();

  add({ backing, offset, length }: BackingPiece): void {
    const known = this.#used.get(backing);
    if (!known) this.#used.set(backing, { start: offset, end: offset + length });
    else {
      known.start = Math.min(known.start, offset);
      known.end = Math.max(known.end, offset + length);
    }
  }

  /** Adds the parts that another object uses. */
  join(other: MemoryBehind): this {
    for (const [backing, { start, end }] of other.#used)
      this.add({ backing, offset: start, length: end - start });
    return this;
  }

  /** Checks that the backings have all of it now. One system call a backing. @throws DaxError EIO names the file, its end and the range */
  check(): void {
    for (const [backing, { start, end }] of this.#used) {
      // The size of a device is a file in sysfs, which is slow to read.
      if (backing.canShrink) backing.checkRange(start, end - start);
    }
  }
}
