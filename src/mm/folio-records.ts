import { DefaultOrders } from './default-orders.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { PageStates, Section } from './section.js';
import { SectionMap } from './section-map.js';

/** The stored folio state: default orders of ranges, and records for the sections that differ from them. */
export class FolioRecords {
  readonly sections = new SectionMap();
  readonly defaults = new DefaultOrders();

  /** Number of the section whose record is for pfn: its own section, or the first one of a folio larger than 2 MiB. */
  numberOf(pfn: number): number {
    const number = Math.floor(pfn / PMD_PAGES);
    if (this.sections.has(number)) return number;
    return number - (number % Math.max(1, pagesOfOrder(this.defaults.at(pfn)) / PMD_PAGES));
  }

  /** The record for pfn. Makes one, at rest, when there is none. */
  claim(pfn: number): Section {
    return this.sections.get(Math.floor(pfn / PMD_PAGES)) ?? this.#claimOf(this.numberOf(pfn), pfn);
  }

  #claimOf(number: number, pfn: number): Section {
    let section = this.sections.get(number);
    if (section === undefined) {
      section = new Section(this.defaults.at(pfn));
      this.sections.set(number, section);
    }
    return section;
  }

  /** Page states of a section of single pages, made when missing; null when the section is one folio. */
  pagesFor(section: Section): PageStates | null {
    if (section.order >= PMD_ORDER) return null;
    section.pages ??= new PageStates();
    return section.pages;
  }

  /** Makes the folio of a section order 0 pages without owner. Its references stay. */
  reset(number: number, section: Section): void {
    if (section.references === 0 && this.defaults.at(number * PMD_PAGES) === 0) {
      this.sections.delete(number);
      return;
    }
    section.mapping = null;
    section.union = 0;
    section.order = 0;
    this.settle(number, section);
  }

  /** Drops page states and the record where they are at rest again. */
  settle(number: number, section: Section): void {
    if (section.pages !== null && section.pages.live === 0) section.pages = null;
    if (section.pages !== null || section.references !== 0 || section.mapping !== null || section.union !== 0)
      return;
    if (section.order === this.defaults.at(number * PMD_PAGES)) this.sections.delete(number);
  }
}
