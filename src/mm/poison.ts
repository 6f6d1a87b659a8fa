import { RangeSet } from './range-set.js';

/** A run of poisoned pages. */
export interface PoisonRange {
  pfn: number;
  pages: number;
}

/** The poisoned pages, as a list of ranges. Poison is rare, so it needs no other index. */
export class PoisonList {
  #pages = new RangeSet();
  #changes = 0;

  /** A counter that grows with every change. */
  get changes(): number {
    return this.#changes;
  }

  add(pfn: number, pages: number): void {
    if (pages <= 0) return;
    this.#changes++;
    this.#pages.add(pfn, pages);
  }

  remove(pfn: number, pages: number): void {
    if (pages > 0 && this.#pages.remove(pfn, pages)) this.#changes++;
  }

  /** The first poisoned page of [pfn, pfn + pages), or -1. */
  first(pfn: number, pages: number): number {
    return this.#pages.first(pfn, pages);
  }

  list(): PoisonRange[] {
    return this.#pages.list().map(({ start, length }) => ({ pfn: start, pages: length }));
  }

  /** Replaces the list. The ranges may come in any order and may overlap. */
  replace(ranges: readonly PoisonRange[]): void {
    this.#changes++;
    this.#pages = new RangeSet();
    for (const { pfn, pages } of ranges) this.#pages.add(pfn, pages);
  }
}

/** The pages of `ranges` that no range of `others` covers, as ranges in order of address. Ranges of one list may overlap. */
export function poisonWithout(ranges: readonly PoisonRange[], others: readonly PoisonRange[]): PoisonRange[] {
  const left = new PoisonList();
  left.replace(ranges);
  for (const { pfn, pages } of others) left.remove(pfn, pages);
  return left.list();
}
