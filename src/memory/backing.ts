/** What kind of memory lies under a region: it decides how it may be mapped and whether it survives. */
export type BackingKind = 'file' | 'tmpfs' | 'hugetlbfs' | 'devdax' | 'memfd';

/**
 * Memory that several programs can reach: an open file or device. Says what those who map it need to know,
 * nothing more. Offsets and lengths are bytes.
 */
export interface Backing {
  readonly kind: BackingKind;
  /** The path (or `memfd:NAME`), for messages. */
  readonly name: string;
  /** Equal for two backings over the same memory, whatever their paths. */
  readonly identity: string;
  readonly fd: number;
  /** Bytes that were there when it was opened. */
  readonly size: number;
  /** Offsets and lengths of mappings are multiples of this: 4096, the huge page size, or the device's align. */
  readonly granule: number;
  readonly writable: boolean;
  /** A dax device: private mappings are refused (decision 14). */
  readonly sharedOnly: boolean;
  /** All users share caches: a store is seen without flushing. */
  readonly coherent: boolean;
  /** Survives power loss: pmem or a disk file. */
  readonly persistent: boolean;
  /** Others may cut it at any time, so each access asks first; devices and sealed memory do not shrink. */
  readonly canShrink: boolean;
  /** Parts of it have no space yet, by its maker's choice. One question to the kernel. */
  readonly isSparse: boolean;
  /**
   * Proves that a range is wholly there now, so that touching it cannot be SIGBUS.
   * @throws DaxError EIO naming the file, its end and the range
   */
  checkRange(offset: number, length: number): void;
  /** Bytes that are there now. */
  endNow(): number;
  /**
   * Makes sure that stores to a range (or loads alone) find memory: takes space for holes, of these bytes and no others. Where
   * there is none, the access would be a fatal SIGBUS. Memory without a disk behind it takes a page even for a hole that
   * is only looked at. Cheap where all is there.
   * @returns false where its file system cannot say so beforehand
   * @throws DaxError ENOSPC the file system is full, EIO it ends before the bytes
   */
  ensure(offset: number, length: number, access?: 'store' | 'load'): boolean;
  /** Makes a range read as zeroes: by a hole punch where the file system has it, else by storing zeroes. */
  zero(offset: number, length: number): void;
  /** Makes a range durable where the backing is persistent; else nothing. */
  sync(offset: number, length: number): void;
  /**
   * Drops the cached lines of a range of memory that is not coherent, so that loads see what other hosts stored.
   * @throws DaxError EOPNOTSUPP without libpmem
   */
  invalidate(offset: number, length: number): void;
  /** Told of each fence that orders stores to it. Only memory that records what is done to it has this. */
  fenced?(): void;
  /** Idempotent. Mappings made from it live on. */
  close(): void;
}

/** Bytes of a backing that physical addresses mean. */
export interface BackingPiece {
  backing: Backing;
  offset: number;
  length: number;
}

/** The parts of backings that something lies in: from its first byte there to its last. */
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

  /** What something else lies in, too. */
  join(other: MemoryBehind): this {
    for (const [backing, { start, end }] of other.#used)
      this.add({ backing, offset: start, length: end - start });
    return this;
  }

  /** Proves that all of it is there now. One question a backing. @throws DaxError EIO naming the file, its end and the range */
  check(): void {
    for (const [backing, { start, end }] of this.#used) {
      // Asking a device costs a file of sysfs.
      if (backing.canShrink) backing.checkRange(start, end - start);
    }
  }
}
