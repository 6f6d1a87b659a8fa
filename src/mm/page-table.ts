import { fail } from '../libc/index.js';
import { DefaultOrders } from './default-orders.js';
import { checkSections } from './page-check.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { PoisonList, type PoisonRange } from './poison.js';
import { type AddressSpace, PAGE_STATES_BYTES, PageStates, SECTION_BYTES, Section } from './section.js';
import { SectionMap } from './section-map.js';

export interface FolioDescription {
  order: number;
  /** pfn of the head page. */
  head: number;
  mapping: AddressSpace | null;
  /** File page index of the head while mapping is set, else 0. */
  index: number;
  /** Count of owners while shared, else 0. */
  share: number;
  refcount: number;
}

/**
 * Folio state of a machine, sparse (decision 7): the kernel's rules over a default order per range, with records only
 * for 2 MiB sections that differ from it. All units are pages; a pfn is hpa / 4096. Nothing here touches memory.
 */
export class PageTable {
  readonly #sections = new SectionMap();
  readonly #defaults = new DefaultOrders();
  readonly #poison = new PoisonList();

  // ---- folios of files (fs-dax) ----

  /**
   * First fault of an entry of `order` (0..9) at pfn: the page must be order 0 and unmapped; it becomes (the head of) a
   * folio of that order with this mapping and index. With `shared`, an owned folio is counted instead.
   * @throws EINVAL misaligned or bad order; EBUSY mapped already (and not shared), or part of another folio
   */
  associate(pfn: number, order: number, mapping: AddressSpace, index: number, shared = false): void {
    if (order < 0 || order > PMD_ORDER || pfn % pagesOfOrder(order) !== 0)
      fail('EINVAL', `pfn ${pfn} cannot head a folio of order ${order}`);
    if (order === PMD_ORDER) this.#associateSection(pfn, mapping, index, shared);
    else this.#associatePages(pfn, order, mapping, index, shared);
  }

  /** `count` neighbouring entries of one order; all or none. */
  associateRange(
    pfn: number,
    order: number,
    count: number,
    mapping: AddressSpace,
    index: number,
    shared = false,
  ): void {
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
   * An entry goes (the kernel's put): one owner less of a shared folio, else reset: mapping and union word cleared, the
   * folio dissolved into order 0 pages. References stay. Nothing happens to a page nobody owns.
   * @returns the order the folio had, 0 while others still share it
   */
  disassociate(pfn: number): number {
    const number = Math.floor(pfn / PMD_PAGES);
    const section = this.#sections.get(number);
    if (section === undefined) return 0;
    const pages = section.pages;
    if (pages === null) {
      if (section.mapping === null && section.union === 0) return 0;
      if (section.mapping === null && --section.union > 0) return 0;
      const order = section.order;
      section.mapping = null;
      section.union = 0;
      section.order = 0;
      this.#settle(number, section);
      return order;
    }
    const head = pages.head[pfn % PMD_PAGES]!;
    if (pages.mapping[head] === null && pages.union[head] === 0) return 0;
    if (pages.mapping[head] === null && pages.union[head]! > 1) {
      pages.union[head]!--;
      return 0;
    }
    const order = pages.order[head]!;
    dissolve(pages, head);
    this.#settle(number, section);
    return order;
  }

  /** disassociate() of `count` neighbouring entries of one order. */
  disassociateRange(pfn: number, order: number, count: number): void {
    const step = pagesOfOrder(order);
    for (let done = 0; done < count; done++) this.disassociate(pfn + done * step);
  }

  // ---- folios of device_dax: the order is the device's, only mapping and index come and go ----

  /** First fault of a device_dax unit: sets mapping and index of the folio at pfn unless it has one. */
  mapFolio(pfn: number, mapping: AddressSpace, index: number): void {
    const section = this.#claim(pfn);
    const pages = this.#pagesFor(section);
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

  /** The last reference of a device_dax folio went: mapping and index are cleared, the order stays. */
  unmapFolio(pfn: number): void {
    const number = this.#recordNumber(pfn);
    const section = this.#sections.get(number);
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
    this.#settle(number, section);
  }

  // ---- references ----

  /** refcount++ of every folio that overlaps the 2^order pages at pfn. */
  get(pfn: number, order: number): void {
    this.#count(pfn, pagesOfOrder(order), 1);
  }

  /** refcount-- of the same folios. EINVAL below zero: a put without its get. */
  put(pfn: number, order: number): void {
    this.#count(pfn, pagesOfOrder(order), -1);
  }

  /** refcount++ of every folio that overlaps [pfn, pfn + pages), once each. Whole sections cost one step. */
  getRange(pfn: number, pages: number): void {
    this.#count(pfn, pages, 1);
  }

  putRange(pfn: number, pages: number): void {
    this.#count(pfn, pages, -1);
  }

  refcount(pfn: number): number {
    const section = this.#sections.get(this.#recordNumber(pfn));
    if (section === undefined) return 0;
    const pages = section.pages;
    return section.references + (pages === null ? 0 : pages.references[pages.head[pfn % PMD_PAGES]!]!);
  }

  /** First page of [pfn, pfn + pages) whose folio has a reference, or -1. */
  firstBusy(pfn: number, pages: number): number {
    const end = pfn + pages;
    let page = pfn;
    while (page < end) {
      const number = Math.floor(page / PMD_PAGES);
      const stop = Math.min(end, (number + 1) * PMD_PAGES);
      const section = this.#sections.get(this.#recordNumber(page));
      if (section !== undefined) {
        if (section.references > 0) return page;
        if (section.pages !== null) for (; page < stop; page++) if (this.refcount(page) > 0) return page;
      }
      page = stop;
    }
    return -1;
  }

  describe(pfn: number): FolioDescription {
    const number = this.#recordNumber(pfn);
    const section = this.#sections.get(number);
    if (section === undefined) {
      const order = this.#defaults.at(pfn);
      return {
        order,
        head: pfn - (pfn % pagesOfOrder(order)),
        mapping: null,
        index: 0,
        share: 0,
        refcount: 0,
      };
    }
    const pages = section.pages;
    const at = pages === null ? -1 : pages.head[pfn % PMD_PAGES]!;
    const mapping = pages === null ? section.mapping : pages.mapping[at]!;
    const union = pages === null ? section.union : pages.union[at]!;
    const whole = section.order >= PMD_ORDER ? number * PMD_PAGES : pfn;
    return {
      order: pages === null ? section.order : pages.order[at]!,
      head: pages === null ? whole : number * PMD_PAGES + at,
      mapping,
      index: mapping === null ? 0 : union,
      share: mapping === null ? union : 0,
      refcount: section.references + (pages === null ? 0 : pages.references[at]!),
    };
  }

  // ---- ranges ----

  /** What a page map with vmemmap_shift leaves over its range: resting folios of `order` (0, 9, 18). EINVAL misaligned. */
  setDefaultOrder(pfn: number, pages: number, order: number): void {
    this.clear(pfn, pages);
    this.#defaults.set(pfn, pages, order);
  }

  defaultOrder(pfn: number): number {
    return this.#defaults.at(pfn);
  }

  /**
   * fsdev's clear folio state: every page of the range becomes a resting order 0 page (references stay). Costs what was
   * touched. `dissolve: false` is the upstream bug that left compound folios as they were.
   */
  clear(pfn: number, pages: number, options: { dissolve?: boolean } = {}): void {
    if (pages <= 0) return;
    const end = pfn + pages;
    if (options.dissolve === false) {
      this.#clearMappings(pfn, end);
      return;
    }
    const first = Math.ceil(pfn / PMD_PAGES);
    const last = Math.floor(end / PMD_PAGES);
    this.#cutEdges(pfn, end);
    this.#defaults.set(pfn, pages, 0);
    this.#sections.drop(first, last, (section) => {
      forget(section);
      return section.references > 0 || section.pages !== null;
    });
  }

  /** True when every page of the range is at rest: order 0, no mapping, no share, no reference. */
  atRest(pfn: number, pages: number): boolean {
    const end = pfn + pages;
    for (const range of this.#defaults.list()) if (range.start < end && range.end > pfn) return false;
    for (const [number, section] of this.#sections.entries(
      Math.floor(pfn / PMD_PAGES),
      Math.ceil(end / PMD_PAGES),
    )) {
      if (section.pages === null) return false;
      for (let page = 0; page < PMD_PAGES; page++) {
        const at = number * PMD_PAGES + page;
        if (at >= pfn && at < end && !section.pages.resting(section.pages.head[page]!)) return false;
      }
    }
    return true;
  }

  // ---- poison ----

  poison(pfn: number, pages: number): void {
    this.#poison.add(pfn, pages);
  }

  unpoison(pfn: number, pages: number): void {
    this.#poison.remove(pfn, pages);
  }

  isPoisoned(pfn: number, pages = 1): boolean {
    return !this.#poison.empty && this.#poison.first(pfn, pages) >= 0;
  }

  /** First poisoned page of [pfn, pfn + pages), or -1. */
  firstPoisoned(pfn: number, pages: number): number {
    return this.#poison.empty ? -1 : this.#poison.first(pfn, pages);
  }

  poisonedRanges(): PoisonRange[] {
    return this.#poison.list();
  }

  /** Puts a stored list in the place of what is known (restore). */
  replacePoison(ranges: readonly PoisonRange[]): void {
    this.#poison.replace(ranges);
  }

  // ---- looking at it ----

  /** Sections with state, those with page-level state, and the bytes all of it takes (an estimate). */
  stats(): { sections: number; pageSections: number; bytes: number } {
    let sections = 0;
    let pageSections = 0;
    for (const [, section] of this.#sections.entries()) {
      sections++;
      if (section.pages !== null) pageSections++;
    }
    return { sections, pageSections, bytes: sections * SECTION_BYTES + pageSections * PAGE_STATES_BYTES };
  }

  /** Folios with references: head pfn, order, count. Pages of one section that are alike come as one row per page. */
  *referenced(): Generator<{ head: number; order: number; refcount: number }> {
    for (const [number, section] of this.#sections.entries()) {
      if (section.pages === null && section.references === 0) continue;
      let page = number * PMD_PAGES;
      const end = page + PMD_PAGES;
      while (page < end) {
        const folio = this.describe(page);
        if (folio.refcount > 0) yield { head: folio.head, order: folio.order, refcount: folio.refcount };
        page = folio.head + pagesOfOrder(folio.order);
      }
    }
  }

  /** Violations of I1 and I2, one line each. */
  check(): string[] {
    return checkSections(this.#sections.entries(), this.#defaults.list());
  }

  // ---- inside ----

  /** Number of the section that holds the record of pfn: its own, or the first one of a folio over 2 MiB. */
  #recordNumber(pfn: number): number {
    const number = Math.floor(pfn / PMD_PAGES);
    if (this.#sections.get(number) !== undefined) return number;
    const order = this.#defaults.at(pfn);
    return order > PMD_ORDER ? (pfn - (pfn % pagesOfOrder(order))) / PMD_PAGES : number;
  }

  /** The record for pfn, made at rest when there is none. */
  #claim(pfn: number): Section {
    const number = this.#recordNumber(pfn);
    let section = this.#sections.get(number);
    if (section === undefined) {
      section = new Section(this.#defaults.at(pfn));
      this.#sections.set(number, section);
    }
    return section;
  }

  /** Page states of a section of order 0 pages; null when it is one folio. */
  #pagesFor(section: Section): PageStates | null {
    if (section.order >= PMD_ORDER) return null;
    section.pages ??= new PageStates();
    return section.pages;
  }

  /** Drops what has come to rest. */
  #settle(number: number, section: Section): void {
    if (section.pages !== null && section.pages.live === 0) section.pages = null;
    if (section.pages !== null || section.references !== 0 || section.mapping !== null || section.union !== 0)
      return;
    if (section.order === this.#defaults.at(number * PMD_PAGES)) this.#sections.delete(number);
  }

  #associateSection(pfn: number, mapping: AddressSpace, index: number, shared: boolean): void {
    const number = pfn / PMD_PAGES;
    let section = this.#sections.get(number);
    if (section === undefined) {
      if (this.#defaults.at(pfn) !== 0) this.#compound(pfn);
      section = new Section(PMD_ORDER);
      this.#sections.set(number, section);
    } else if (section.pages === null && section.order >= PMD_ORDER) {
      if (!owned(section)) this.#compound(pfn);
      if (!shared) this.#mapped(pfn, section.mapping);
      share(section);
      return;
    } else if (section.pages !== null || section.references !== 0) {
      fail('EBUSY', `pages of the 2 MiB at pfn ${pfn} are in use: map it by single pages`);
    }
    section.order = PMD_ORDER;
    section.mapping = mapping;
    section.union = index;
  }

  #associatePages(pfn: number, order: number, mapping: AddressSpace, index: number, shared: boolean): void {
    const number = Math.floor(pfn / PMD_PAGES);
    const known = this.#sections.get(number);
    if ((known?.order ?? this.#defaults.at(pfn)) >= PMD_ORDER) {
      if (known === undefined || !owned(known)) this.#compound(pfn);
      if (!shared) this.#mapped(pfn, known.mapping);
      share(known);
      return;
    }
    const at = pfn % PMD_PAGES;
    const before = known?.pages ?? null;
    if (before !== null) {
      const head = before.head[at]!;
      const owner = before.mapping[head] ?? null;
      if (owner !== null || before.union[head] !== 0) {
        if (!shared) this.#mapped(pfn, owner);
        before.mapping[head] = null;
        before.union[head] = owner === null ? before.union[head]! + 1 : 2;
        return;
      }
    }
    if (order > 0) this.#mustRest(known, at, order, pfn);
    const pages = this.#pagesFor(this.#claim(pfn))!;
    pages.change(at, () => {
      pages.order[at] = order;
      pages.mapping[at] = mapping;
      pages.union[at] = index;
    });
    for (let tail = at + 1; tail < at + pagesOfOrder(order); tail++) pages.head[tail] = at;
  }

  /** The pages that become one folio must be resting ones. */
  #mustRest(section: Section | undefined, at: number, order: number, pfn: number): void {
    const pages = section?.pages ?? null;
    let busy = section !== undefined && section.references !== 0;
    for (let page = at; pages !== null && page < at + pagesOfOrder(order); page++)
      busy ||= pages.head[page] !== page || !pages.resting(page);
    if (busy) fail('EBUSY', `pages of the folio of order ${order} at pfn ${pfn} are in use`);
  }

  #compound(pfn: number): never {
    fail('EBUSY', `pfn ${pfn} is part of a compound folio at rest: its folio state was never cleared`);
  }

  #mapped(pfn: number, owner: AddressSpace | null): never {
    fail('EBUSY', `pfn ${pfn} belongs to ${owner?.name ?? 'several files'} already`);
  }

  #count(pfn: number, pages: number, delta: 1 | -1): void {
    const end = pfn + pages;
    let page = pfn;
    while (page < end) {
      const number = this.#recordNumber(page);
      const section = this.#sections.get(number) ?? this.#claim(page);
      const start = number * PMD_PAGES;
      const stop = section.order > PMD_ORDER ? start + pagesOfOrder(section.order) : start + PMD_PAGES;
      if (section.order >= PMD_ORDER || (page === start && end >= stop))
        this.#countSection(section, delta, pfn);
      else this.#countPages(section, page - start, Math.min(end, stop) - start, delta, pfn);
      if (delta < 0) this.#settle(number, section);
      page = stop;
    }
  }

  #countSection(section: Section, delta: 1 | -1, pfn: number): void {
    if (delta > 0 || section.references > 0) section.references += delta;
    else if (section.pages !== null) this.#countPages(section, 0, PMD_PAGES, delta, pfn);
    else fail('EINVAL', `put of pfn ${pfn} without its get`);
  }

  #countPages(section: Section, from: number, to: number, delta: 1 | -1, pfn: number): void {
    const pages = this.#pagesFor(section)!;
    if (delta < 0 && section.references > 0) spread(section, pages);
    for (let page = from; page < to; ) {
      const head = pages.head[page]!;
      if (pages.references[head]! + delta < 0) fail('EINVAL', `put of pfn ${pfn} without its get`);
      pages.change(head, () => {
        pages.references[head]! += delta;
      });
      page = head + pages.pagesOf(head);
    }
  }

  /** Resets the pages of [pfn, end) that share a section with pages outside. */
  #cutEdges(pfn: number, end: number): void {
    const cut = (from: number, to: number): void => {
      if (from >= to) return;
      const number = this.#recordNumber(from);
      const section = this.#sections.get(number);
      if (section === undefined) return;
      if (section.order >= PMD_ORDER) forget(section);
      else if (section.pages !== null)
        for (let page = from; page < to; page++)
          dissolve(section.pages, section.pages.head[page % PMD_PAGES]!);
      this.#settle(number, section);
    };
    const firstWhole = Math.ceil(pfn / PMD_PAGES) * PMD_PAGES;
    const lastWhole = Math.floor(end / PMD_PAGES) * PMD_PAGES;
    cut(pfn, Math.min(end, firstWhole));
    if (lastWhole >= firstWhole) cut(lastWhole, end);
  }

  #clearMappings(pfn: number, end: number): void {
    const first = Math.floor(pfn / PMD_PAGES);
    for (const [number, section] of [...this.#sections.entries(first, Math.ceil(end / PMD_PAGES))]) {
      section.mapping = null;
      section.union = 0;
      this.#settle(number, section);
    }
  }
}

function owned(section: Section): boolean {
  return section.mapping !== null || section.union > 0;
}

/** One owner more: the first one loses its name and becomes a count. */
function share(section: Section): void {
  section.union = section.mapping === null ? section.union + 1 : 2;
  section.mapping = null;
}

/** Makes a section's record order 0 pages without owner; references stay. */
function forget(section: Section): void {
  section.order = 0;
  section.mapping = null;
  section.union = 0;
  const pages = section.pages;
  if (pages === null) return;
  for (let head = 0; head < PMD_PAGES; head++) if (pages.head[head] === head) dissolve(pages, head);
  if (pages.live === 0) section.pages = null;
}

/** Reset of one folio: each of its pages stands alone, without owner. A reference on the folio stays on each page. */
function dissolve(pages: PageStates, head: number): void {
  const count = pages.pagesOf(head);
  const references = pages.references[head]!;
  pages.change(head, () => {
    pages.mapping[head] = null;
    pages.union[head] = 0;
    pages.order[head] = 0;
  });
  for (let page = head + 1; page < head + count; page++) {
    pages.head[page] = page;
    if (references > 0) pages.change(page, () => (pages.references[page] = references));
  }
}

/** Turns the count of a whole section into counts of its folios. */
function spread(section: Section, pages: PageStates): void {
  const count = section.references;
  section.references = 0;
  for (let head = 0; head < PMD_PAGES; head += pages.pagesOf(head))
    pages.change(head, () => {
      pages.references[head]! += count;
    });
}
