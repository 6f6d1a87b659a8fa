import {
  addressOf,
  endReadLease,
  hasCode,
  hasReadLease,
  MAP_SHARED,
  memcpy,
  mmap,
  munmap,
  PROT_READ,
  populatePages,
  takeReadLease,
} from '../../libc/index.js';

/**
 * Large copies go by one memcpy a piece of this size: from about 190 MiB (three quarters of the cache) on, C's memcpy
 * stores past the cache and is 1.6 times as fast as the same bytes in small pieces or by read(2).
 */
export const MAPPED_PIECE_BYTES = 256 * 2 ** 20;

/**
 * A host file mapped to be copied from. A plain mapping would be a fatal SIGBUS when somebody cuts the file short;
 * a read lease makes the kernel hold such a one back until we are through.
 */
export class LeasedMapping {
  #isOpen = true;
  readonly #fd: number;
  readonly #size: number;
  readonly #address: number;

  private constructor(fd: number, size: number, address: number) {
    this.#fd = fd;
    this.#size = size;
    this.#address = address;
  }

  /** Null where the kernel gives no lease or no mapping: read(2) does the work then. */
  static of(fd: number, size: number): LeasedMapping | null {
    if (!takeReadLease(fd)) return null;
    try {
      return new LeasedMapping(fd, size, mmap(0, size, PROT_READ, MAP_SHARED, fd, 0));
    } catch {
      endReadLease(fd);
      return null;
    }
  }

  /** Fills `into` from `position` on. @returns false when somebody wants the file: the lease is given back then */
  copy(into: Uint8Array, position: number): boolean {
    if (!this.#isOpen) return false;
    if (!hasReadLease(this.#fd) || !this.#populate(position, into.length)) {
      this.end();
      return false;
    }
    memcpy(addressOf(into), this.#address + position, into.length);
    return true;
  }

  /** Brings the pages in; what the disk cannot give is an error here, where touching it would be SIGBUS. */
  #populate(position: number, length: number): boolean {
    if (position + length > this.#size) return false;
    try {
      populatePages(this.#address + position, length);
      return true;
    } catch (error) {
      if (hasCode(error, 'EFAULT', 'EIO', 'EINVAL', 'ENOMEM')) return false;
      throw error;
    }
  }

  /** Idempotent. */
  end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    munmap(this.#address, this.#size);
    endReadLease(this.#fd);
  }
}
