import type { PhysicalRange } from '../memory/index.js';
import {
  type AddressSpace,
  PAGE_SIZE,
  type PageTable,
  PMD_ORDER,
  PMD_PAGES,
  pagesOfOrder,
} from '../mm/index.js';
import { AddressSpaceEntries, type Entry } from './entries.js';

/** The faulted-in pages of one file: its entries, and the folios of these entries in the machine's page table. */
export class FilePages {
  readonly #table: PageTable;
  readonly #owner: AddressSpace;
  /** Made by the first fault: most files are never mapped. */
  #entries: AddressSpaceEntries | undefined;
  #pins = 0;

  constructor(table: PageTable, owner: AddressSpace) {
    this.#table = table;
    this.#owner = owner;
  }

  list(): Entry[] {
    return this.#entries?.list() ?? [];
  }

  /** Makes the missing entries: PMD entries where file range and pfn are 2 MiB aligned and inside the piece, else PTE entries. */
  insert(first: number, pfn: number, pages: number, shared: boolean): void {
    this.#entries ??= new AddressSpaceEntries();
    const entries = this.#entries;
    for (let i = 0; i < pages; ) {
      const index = first + i;
      const inSlot = index % PMD_PAGES;
      const slot = (index - inSlot) / PMD_PAGES;
      if (entries.pmdAt(slot) >= 0) {
        i += PMD_PAGES - inSlot; // an existing PMD serves small requests too
        continue;
      }
      const aligned = inSlot === 0 && (pfn + i) % PMD_PAGES === 0;
      const pmds = aligned ? entries.freePmds(slot, Math.floor((pages - i) / PMD_PAGES)) : 0;
      const ptes = pmds > 0 ? 0 : entries.freePtes(index, Math.min(pages - i, PMD_PAGES - inSlot));
      const [order, count] = pmds > 0 ? [PMD_ORDER, pmds] : [0, ptes];
      if (count > 0) {
        this.#table.associateRange(pfn + i, order, count, this.#owner, index, shared);
        if (order === 0) entries.setPtes(index, count, pfn + i);
        else entries.setPmds(slot, count, pfn + i);
      }
      i += Math.max(1, count * 2 ** order);
    }
  }

  /** The number of pinned spans. */
  get pins(): number {
    return this.#pins;
  }

  /** Takes one reference on each folio of these ranges. They must have entries. */
  pin(ranges: readonly PhysicalRange[]): void {
    this.#pins++;
    for (const { start, length } of ranges) this.#table.getRange(start / PAGE_SIZE, length / PAGE_SIZE);
  }

  unpin(ranges: readonly PhysicalRange[]): void {
    this.#pins--;
    for (const { start, length } of ranges) this.#table.putRange(start / PAGE_SIZE, length / PAGE_SIZE);
  }

  /** The first file page in [first, end) with a reference, or -1. This file must have no pins left. */
  firstBusy(first: number, end: number): number {
    let busy = -1;
    this.#entries?.forEach(first, end, (index, pfn, order, count) => {
      if (busy >= 0) return;
      const entry = this.#firstBusy(pfn, pagesOfOrder(order), count);
      if (entry >= 0) busy = index + entry * pagesOfOrder(order);
    });
    return busy;
  }

  /**
   * The first of `count` entries of `size` pages, contiguous from pfn, with a reference, or -1. A shared folio is never busy: its
   * references may be of mappings of the other files.
   */
  #firstBusy(pfn: number, size: number, count: number): number {
    for (let from = 0; from < count; ) {
      const page = this.#table.firstBusy(pfn + from * size, (count - from) * size);
      if (page < 0) break;
      const entry = Math.floor((page - pfn) / size);
      if (this.#table.describe(page).share === 0) return entry;
      from = entry + 1;
    }
    return -1;
  }

  /** Forgets every entry, and puts its folio. */
  drop(): void {
    this.#entries?.clear((_index, pfn, order, count) => this.#table.disassociateRange(pfn, order, count));
  }
}
