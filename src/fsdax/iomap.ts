import type { DaxError } from '../libc/index.js';

/** Where one piece of a file lies: `length` bytes at file `offset` are at `address` on the device. */
export interface Iomap {
  /** famfs files are preallocated: there are no holes and nothing unwritten. */
  readonly type: 'mapped';
  /** File offset, bytes. */
  readonly offset: number;
  /** Bytes, > 0 and <= what was asked. */
  readonly length: number;
  /** Device offset, bytes. */
  readonly address: number;
  /** Another file has the same bytes (famfs' clone): their folios count shares instead of naming one file. */
  readonly shared: boolean;
}

/** A file system's answer to "where is this byte": all that fs-dax asks of it (the kernel's iomap_begin). */
export interface IomapProvider {
  /** For messages: "/a on dax0.0". */
  readonly name: string;
  /** File size, bytes. Reads stop here, writes at or past it are refused. */
  readonly size: number;
  /**
   * The piece that starts at file `offset`, at most `length` bytes long. Mapping asks for whole pages
   * (huge ones on hugetlbfs), so it may ask past `size`.
   * @throws DaxError when the file system cannot say (ENODEV unknown device, EIO outside the device)
   */
  iomap(offset: number, length: number): Iomap;
  /** Why mappings that the memory layer ended are gone, when it is by the file system's doing. */
  loss?(): DaxError | undefined;
}
