/** Poisoned pages as sorted, merged ranges that do not touch: poison is rare, so a list is the whole index. */
export interface PoisonRange {
  pfn: number;
  pages: number;
}

export class PoisonList {
  #ranges: PoisonRange[] = [];
  #changes = 0;

  get empty(): boolean {
    return this.#ranges.length === 0;
  }

  /** Grows with every change. */
  get changes(): number {
    return this.#changes;
  }

  add(pfn: number, pages: number): void {
    if (pages <= 0) return;
    this.#changes++;
    let start = pfn;
    let end = pfn + pages;
    // Those that overlap or touch become one with it.
    const from = this.#firstEndingAfter(start - 1);
    let to = from;
    for (; to < this.#ranges.length && this.#ranges[to]!.pfn <= end; to++) {
      const range = this.#ranges[to]!;
      start = Math.min(start, range.pfn);
      end = Math.max(end, range.pfn + range.pages);
    }
    this.#ranges.splice(from, to - from, { pfn: start, pages: end - start });
  }

  remove(pfn: number, pages: number): void {
    if (this.empty || pages <= 0) return;
    const end = pfn + pages;
    const from = this.#firstEndingAfter(pfn);
    const left: PoisonRange[] = [];
    let to = from;
    for (; to < this.#ranges.length && this.#ranges[to]!.pfn < end; to++) {
      const range = this.#ranges[to]!;
      const rangeEnd = range.pfn + range.pages;
      if (range.pfn < pfn) left.push({ pfn: range.pfn, pages: pfn - range.pfn });
      if (rangeEnd > end) left.push({ pfn: end, pages: rangeEnd - end });
    }
    if (to === from) return;
    this.#changes++;
    this.#ranges.splice(from, to - from, ...left);
  }

  /** First poisoned page of [pfn, pfn + pages), or -1. */
  first(pfn: number, pages: number): number {
    const range = this.#ranges[this.#firstEndingAfter(pfn)];
    return range !== undefined && range.pfn < pfn + pages ? Math.max(range.pfn, pfn) : -1;
  }

  list(): PoisonRange[] {
    return this.#ranges.map((range) => ({ ...range }));
  }

  /** In any order, also overlapping. */
  replace(ranges: readonly PoisonRange[]): void {
    this.#changes++;
    this.#ranges = [];
    for (const { pfn, pages } of [...ranges].sort((a, b) => a.pfn - b.pfn)) {
      const last = this.#ranges.at(-1);
      if (pages <= 0) continue;
      if (last === undefined || last.pfn + last.pages < pfn) this.#ranges.push({ pfn, pages });
      else last.pages = Math.max(last.pages, pfn + pages - last.pfn);
    }
  }

  /** Index of the first range that ends above a page. */
  #firstEndingAfter(pfn: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const range = this.#ranges[middle]!;
      if (range.pfn + range.pages > pfn) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
