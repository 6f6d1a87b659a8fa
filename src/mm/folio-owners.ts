import { fail } from '../libc/index.js';
import type { FolioRecords } from './folio-records.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { type AddressSpace, dissolve, owned, Section, share } from './section.js';

/** The owners of folios: mapping, index and share count. PageTable has methods of the same names. */
export class FolioOwners {
  readonly #records: FolioRecords;

  constructor(records: FolioRecords) {
    this.#records = records;
  }

  /**
   * First fault of an entry of `order` (0..9) at pfn. The page must be order 0 and unmapped. It becomes the head of a folio
   * of that order with this mapping and index. With `shared`, a folio that has an owner gets one more owner instead.
   * @throws DaxError EINVAL misaligned or bad order; EBUSY mapped already (and not shared), or part of another folio
   */
  associate(pfn: number, order: number, mapping: AddressSpace, index: number, shared: boolean): void {
    if (order < 0 || order > PMD_ORDER || pfn % pagesOfOrder(order) !== 0)
      fail('EINVAL', `pfn ${pfn} cannot head a folio of order ${order}`);
    if (order === PMD_ORDER) this.#associateSection(pfn, mapping, index, shared);
    else this.#associatePages(pfn, order, mapping, index, shared);
  }

  /** associate() of `count` neighbouring entries of one order: all or none. */
  associateRange(
    pfn: number,
    order: number,
    count: number,
    mapping: AddressSpace,
    index: number,
    shared: boolean,
  ): void {
    if (order === PMD_ORDER && this.#isFree(pfn, count)) {
      const first = pfn / PMD_PAGES;
      this.#records.sections.setRun(first, first + count, mapping, index);
      return;
    }
    const step = pagesOfOrder(order);
    for (let done = 0; done < count; done++) {
      try {
        this.associate(pfn + done * step, order, mapping, index + done * step, shared);
      } catch (error) {
        this.disassociateRange(pfn, order, done);
        throw error;
      }
    }
  }

  /**
   * Removes an entry (the kernel's put). A shared folio loses one owner. Any other folio is reset: mapping and union word
   * are cleared, and the folio becomes order 0 pages. References stay. A page without an owner stays as it is.
   * @returns the order that the folio had; 0 while others still share it
   */
  disassociate(pfn: number): number {
    const number = Math.floor(pfn / PMD_PAGES);
    const section = this.#records.sections.get(number);
    if (section === undefined) return 0;
    const pages = section.pages;
    if (pages === null) {
      if (section.mapping === null && section.union === 0) return 0;
      if (section.mapping === null && --section.union > 0) return 0;
      const { order } = section;
      this.#records.reset(number, section);
      return order;
    }
    const head = pages.head[pfn % PMD_PAGES]!;
    if (pages.mapping[head] === null && pages.union[head]! > 1) {
      pages.union[head]!--;
      return 0;
    }
    const order = pages.order[head]!;
    dissolve(pages, head);
    this.#records.settle(number, section);
    return order;
  }

  /** disassociate() of `count` neighbouring entries of one order. */
  disassociateRange(pfn: number, order: number, count: number): void {
    const step = pagesOfOrder(order);
    const { sections } = this.#records;
    for (let done = 0; done < count; ) {
      const number = (pfn + done * step) / PMD_PAGES;
      const run = order === PMD_ORDER ? sections.runOf(number) : undefined;
      if (run?.first === number && run.references === 0 && run.end - number <= count - done) {
        sections.deleteRun(run);
        done += run.end - number;
      } else this.disassociate(pfn + done++ * step);
    }
  }

  /** True when `count` sections from pfn on are single pages at rest. */
  #isFree(pfn: number, count: number): boolean {
    const first = pfn / PMD_PAGES;
    const { defaults, sections } = this.#records;
    return (
      Number.isInteger(first) &&
      defaults.areSingle(pfn, count * PMD_PAGES) &&
      sections.isEmpty(first, first + count)
    );
  }

  /** First fault of a device_dax unit: sets mapping and index of the folio at pfn unless it has one. */
  mapFolio(pfn: number, mapping: AddressSpace, index: number): void {
    const section = this.#records.claim(pfn);
    const pages = this.#records.pagesFor(section);
    if (pages === null) {
      if (section.mapping !== null) return;
      section.mapping = mapping;
      section.union = index;
      return;
    }
    const head = pages.head[pfn % PMD_PAGES]!;
    if (pages.mapping[head] !== null) return;
    pages.change(head, () => {
      pages.mapping[head] = mapping;
      pages.union[head] = index;
    });
  }

  /** Clears mapping and index of a device_dax folio that lost its last reference; the order stays. */
  unmapFolio(pfn: number): void {
    const number = this.#records.numberOf(pfn);
    const section = this.#records.sections.get(number);
    if (section === undefined) return;
    if (section.pages === null) {
      section.mapping = null;
      section.union = 0;
    } else {
      const pages = section.pages;
      const head = pages.head[pfn % PMD_PAGES]!;
      pages.change(head, () => {
        pages.mapping[head] = null;
        pages.union[head] = 0;
      });
    }
    this.#records.settle(number, section);
  }

  #associateSection(pfn: number, mapping: AddressSpace, index: number, shared: boolean): void {
    const number = pfn / PMD_PAGES;
    const section = this.#records.sections.get(number);
    if (section === undefined) {
      if (this.#records.defaults.at(pfn) !== 0) this.#compound(pfn);
      this.#records.sections.set(number, new Section(PMD_ORDER, mapping, index));
      return;
    }
    if (section.order >= PMD_ORDER) {
      if (!owned(section)) this.#compound(pfn);
      if (!shared) this.#mapped(pfn, section.mapping);
      share(section);
      return;
    }
    if (section.pages !== null || section.references !== 0) {
      fail('EBUSY', `pages of the 2 MiB at pfn ${pfn} are in use: map it by single pages`);
    }
    section.order = PMD_ORDER;
    section.mapping = mapping;
    section.union = index;
  }

  #associatePages(pfn: number, order: number, mapping: AddressSpace, index: number, shared: boolean): void {
    const number = Math.floor(pfn / PMD_PAGES);
    const known = this.#records.sections.get(number);
    if ((known?.order ?? this.#records.defaults.at(pfn)) >= PMD_ORDER) {
      if (known === undefined || !owned(known)) this.#compound(pfn);
      if (!shared) this.#mapped(pfn, known.mapping);
      share(known);
      return;
    }
    const at = pfn % PMD_PAGES;
    const before = known?.pages ?? null;
    if (before !== null) {
      const head = before.head[at]!;
      const owner = before.mapping[head]!;
      if (owner !== null || before.union[head] !== 0) {
        if (!shared) this.#mapped(pfn, owner);
        before.mapping[head] = null;
        before.union[head] = owner === null ? before.union[head]! + 1 : 2;
        return;
      }
    }
    if (order > 0) this.#mustRest(known, at, order, pfn);
    const pages = this.#records.pagesFor(this.#records.claim(pfn))!;
    pages.change(at, () => {
      pages.order[at] = order;
      pages.mapping[at] = mapping;
      pages.union[at] = index;
    });
    for (let tail = at + 1; tail < at + pagesOfOrder(order); tail++) pages.head[tail] = at;
  }

  /** Checks that the pages which become one folio are at rest. @throws DaxError EBUSY */
  #mustRest(section: Section | undefined, at: number, order: number, pfn: number): void {
    const pages = section?.pages ?? null;
    let busy = section !== undefined && section.references !== 0;
    for (let page = at; pages !== null && page < at + pagesOfOrder(order); page++)
      busy ||= !pages.resting(page);
    if (busy) fail('EBUSY', `pages of the folio of order ${order} at pfn ${pfn} are in use`);
  }

  #compound(pfn: number): never {
    fail('EBUSY', `pfn ${pfn} is part of a compound folio at rest: its folio state was never cleared`);
  }

  #mapped(pfn: number, owner: AddressSpace | null): never {
    fail('EBUSY', `pfn ${pfn} belongs to ${owner?.name ?? 'several files'} already`);
  }
}
