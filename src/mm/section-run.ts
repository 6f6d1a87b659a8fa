import { PMD_ORDER, PMD_PAGES } from './pages.js';
import { type AddressSpace, Section } from './section.js';

/** Sections that were mapped together and are alike since: each is the folio of the next 2 MiB of one file. They are one record. */
export class SectionRun {
  /** Of each of the folios. */
  references = 0;

  /** @param index the file page index of the first section; @param end the number of the section behind the last one */
  constructor(
    readonly first: number,
    readonly end: number,
    readonly mapping: AddressSpace,
    readonly index: number,
  ) {}

  holds(number: number): boolean {
    return number >= this.first && number < this.end;
  }

  /** What the record of one of them would be, had it one of its own. */
  section(number: number): Section {
    const section = new Section(PMD_ORDER, this.mapping, this.index + (number - this.first) * PMD_PAGES);
    section.references = this.references;
    return section;
  }

  sections(): [number, Section][] {
    return Array.from({ length: this.end - this.first }, (_, place) => [
      this.first + place,
      this.section(this.first + place),
    ]);
  }
}

/** Bytes that a run takes: object, list and map entry (rounded up). */
export const RUN_BYTES = 200;
