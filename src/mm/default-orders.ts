import { fail } from '../libc/index.js';
import { PMD_ORDER, PUD_ORDER, pagesOfOrder } from './pages.js';

interface OrderRange {
  start: number;
  /** Exclusive. */
  end: number;
  order: number;
}

/**
 * The order of folios at rest, per range of pages. device_dax leaves its align here; everywhere else the order is 0.
 * The ranges are sorted and do not overlap, and each holds whole folios of its order.
 */
export class DefaultOrders {
  #ranges: OrderRange[] = [];

  at(pfn: number): number {
    const ranges = this.#ranges;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ranges[middle]!.end <= pfn) low = middle + 1;
      else high = middle;
    }
    const range = ranges[low];
    return range !== undefined && range.start <= pfn ? range.order : 0;
  }

  /** True when every page of a range comes up as a folio of its own. */
  areSingle(pfn: number, pages: number): boolean {
    return this.#ranges.every(({ start, end }) => end <= pfn || start >= pfn + pages);
  }

  /**
   * Sets the order of a range. Where an edge cuts an older folio, the pages of that folio outside the range become order 0.
   * @throws DaxError EINVAL another order than 0, 9 or 18; the range does not hold whole folios of it
   */
  set(pfn: number, pages: number, order: number): void {
    if (order !== 0 && order !== PMD_ORDER && order !== PUD_ORDER)
      fail('EINVAL', `folios come up with order 0, ${PMD_ORDER} or ${PUD_ORDER}, not ${order}`);
    const unit = pagesOfOrder(order);
    if (pfn % unit !== 0 || pages % unit !== 0)
      fail('EINVAL', `pages ${pfn}+${pages} do not hold whole folios of order ${order}`);
    const end = pfn + pages;
    const next: OrderRange[] = [];
    for (const range of this.#ranges) {
      const size = pagesOfOrder(range.order);
      const before = Math.min(range.end, Math.max(range.start, pfn - (pfn % size)));
      const after = Math.max(range.start, Math.min(range.end, end + ((size - (end % size)) % size)));
      if (range.end <= pfn || range.start >= end) next.push(range);
      else {
        if (before > range.start) next.push({ ...range, end: before });
        if (after < range.end) next.push({ ...range, start: after });
      }
    }
    if (order !== 0) next.push({ start: pfn, end, order });
    this.#ranges = next.sort((a, b) => a.start - b.start);
  }

  list(): readonly Readonly<OrderRange>[] {
    return this.#ranges;
  }
}
