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

  /** Adds `delta` to the refcount of every folio that overlaps [pfn, pfn + pages). @throws DaxError EINVAL a put without its get */
  count(pfn: number, pages: number, delta: 1 | -1): void {
    const end = pfn + pages;
    let page = pfn;
    while (page < end) {
      const number = this.#records.numberOf(page);
      const section = this.#records.sections.get(number) ?? this.#records.claim(page);
      const start = number * PMD_PAGES;
      const stop = section.order > PMD_ORDER ? start + pagesOfOrder(section.order) : start + PMD_PAGES;
      if (section.order >= PMD_ORDER || (page === start && end >= stop))
        this.#countSection(section, delta, pfn);
      else this.#countPages(section, page - start, Math.min(end, stop) - start, delta, pfn);
      if (delta < 0) this.#records.settle(number, section);
      page = stop;
    }
  }

  #countSection(section: Section, delta: 1 | -1, pfn: number): void {
    if (delta > 0 || section.references > 0) section.references += delta;
    else if (section.pages !== null) this.#countPages(section, 0, PMD_PAGES, delta, pfn);
    else fail('EINVAL', `put of pfn ${pfn} without its get`);
  }

  #countPages(section: Section, from: number, to: number, delta: 1 | -1, pfn: number): void {
    const pages = this.#records.pagesFor(section)!;
    if (delta < 0 && section.references > 0) spread(section, pages);
    for (let page = from; page < to; ) {
      const head = pages.head[page]!;
      if (pages.references[head]! + delta < 0) fail('EINVAL', `put of pfn ${pfn} without its get`);
      pages.count(head, delta);
      page = head + pages.pagesOf(head);
    }
  }

  refcount(pfn: number): number {
    const section = this.#records.sections.get(this.#records.numberOf(pfn));
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
