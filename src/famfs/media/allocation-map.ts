/**
 * A bitmap of the allocation units that are taken. Unit i is bit i&7 of byte i>>3 (the order C uses).
 * Searches go a 32-bit word at a time.
 */
import { fail } from '../../libc/index.js';

/** 2^31 units: 4 PiB in units of 2 MiB. The map then has 256 MiB, of which only the used parts become resident. */
const MAX_UNITS = 2 ** 31;
const FULL = 0xffffffff;
/**
 * Words of a block. A block that was marked as a whole is remembered as full and is not visited again. Otherwise a hostile log
 * that marks a huge device again and again would cost a visit of every word each time.
 */
const BLOCK_WORDS = 2 ** 13;
const BLOCK_UNITS = BLOCK_WORDS * 32;

export class AllocationMap {
  readonly #words: Uint32Array;
  /** No word before this one has a free bit. A search for the first free unit may start here. */
  #firstMaybeFreeWord = 0;
  /** One byte a block: 1 when all words of the block are known to be full. Created when a range first spans a whole block. */
  #fullBlocks: Uint8Array | undefined;

  /** @throws DaxError EFBIG beyond 2^31 units */
  constructor(readonly units: number) {
    if (!(Number.isInteger(units) && units >= 0 && units <= MAX_UNITS)) {
      fail('EFBIG', `an allocation map of ${units} units is more than udax can hold (${MAX_UNITS})`);
    }
    this.#words = new Uint32Array(Math.ceil(units / 32));
  }

  /** A live view of the map's ceil(units / 8) bytes. */
  bytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer, 0, Math.ceil(this.units / 8));
  }

  isSet(unit: number): boolean {
    return (this.#words[unit >>> 5]! & (1 << (unit & 31))) !== 0;
  }

  /**
   * Marks `count` units from `start` on as taken. Units past the end of the map are ignored.
   * @returns how many of these units were taken before
   */
  set(start: number, count: number): number {
    if ((start & 31) + count <= 32 && start + count <= this.units) return this.#setInWord(start, count);
    let taken = 0;
    const end = Math.min(start + count, this.units);
    for (let unit = Math.max(0, start); unit < end; ) {
      const blockEnd = (Math.floor(unit / BLOCK_UNITS) + 1) * BLOCK_UNITS;
      const stop = Math.min(end, blockEnd);
      const isWhole = unit === blockEnd - BLOCK_UNITS && stop === blockEnd;
      taken += isWhole ? this.#setBlock(unit) : this.#setPart(unit, stop - unit);
      unit = stop;
    }
    return taken;
  }

  /** Marks units if all of them are there and free. @returns false when not: none was marked */
  take(start: number, count: number): boolean {
    const end = start + count;
    if (end > this.units) return false;
    const words = this.#words;
    const first = start >>> 5;
    const last = (end - 1) >>> 5;
    if (first === last) {
      const mask = lowMask(count) << (start & 31);
      if ((words[first]! & mask) !== 0) return false;
      words[first]! |= mask;
      return true;
    }
    const head = FULL << (start & 31);
    const tail = lowMask(end - last * 32);
    if ((words[first]! & head) !== 0 || (words[last]! & tail) !== 0) return false;
    for (let index = first + 1; index < last; index++) if (words[index] !== 0) return false;
    words[first]! |= head;
    words.fill(FULL, first + 1, last);
    words[last]! |= tail;
    return true;
  }

  #setBlock(start: number): number {
    this.#fullBlocks ??= new Uint8Array(Math.ceil(this.#words.length / BLOCK_WORDS));
    const block = start / BLOCK_UNITS;
    if (this.#fullBlocks[block] === 1) return BLOCK_UNITS;
    this.#fullBlocks[block] = 1;
    return this.#setPart(start, BLOCK_UNITS);
  }

  #setPart(start: number, count: number): number {
    let taken = 0;
    this.#eachWord(start, count, (index, mask) => {
      const word = this.#words[index]!;
      taken += popcount(word & mask);
      this.#words[index] = word | mask;
    });
    return taken;
  }

  /** The quick path of set(): most files lie within one word. */
  #setInWord(start: number, count: number): number {
    const index = start >>> 5;
    const mask = lowMask(count) << (start & 31);
    const word = this.#words[index]!;
    this.#words[index] = word | mask;
    return (word & mask) === 0 ? 0 : popcount(word & mask);
  }

  /** Marks units as free. */
  clear(start: number, count: number): void {
    if (count > 0)
      this.#fullBlocks?.fill(0, Math.floor(start / BLOCK_UNITS), Math.ceil((start + count) / BLOCK_UNITS));
    this.#eachWord(start, count, (index, mask) => {
      this.#words[index] = this.#words[index]! & ~mask;
    });
    this.#firstMaybeFreeWord = Math.min(this.#firstMaybeFreeWord, start >>> 5);
  }

  /** How many units of a range are taken. */
  countSet(start = 0, count = this.units): number {
    let taken = 0;
    if (start === 0 && count === this.units) {
      for (const word of this.#words) if (word !== 0) taken += popcount(word);
      return taken;
    }
    this.#eachWord(start, count, (index, mask) => {
      taken += popcount(this.#words[index]! & mask);
    });
    return taken;
  }

  /** The first free unit in from..end, or `end` when there is none. */
  nextFree(from: number, end = this.units): number {
    if (from >= end) return end;
    const first = from >>> 5;
    let index = Math.max(first, this.#firstMaybeFreeWord);
    // All units before the hint are taken. So a start at the hint's word boundary skips no free unit.
    let word = index === first ? this.#words[index]! | lowMask(from & 31) : (this.#words[index] ?? FULL);
    const last = (end - 1) >>> 5;
    while (index <= last && word >>> 0 === FULL) word = this.#words[++index] ?? FULL;
    if (index > last) return end;
    return Math.min(end, index * 32 + trailingZeros(~word));
  }

  /** The first taken unit in from..end, or `end` when there is none. */
  nextSet(from: number, end = this.units): number {
    if (from >= end) return end;
    let index = from >>> 5;
    let word = (this.#words[index] ?? 0) & ~lowMask(from & 31);
    const last = (end - 1) >>> 5;
    while (index <= last && word === 0) word = this.#words[++index] ?? 0;
    if (index > last) return end;
    return Math.min(end, index * 32 + trailingZeros(word));
  }

  /** Finds the first run of `count` free units within from..end. Returns its first unit, or -1. */
  findRun(count: number, from: number, end: number): number {
    this.#advanceHint();
    let start = this.nextFree(from, end);
    while (end - start >= count) {
      const stop = this.nextSet(start, start + count);
      if (stop - start >= count) return start;
      start = this.nextFree(stop, end);
    }
    return -1;
  }

  /** Every run of free units within from..end, in order. */
  *freeRuns(from = 0, end = this.units): Generator<{ start: number; count: number }> {
    let start = this.nextFree(from, end);
    while (start < end) {
      const stop = this.nextSet(start, end);
      yield { start, count: stop - start };
      start = this.nextFree(stop, end);
    }
  }

  /** Every run of taken units, in order. */
  *setRuns(): Generator<{ start: number; count: number }> {
    let start = this.nextSet(0);
    while (start < this.units) {
      const stop = this.nextFree(start);
      yield { start, count: stop - start };
      start = this.nextSet(stop);
    }
  }

  #advanceHint(): void {
    while (this.#words[this.#firstMaybeFreeWord] === FULL) this.#firstMaybeFreeWord++;
  }

  #eachWord(start: number, count: number, visit: (index: number, mask: number) => void): void {
    const end = Math.min(start + count, this.units);
    let unit = Math.max(0, start);
    while (unit < end) {
      const index = unit >>> 5;
      const stop = Math.min(end, (index + 1) * 32);
      visit(index, (lowMask(stop - index * 32) & ~lowMask(unit & 31)) >>> 0);
      unit = stop;
    }
  }
}

/** The lowest n bits, n 0..32. */
function lowMask(n: number): number {
  return n >= 32 ? FULL : (1 << n) - 1;
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555);
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333);
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
