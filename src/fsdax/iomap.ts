import type { DaxError } from '../libc/index.js';

/** The place of one piece of a file: `length` bytes at file `offset` are at `address` on the device. */
export interface Iomap {
  /** famfs files are preallocated: there are no holes and no unwritten extents. */
  readonly type: 'mapped';
  /** File offset, bytes. */
  readonly offset: number;
  /** Bytes: > 0, and <= the requested length. */
  readonly length: number;
  /** Device offset, bytes. */
  readonly address: number;
  /** Another file has the same bytes (famfs' clone): their folios have a share count instead of one mapping. */
  readonly shared: boolean;
}

/** A file, as its file system describes it to fs-dax (the kernel's iomap_begin). */
export interface IomapProvider {
  /** For messages: "/a on dax0.0". */
  readonly name: string;
  /** File size, bytes. Reads stop here; writes past it are refused. */
  readonly size: number;
  /**
   * The piece that starts at file `offset`, at most `length` bytes long. Mapping requests whole pages (huge pages on
   * hugetlbfs), so the request may go past `size`.
   * @throws DaxError ENODEV unknown device, EIO outside the device
   */
  iomap(offset: number, length: number): Iomap;
  /** The error for mappings that were killed, when the file system is the cause; else undefined. */
  loss?(): DaxError | undefined;
}
