import { fail } from '../libc/index.js';
import type { Backing } from './backing.js';
import { checkByteRange, checkInside, PAGE_BYTES } from './backing-range.js';
import { RangeWindows } from './kernel-windows.js';
import type { PhysicalRange } from './mapping.js';
import { appendPiece, type Piece } from './pieces.js';

/** A range of physical addresses, and the backing behind it. */
export interface BackedRange extends PhysicalRange {
  /** The caller owns it, and closes it after remove(). */
  backing: Backing;
  /** Bytes from the backing's start to the range's first byte. */
  offset: number;
  /** The range may be longer than the backing (image files). Own views read zeroes there; user mappings fail with EIO. */
  zeroExtend?: boolean;
}

/** A range that is in the map, with its windows. */
export class InsertedRange {
  readonly start: number;
  readonly end: number;
  readonly length: number;
  readonly backing: Backing;
  readonly offset: number;
  readonly windows: RangeWindows;
  /** Bytes from the start that the backing has. */
  readonly #backed: number;
  /** Other processes may truncate a file at any time. Devices and sealed memory do not shrink. */
  readonly #canShrink: boolean;

  constructor({ start, length, backing, offset, zeroExtend = false }: BackedRange) {
    this.start = start;
    this.end = start + length;
    this.length = length;
    this.backing = backing;
    this.offset = offset;
    this.#backed = zeroExtend ? Math.max(0, Math.min(length, backing.size - offset)) : length;
    this.#canShrink = backing.canShrink;
    this.windows = new RangeWindows(this);
  }

  /**
   * Checks that a load or store of bytes `from`..`to` finds memory now: on a truncated file it would be a fatal SIGBUS. One
   * system call. Bytes past the backing's size at open are zero pages, and need no check.
   * @throws DaxError EIO names the file, its end and the range
   */
  assertThere(from: number, to: number): void {
    if (!this.#canShrink) return;
    const end = Math.min(to, this.#backed);
    if (end > from) this.backing.checkRange(this.offset + from, end - from);
  }

  /** The first address that reads as zero because it is past the backing's size at open; the range's end where there is none. */
  get backedEnd(): number {
    return this.start + this.#backed;
  }

  /** As assertThere(), for file data: bytes past the backing's size at open are lost, not zero. @throws DaxError EIO */
  assertBacked(from: number, to: number): void {
    if (to > this.#backed) checkInside(this.backing.name, this.backing.size, this.offset + from, to - from);
    this.assertThere(from, to);
  }

  /** Appends the pieces for an own view of bytes `from`..`to` of the range. Bytes past the backing's size at open become zeroes. */
  appendOwnView(pieces: Piece[], from: number, to: number): void {
    const { granule } = this.backing;
    // Where a file ends inside a page, the kernel shows zeroes in the rest of that page.
    const mappable = Math.ceil((this.offset + this.#backed) / granule) * granule - this.offset;
    const seam = Math.max(from, Math.min(to, this.#backed > 0 ? mappable : 0));
    if (seam > from) {
      const backed = Math.min(seam, this.#backed) - from;
      appendPiece(pieces, { backing: this.backing, offset: this.offset + from, length: seam - from, backed });
    }
    if (to > seam) appendPiece(pieces, { backing: null, offset: 0, length: to - seam, backed: 0 });
  }
}

/** Ranges in order of address; no two overlap. */
export class RangeTable {
  readonly #ranges: InsertedRange[] = [];

  /** Inserts a range. @throws DaxError EINVAL misaligned, or no byte range; EBUSY the addresses are taken */
  insert(wanted: BackedRange): void {
    const { start, length, offset, backing } = wanted;
    checkByteRange(`memory of ${backing.name}`, start, length);
    if (
      !Number.isSafeInteger(offset) ||
      offset < 0 ||
      offset % PAGE_BYTES !== 0 ||
      start % PAGE_BYTES !== 0
    ) {
      fail(
        'EINVAL',
        `${backing.name}: address ${hex(start)} and offset ${offset} must be multiples of ${PAGE_BYTES}`,
      );
    }
    const at = this.#firstEndingAfter(start);
    const next = this.#ranges[at];
    if (next && next.start < start + length) {
      fail(
        'EBUSY',
        `${hex(start)}..${hex(start + length)} for ${backing.name} overlaps ${hex(next.start)}..${hex(next.end)} of ${next.backing.name}: remove that first`,
      );
    }
    this.#ranges.splice(at, 0, new InsertedRange(wanted));
  }

  /** Removes and returns the range that starts at `start`. @throws DaxError ENXIO none starts there */
  take(start: number): InsertedRange {
    const at = this.#firstEndingAfter(start);
    const range = this.#ranges[at];
    if (range?.start !== start) fail('ENXIO', `no memory starts at ${hex(start)}`);
    this.#ranges.splice(at, 1);
    return range;
  }

  /** The range that contains an address, if any. */
  find(address: number): InsertedRange | undefined {
    const range = this.#ranges[this.#firstEndingAfter(address)];
    return range && range.start <= address ? range : undefined;
  }

  first(): InsertedRange | undefined {
    return this.#ranges[0];
  }

  /** Visits `length` bytes at `start` range by range: bytes `from`..`to` of each. @throws DaxError ENXIO no memory, EINVAL */
  walk(start: number, length: number, visit: (range: InsertedRange, from: number, to: number) => void): void {
    checkByteRange('physical memory', start, length);
    const end = start + length;
    for (let at = start; at < end; ) {
      const range = this.find(at);
      if (!range) {
        fail(
          'ENXIO',
          `there is no memory at ${hex(at)} (of ${hex(start)}..${hex(end)}): is the region gone?`,
        );
      }
      const to = Math.min(end, range.end);
      visit(range, at - range.start, to - range.start);
      at = to;
    }
  }

  [Symbol.iterator](): Iterator<InsertedRange> {
    return this.#ranges[Symbol.iterator]();
  }

  #firstEndingAfter(address: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.end > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

const hex = (address: number) => `0x${address.toString(16)}`;
