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
  /**
   * Proves that a range is wholly there now, so that touching it cannot be SIGBUS.
   * @throws EIO naming the file, its end and the range
   */
  checkRange(offset: number, length: number): void;
  /** Bytes that are there now. */
  endNow(): number;
  /** Makes a range read as zeroes: by a hole punch where the file system has it, else by storing zeroes. */
  zero(offset: number, length: number): void;
  /** Makes a range durable where the backing is persistent; else nothing. */
  sync(offset: number, length: number): void;
  /**
   * Drops the cached lines of a range of memory that is not coherent, so that loads see what other hosts stored.
   * @throws EOPNOTSUPP without libpmem
   */
  invalidate(offset: number, length: number): void;
  /** Told of each fence that orders stores to it. Only memory that records what is done to it has this. */
  fenced?(): void;
  /** Idempotent. Mappings made from it live on. */
  close(): void;
}
