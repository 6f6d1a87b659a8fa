import { FolioOwners } from './folio-owners.js';
import { FolioRecords } from './folio-records.js';
import { FolioReferences } from './folio-references.js';
import { checkSections } from './page-check.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { PoisonList, type PoisonRange } from './poison.js';
import {
  type AddressSpace,
  dissolve,
  forget,
  PAGE_STATES_BYTES,
  SECTION_BYTES,
  type Section,
} from './section.js';
import { RUN_BYTES } from './section-run.js';
import type { Violation } from './violation.js';

export interface FolioDescription {
  order: number;
  /** pfn of the head page. */
  head: number;
  mapping: AddressSpace | null;
  /** File page index of the head while mapping is set, else 0. */
  index: number;
  /** Number of owners while shared, else 0. */
  share: number;
  refcount: number;
}

/**
 * Folio state of a machine, sparse (decision 7). It follows the kernel's rules, with a default order per range, and records
 * only for 2 MiB sections that differ from it. All units are pages; a pfn is hpa / 4096. Nothing here accesses memory.
 */
export class PageTable {
  readonly #records = new FolioRecords();
  readonly #owners = new FolioOwners(this.#records);
  readonly #references = new FolioReferences(this.#records);
  readonly #poison = new PoisonList();

  // ---- folios of files (fs-dax) ----

  /**
   * First fault of an entry of `order` (0..9) at pfn. The page must be order 0 and unmapped. It becomes the head of a folio
   * of that order with this mapping and index. With `shared`, a folio that has an owner gets one more owner instead.
   * @throws DaxError EINVAL misaligned or bad order; EBUSY mapped already (and not shared), or part of another folio
   */
  associate(pfn: number, order: number, mapping: AddressSpace, index: number, shared = false): void {
    this.#owners.associate(pfn, order, mapping, index, shared);
  }

  /** associate() of `count` neighbouring entries of one order: all or none. */
  associateRange(
    pfn: number,
    order: number,
    count: number,
    mapping: AddressSpace,
    index: number,
    shared = false,
  ): void {
    this.#owners.associateRange(pfn, order, count, mapping, index, shared);
  }

  /**
   * Removes an entry (the kernel's put). A shared folio loses one owner. Any other folio is reset: mapping and union word
   * are cleared, and the folio becomes order 0 pages. References stay. A page without an owner stays as it is.
   * @returns the order that the folio had; 0 while others still share it
   */
  disassociate(pfn: number): number {
    return this.#owners.disassociate(pfn);
  }

  /** disassociate() of `count` neighbouring entries of one order. */
  disassociateRange(pfn: number, order: number, count: number): void {
    this.#owners.disassociateRange(pfn, order, count);
  }

  // ---- folios of device_dax: the device sets the order; only mapping and index change ----

  /** First fault of a device_dax unit: sets mapping and index of the folio at pfn unless it has one. */
  mapFolio(pfn: number, mapping: AddressSpace, index: number): void {
    this.#owners.mapFolio(pfn, mapping, index);
  }

  /** Clears mapping and index of a device_dax folio that lost its last reference; the order stays. */
  unmapFolio(pfn: number): void {
    this.#owners.unmapFolio(pfn);
  }

  // ---- references ----

  /** refcount++ of every folio that overlaps the 2^order pages at pfn. */
  get(pfn: number, order: number): void {
    this.#references.count(pfn, pagesOfOrder(order), 1);
  }

  /** refcount-- of the same folios. @throws DaxError EINVAL a put without its get */
  put(pfn: number, order: number): void {
    this.#references.count(pfn, pagesOfOrder(order), -1);
  }

  /** refcount++ of every folio that overlaps [pfn, pfn + pages), once each. A whole section costs one step. */
  getRange(pfn: number, pages: number): void {
    this.#references.count(pfn, pages, 1);
  }

  putRange(pfn: number, pages: number): void {
    this.#references.count(pfn, pages, -1);
  }

  refcount(pfn: number): number {
    return this.#references.refcount(pfn);
  }

  /** The first page of [pfn, pfn + pages) whose folio has a reference, or -1. */
  firstBusy(pfn: number, pages: number): number {
    return this.#references.firstBusy(pfn, pages);
  }

  describe(pfn: number): FolioDescription {
    const number = this.#records.numberOf(pfn);
    const section = this.#records.sections.look(number);
    if (section === undefined) {
      const order = this.#records.defaults.at(pfn);
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

  /**
   * Makes a range resting folios of `order` (0, 9, 18), as a page map with that vmemmap_shift does.
   * @throws DaxError EINVAL misaligned, or another order
   */
  setDefaultOrder(pfn: number, pages: number, order: number): void {
    this.clear(pfn, pages);
    this.#records.defaults.set(pfn, pages, order);
  }

  defaultOrder(pfn: number): number {
    return this.#records.defaults.at(pfn);
  }

  /**
   * fsdev's clear folio state: every page of the range becomes an order 0 page without owner (references stay). The cost
   * depends on the pages with state, not on the range. `dissolve: false` is the upstream bug that left compound folios.
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
    const cut = this.#cutEdges(pfn, end);
    this.#records.defaults.set(pfn, pages, 0);
    for (const [number, section] of cut) this.#records.settle(number, section);
    this.#records.sections.drop(first, last, (section) => {
      forget(section);
      return section.references > 0 || section.pages !== null;
    });
  }

  /** True when every page of the range is at rest: order 0, no mapping, no share count, no reference. */
  atRest(pfn: number, pages: number): boolean {
    const end = pfn + pages;
    if (!this.#records.defaults.areSingle(pfn, pages)) return false;
    for (const [number, section] of this.#records.sections.entries(
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
    return this.#poison.first(pfn, pages) >= 0;
  }

  /** The first poisoned page of [pfn, pfn + pages), or -1. */
  firstPoisoned(pfn: number, pages: number): number {
    return this.#poison.first(pfn, pages);
  }

  /** A counter that grows with every change of the poison. */
  get poisonChanges(): number {
    return this.#poison.changes;
  }

  poisonedRanges(): PoisonRange[] {
    return this.#poison.list();
  }

  /** Replaces all poison by a stored list (restore). */
  replacePoison(ranges: readonly PoisonRange[]): void {
    this.#poison.replace(ranges);
  }

  // ---- inspection ----

  /** The number of sections with state and of those with page-level state, and an estimate of the bytes they take. */
  stats(): { sections: number; pageSections: number; bytes: number } {
    let sections = 0;
    let pageSections = 0;
    for (const [, section] of this.#records.sections.entries()) {
      sections++;
      if (section.pages !== null) pageSections++;
    }
    const runs = this.#records.sections.runs();
    const alone = runs.reduce((rest, { first, end }) => rest - (end - first), sections);
    const bytes = alone * SECTION_BYTES + runs.length * RUN_BYTES + pageSections * PAGE_STATES_BYTES;
    return { sections, pageSections, bytes };
  }

  /** Every folio with references: head pfn, order, refcount. */
  *referenced(): Generator<{ head: number; order: number; refcount: number }> {
    for (const [number, section] of this.#records.sections.entries()) {
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

  /** Checks I1, I2 and the refcounts (I5) of all folios. */
  check(): Violation[] {
    return checkSections(this.#records.sections.entries(), this.#records.defaults.list());
  }

  // ---- internals ----

  /** Resets the pages of [pfn, end) that share a section with pages outside. @returns the records of these sections */
  #cutEdges(pfn: number, end: number): [number, Section][] {
    const found: [number, Section][] = [];
    const cut = (from: number, to: number): void => {
      if (from >= to) return;
      const number = this.#records.numberOf(from);
      const section = this.#records.sections.get(number);
      if (section === undefined) return;
      if (section.order >= PMD_ORDER) forget(section);
      else if (section.pages !== null)
        for (let page = from; page < to; page++)
          dissolve(section.pages, section.pages.head[page % PMD_PAGES]!);
      found.push([number, section]);
    };
    const firstWhole = Math.ceil(pfn / PMD_PAGES) * PMD_PAGES;
    const lastWhole = Math.floor(end / PMD_PAGES) * PMD_PAGES;
    cut(pfn, Math.min(end, firstWhole));
    if (lastWhole >= firstWhole) cut(lastWhole, end);
    return found;
  }

  #clearMappings(pfn: number, end: number): void {
    const { sections } = this.#records;
    const [first, last] = [Math.floor(pfn / PMD_PAGES), Math.ceil(end / PMD_PAGES)];
    sections.part(first, last);
    for (const [number, section] of sections.entries(first, last)) {
      section.mapping = null;
      section.union = 0;
      this.#records.settle(number, section);
    }
  }
}
