import { DefaultOrders } from './default-orders.js';
import { PMD_ORDER, PMD_PAGES, pagesOfOrder } from './pages.js';
import { PageStates, Section } from './section.js';
import { SectionMap } from './section-map.js';

/** Where folio state lives: default orders over ranges, records for sections that differ from them. */
export class FolioRecords {
  readonly sections = new SectionMap();
  readonly defaults = new DefaultOrders();

  /** Number of the section that holds the record of pfn: its own, or the first one of a folio over 2 MiB. */
  numberOf(pfn: number): number {
    const number = Math.floor(pfn / PMD_PAGES);
    if (this.sections.get(number) !== undefined) return number;
    const order = this.defaults.at(pfn);
    return order > PMD_ORDER ? (pfn - (pfn % pagesOfOrder(order))) / PMD_PAGES : number;
  }

  /** The record for pfn, made at rest when there is none. */
  claim(pfn: number): Section {
    const number = this.numberOf(pfn);
    let section = this.sections.get(number);
    if (section === undefined) {
      section = new Section(this.defaults.at(pfn));
      this.sections.set(number, section);
    }
    return section;
  }

  /** Page states of a section of order 0 pages; null when it is one folio. */
  pagesFor(section: Section): PageStates | null {
    if (section.order >= PMD_ORDER) return null;
    section.pages ??= new PageStates();
    return section.pages;
  }

  /** Drops what has come to rest. */
  settle(number: number, section: Section): void {
    if (section.pages !== null && section.pages.live === 0) section.pages = null;
    if (section.pages !== null || section.references !== 0 || section.mapping !== null || section.union !== 0)
      return;
    if (section.order === this.defaults.at(number * PMD_PAGES)) this.sections.delete(number);
  }
}
