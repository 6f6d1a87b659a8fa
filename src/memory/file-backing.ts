import {
  closeDescriptor,
  closing,
  DaxError,
  dropCacheLines,
  fail,
  fallocate,
  fileSize,
  hasCode,
  hasHoles,
  msync,
  persistMemory,
  populatePages,
  punchHole,
  whenClosed,
  whenCollected,
  writeFully,
  zeroMemory,
  zeroRange,
} from '../libc/index.js';
import type { Backing, BackingKind } from './backing.js';
import { checkByteRange, checkInside, errorAbout, PAGE_BYTES, withShortMapping } from './backing-range.js';
import { allocateMemory } from './huge-pages.js';

/** Bytes freed and allocated again in one step. It bounds what another process can take from a full tmpfs in between. */
const REFILL_BYTES = 64 * 2 ** 20;
const ZEROES_BYTES = 2 ** 20;

export interface FileFacts {
  kind: Exclude<BackingKind, 'devdax'>;
  name: string;
  identity: string;
  fd: number;
  size: number;
  granule: number;
  writable: boolean;
  /** Default true. */
  coherent?: boolean;
}

/** A file whose pages are the memory: on a disk, tmpfs, hugetlbfs, or a memfd. */
export class FileBacking implements Backing {
  readonly kind: FileFacts['kind'];
  readonly name: string;
  readonly identity: string;
  readonly size: number;
  readonly granule: number;
  readonly writable: boolean;
  readonly sharedOnly = false;
  /** True by default: all users of one kernel's page cache see the same lines. */
  readonly coherent: boolean;
  readonly persistent: boolean;
  readonly canShrink: boolean;
  #fd: number;

  /** Takes over the descriptor. */
  constructor(facts: FileFacts) {
    this.kind = facts.kind;
    this.name = facts.name;
    this.identity = facts.identity;
    this.size = facts.size;
    this.granule = facts.granule;
    this.writable = facts.writable;
    this.coherent = facts.coherent ?? true;
    this.persistent = facts.kind === 'file';
    this.canShrink = facts.kind !== 'memfd';
    this.#fd = facts.fd;
    whenCollected(this, facts.name, closing(facts.fd));
  }

  /** @throws DaxError EBADF after close(): the number may belong to another file by then */
  get fd(): number {
    if (this.#fd < 0) fail('EBADF', `${this.name} was closed: open it again`, { path: this.name });
    return this.#fd;
  }

  checkRange(offset: number, length: number): void {
    checkInside(this.name, this.endNow(), offset, length);
  }

  endNow(): number {
    return fileSize(this.fd);
  }

  get isSparse(): boolean {
    try {
      return hasHoles(this.fd);
    } catch (error) {
      throw errorAbout(error, `whether ${this.name} has holes`, this.name);
    }
  }

  ensure(offset: number, length: number, access: 'store' | 'load' = 'store'): boolean {
    // A load from a hole of a disk file reads zeroes and needs no space.
    if (access === 'load' && this.kind === 'file') return true;
    // First, because allocating space past the end of a file would make the file longer.
    this.checkRange(offset, length);
    try {
      if (this.writable && this.isSparse) allocateMemory(this.fd, this.kind, offset, length);
      else if (this.writable) fallocate(this.fd, offset, length);
      else this.#lookAt(offset, length);
      return true;
    } catch (error) {
      if (hasCode(error, 'EOPNOTSUPP', 'ENOSYS')) return false;
      if (!(error instanceof DaxError)) throw error;
      const message = `${this.name}: no memory for the bytes at ${offset}: ${error.message}`;
      throw new DaxError(error.code, message, { path: this.name, cause: error });
    }
  }

  /** Faults pages in for the holes of a file that may not be written, as loads would. */
  #lookAt(offset: number, length: number): void {
    try {
      this.#withLines(offset, length, (address) => populatePages(address, length));
    } catch (error) {
      if (!hasCode(error, 'EFAULT', 'ENOMEM')) throw error;
      throw new DaxError('ENOSPC', 'its holes find none: free some space there', { cause: error });
    }
  }

  zero(offset: number, length: number): void {
    if (!this.writable)
      fail('EACCES', `${this.name} is open for reading: open it writable to zero it`, { path: this.name });
    this.checkRange(offset, length);
    try {
      this.#zeroSomehow(offset, length);
    } catch (error) {
      throw errorAbout(error, `zeroing bytes ${offset}..${offset + length} of ${this.name}`, this.name);
    }
  }

  #zeroSomehow(offset: number, length: number): void {
    try {
      if (this.kind === 'hugetlbfs') this.#clear(offset, length);
      else if (this.isSparse) punchHole(this.fd, offset, length);
      else if (!zeroRange(this.fd, offset, length)) this.#refill(offset, length);
    } catch (error) {
      if (!hasCode(error, 'EOPNOTSUPP', 'ENOSYS')) throw error;
      writeZeroes(this.fd, offset, length);
    }
  }

  sync(offset: number, length: number): void {
    checkByteRange(this.name, offset, length);
    // Bytes that the file had and lost by truncation cannot be made durable: EIO. Bytes past its size at open are not
    // checked: an image that is shorter than its device reads zeroes there.
    const there = Math.min(offset + length, this.size) - offset;
    if (there <= 0) return;
    this.checkRange(offset, there);
    if (!this.coherent) this.#withLines(offset, there, (address) => persistMemory(address, there));
    if (!this.persistent) return;
    // msync writes back the pages of the range, whichever process dirtied them, and no other part of the file.
    const range = { fd: this.fd, offset, length: there, granule: PAGE_BYTES, writable: false };
    try {
      withShortMapping(range, (address) => {
        const lead = address % PAGE_BYTES;
        msync(address - lead, lead + there);
      });
    } catch (error) {
      throw errorAbout(error, `bytes ${offset}..${offset + length} of ${this.name} are not safe`, this.name);
    }
  }

  invalidate(offset: number, length: number): void {
    if (this.coherent) return;
    this.checkRange(offset, length);
    this.#withLines(offset, length, (address) => dropCacheLines(address, length));
  }

  #withLines(offset: number, length: number, use: (address: number) => void): void {
    withShortMapping({ fd: this.fd, offset, length, granule: this.granule, writable: false }, use);
  }

  close(): void {
    if (this.#fd < 0) return;
    whenClosed(this);
    const fd = this.#fd;
    this.#fd = -1;
    closeDescriptor(fd);
  }

  /** Replaces the pages: fresh ones are zero, and faster to get than old ones are to clear (tmpfs: 0.14 against 0.4 s/GiB). */
  #refill(offset: number, length: number): void {
    for (let at = offset; at < offset + length; at += REFILL_BYTES) {
      const bytes = Math.min(REFILL_BYTES, offset + length - at);
      punchHole(this.fd, at, bytes);
      allocateMemory(this.fd, this.kind, at, bytes);
    }
  }

  /** Stores zeroes. Huge pages come from a small pool: once freed, they may not be available again. */
  #clear(offset: number, length: number): void {
    const range = { fd: this.fd, offset, length, granule: this.granule, writable: true };
    withShortMapping(range, (address) => zeroMemory(address, length));
  }
}

/** Writes zeroes to a range of a file: the way to get space where the file system cannot allocate it (ext3, NFS, 9p). */
export function writeZeroes(fd: number, offset: number, length: number): void {
  const zeroes = new Uint8Array(Math.min(length, ZEROES_BYTES));
  for (let done = 0; done < length; ) {
    const bytes = zeroes.subarray(0, Math.min(zeroes.length, length - done));
    writeFully(fd, bytes, offset + done);
    done += bytes.length;
  }
}
