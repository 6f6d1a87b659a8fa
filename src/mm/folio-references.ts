import { fail } from '../libc/index.js';
import type { FolioRecords } from './folio-records.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { type Section, spread } from './section.js';

/** Reference counts of folios. A range that covers a whole section is counted once for the section, else folio by folio. */
export class FolioReferences {
  readonly #records: FolioRecords;

  constructor(records: FolioRecords) {
    this.#records = records;
  }

  /** Adds `delta` to the refcount of every folio that overlaps [pfn, pfn + pages): of all, or none. @throws DaxError EINVAL a put without its get */
  count(pfn: number, pages: number, delta: 1 | -1): void {
    const end = pfn + pages;
    let page = pfn;
    while (page < end) {
      const run = this.#records.sections.runOf(page / PMD_PAGES);
      if (run !== undefined && run.first * PMD_PAGES === page && run.end * PMD_PAGES <= end) {
        if (run.references + delta < 0) this.#refuse(pfn, page);
        run.references += delta;
        page = run.end * PMD_PAGES;
        continue;
      }
      const number = this.#records.numberOf(page);
      const section = this.#records.claim(page);
      const start = number * PMD_PAGES;
      const stop = start + Math.max(PMD_PAGES, pagesOfOrder(section.order));
      const isWhole = section.order >= PMD_ORDER || (page === start && end >= stop);
      const counted = isWhole
        ? this.#countSection(section, delta)
        : this.#countPages(section, page - start, Math.min(end, stop) - start, delta);
      this.#records.settle(number, section);
      if (counted !== null) this.#refuse(pfn, start + counted);
      page = stop;
    }
  }

  /** Takes back a put from pfn on that found no reference at `page`. */
  #refuse(pfn: number, page: number): never {
    this.count(pfn, page - pfn, 1);
    fail('EINVAL', `put of pfn ${pfn} without its get`);
  }

  /** @returns null, or the first page of the section, by its offset, that a put found without a reference */
  #countSection(section: Section, delta: 1 | -1): number | null {
    if (delta === 1 || section.references > 0) section.references += delta;
    else if (section.pages !== null) return this.#countPages(section, 0, PMD_PAGES, delta);
    else return 0;
    return null;
  }

  #countPages(section: Section, from: number, to: number, delta: 1 | -1): number | null {
    const pages = this.#records.pagesFor(section)!;
    if (section.references > 0) spread(section, pages);
    for (let page = from; page < to; ) {
      const head = pages.head[page]!;
      if (pages.references[head]! + delta < 0) return page;
      pages.count(head, delta);
      page = head + pages.pagesOf(head);
    }
    return null;
  }

  refcount(pfn: number): number {
    const section = this.#records.sections.look(this.#records.numberOf(pfn));
    if (section === undefined) return 0;
    const pages = section.pages;
    return section.references + (pages === null ? 0 : pages.references[pages.head[pfn % PMD_PAGES]!]!);
  }

  /** The first page of [pfn, pfn + pages) whose folio has a reference, or -1. */
  firstBusy(pfn: number, pages: number): number {
    const end = pfn + pages;
    let page = pfn;
    while (page < end) {
      const number = Math.floor(page / PMD_PAGES);
      const run = this.#records.sections.runOf(number);
      if (run !== undefined) {
        if (run.references > 0) return page;
        page = Math.min(end, run.end * PMD_PAGES);
        continue;
      }
      const stop = Math.min(end, (number + 1) * PMD_PAGES);
      const section = this.#records.sections.get(this.#records.numberOf(page));
      if (section !== undefined) {
        if (section.references > 0) return page;
        if (section.pages !== null) for (; page < stop; page++) if (this.refcount(page) > 0) return page;
      }
      page = stop;
    }
    return -1;
  }
}
