/** Poisoned pages as sorted, merged ranges: poison is rare, so a list is the whole index. */
export interface PoisonRange {
  pfn: number;
  pages: number;
}

export class PoisonList {
  #ranges: PoisonRange[] = [];

  get empty(): boolean {
    return this.#ranges.length === 0;
  }

  add(pfn: number, pages: number): void {
    if (pages <= 0) return;
    let start = pfn;
    let end = pfn + pages;
    const apart: PoisonRange[] = [];
    for (const range of this.#ranges) {
      if (range.pfn + range.pages < start || range.pfn > end) {
        apart.push(range);
        continue;
      }
      start = Math.min(start, range.pfn);
      end = Math.max(end, range.pfn + range.pages);
    }
    apart.push({ pfn: start, pages: end - start });
    this.#ranges = apart.sort((a, b) => a.pfn - b.pfn);
  }

  remove(pfn: number, pages: number): void {
    if (this.empty || pages <= 0) return;
    const end = pfn + pages;
    const left: PoisonRange[] = [];
    for (const range of this.#ranges) {
      const rangeEnd = range.pfn + range.pages;
      if (range.pfn < pfn) left.push({ pfn: range.pfn, pages: Math.min(rangeEnd, pfn) - range.pfn });
      if (rangeEnd > end) {
        const start = Math.max(range.pfn, end);
        left.push({ pfn: start, pages: rangeEnd - start });
      }
    }
    this.#ranges = left;
  }

  /** First poisoned page of [pfn, pfn + pages), or -1. */
  first(pfn: number, pages: number): number {
    for (const range of this.#ranges) {
      if (range.pfn >= pfn + pages) return -1;
      if (range.pfn + range.pages > pfn) return Math.max(range.pfn, pfn);
    }
    return -1;
  }

  list(): PoisonRange[] {
    return this.#ranges.map((range) => ({ ...range }));
  }

  replace(ranges: readonly PoisonRange[]): void {
    this.#ranges = [];
    for (const range of ranges) this.add(range.pfn, range.pages);
  }
}
