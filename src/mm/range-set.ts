/** A range of bytes or pages. */
export interface RangeOf {
  start: number;
  length: number;
}

/** A set of bytes or pages, as sorted ranges that neither overlap nor touch. For free and used pages of a node, and for poison. */
export class RangeSet {
  readonly #ranges: RangeOf[] = [];

  get total(): number {
    return this.#ranges.reduce((sum, range) => sum + range.length, 0);
  }

  /** The ranges, in order. */
  list(): readonly RangeOf[] {
    return this.#ranges;
  }

  /** Adds a range. Ranges that overlap or touch it are joined with it. */
  add(start: number, length: number): void {
    if (length <= 0) return;
    let from = start;
    let to = start + length;
    const first = this.#firstEndingAfter(start - 1);
    let last = first;
    for (; last < this.#ranges.length && this.#ranges[last]!.start <= to; last++) {
      const range = this.#ranges[last]!;
      from = Math.min(from, range.start);
      to = Math.max(to, range.start + range.length);
    }
    this.#ranges.splice(first, last - first, { start: from, length: to - from });
  }

  /** Removes a range from the set. @returns true when any of it was in the set */
  remove(start: number, length: number): boolean {
    const end = start + length;
    const first = this.#firstEndingAfter(start);
    const left: RangeOf[] = [];
    let last = first;
    for (; last < this.#ranges.length && this.#ranges[last]!.start < end; last++) {
      const range = this.#ranges[last]!;
      const rangeEnd = range.start + range.length;
      if (range.start < start) left.push({ start: range.start, length: start - range.start });
      if (rangeEnd > end) left.push({ start: end, length: rangeEnd - end });
    }
    this.#ranges.splice(first, last - first, ...left);
    return last > first;
  }

  /** The lowest member of the set in a range, or -1. */
  first(start: number, length: number): number {
    const range = this.#ranges[this.#firstEndingAfter(start)];
    return range !== undefined && range.start < start + length ? Math.max(range.start, start) : -1;
  }

  /** How many bytes or pages of a range are in the set. */
  overlap(start: number, length: number): number {
    const end = start + length;
    let sum = 0;
    for (let at = this.#firstEndingAfter(start); at < this.#ranges.length; at++) {
      const range = this.#ranges[at]!;
      if (range.start >= end) break;
      sum += Math.min(end, range.start + range.length) - Math.max(start, range.start);
    }
    return sum;
  }

  /** Index of the first range that ends after `place`. */
  #firstEndingAfter(place: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle]!;
      if (range.start + range.length > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
