import {
  dropCacheLines,
  fail,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  persistMemory,
  zeroMemory,
} from '../libc/index.js';
import type { Backing } from './backing.js';
import { checkByteRange, checkInside, errorAbout, PAGE_BYTES, withShortMapping } from './backing-range.js';

/** What all files over one device have in common. */
export interface DeviceFacts {
  /** The device, for messages. */
  readonly name: string;
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  readonly writable: boolean;
  readonly persistent: boolean;
  /** The node of the device. It cannot be mapped while the kernel has the device, but it can be locked. */
  readonly lockPath: string;
}

/** A file that shows bytes of a device. Its descriptor belongs to the caller. */
export interface ShownPart {
  readonly fd: number;
  /** The byte of the device at offset 0 of the file. */
  readonly fileStart: number;
  /** The bytes of the device that are mapped here: from..from + length. */
  readonly from: number;
  readonly length: number;
}

/**
 * Memory of a dax device that the kernel has (fsdev_dax), reached through a file of a mount over it. The device's node cannot be
 * mapped then. All offsets count from the start of the device, so that locks mean the same bytes in every process.
 * Without a part it is memory that nobody may map here: a page may be mapped through one file only (fuse-extent maps).
 * No call of it makes a request to the server of the mount, so the server itself may use it. It closes no descriptor for the same reason.
 */
export class FileOfDevice implements Backing {
  readonly kind = 'devdax';
  readonly name: string;
  readonly identity: string;
  readonly size: number;
  readonly granule = PAGE_BYTES;
  readonly writable: boolean;
  readonly sharedOnly = false;
  readonly coherent = true;
  readonly persistent: boolean;
  readonly canShrink = false;
  readonly isSparse = false;
  readonly lockPath: string;
  readonly fileStart: number;
  readonly #part: ShownPart | null;
  /** The whole part, mapped for cache-line instructions; address 0 before the first of them. */
  #lines = 0;
  #isClosed = false;

  constructor(facts: DeviceFacts, part: ShownPart | null) {
    this.name = facts.name;
    this.identity = facts.identity;
    this.size = facts.size;
    this.writable = facts.writable;
    this.persistent = facts.persistent;
    this.lockPath = facts.lockPath;
    this.fileStart = part?.fileStart ?? 0;
    this.#part = part;
  }

  /** @throws DaxError EOPNOTSUPP the bytes belong to files of the mount; EBADF after close() */
  get fd(): number {
    return this.#shown.fd;
  }

  get #shown(): ShownPart {
    if (this.#isClosed) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    return (
      this.#part ??
      fail(
        'EOPNOTSUPP',
        `these bytes of ${this.name} are mapped through files of its mount only: open the file there`,
        { path: this.name },
      )
    );
  }

  checkRange(offset: number, length: number): void {
    checkInside(this.name, this.size, offset, length);
  }

  endNow(): number {
    return this.size;
  }

  ensure(offset: number, length: number): boolean {
    this.checkRange(offset, length);
    return true;
  }

  zero(offset: number, length: number): void {
    if (!this.writable)
      fail('EACCES', `${this.name} is open for reading: open it writable to zero it`, { path: this.name });
    this.checkRange(offset, length);
    const { fd, fileStart } = this.#shown;
    const range = { fd, offset: offset - fileStart, length, granule: PAGE_BYTES, writable: true };
    try {
      withShortMapping(range, (address) => zeroMemory(address, length));
    } catch (error) {
      throw errorAbout(error, `bytes ${offset}..${offset + length} of ${this.name}`, this.name);
    }
  }

  /** Writes lines back by instructions: fsync(2) of such a file flushes no caches of the processor, and would be a request. */
  sync(offset: number, length: number): void {
    checkByteRange(this.name, offset, length);
    if (this.persistent) persistMemory(this.#lineAddress(offset, length), length);
  }

  invalidate(offset: number, length: number): void {
    if (!this.coherent) dropCacheLines(this.#lineAddress(offset, length), length);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#lines !== 0) munmap(this.#lines, this.#mappedBytes);
    this.#lines = 0;
  }

  get #mappedBytes(): number {
    return Math.ceil((this.#part?.length ?? 0) / PAGE_BYTES) * PAGE_BYTES;
  }

  #lineAddress(offset: number, length: number): number {
    const { fd, fileStart, from, length: bytes } = this.#shown;
    checkInside(this.name, from + bytes, offset, length);
    try {
      if (this.#lines === 0) {
        this.#lines = mmap(0, this.#mappedBytes, PROT_READ, MAP_SHARED, fd, from - fileStart);
      }
    } catch (error) {
      throw errorAbout(error, `${this.name} cannot be mapped to flush it`, this.name);
    }
    return this.#lines + offset - from;
  }
}
