import { PMD_PAGES } from './pages.js';

/** What folio.mapping points to (a file). */
export interface AddressSpace {
  readonly name: string;
}

const EACH_ALONE = Uint16Array.from({ length: PMD_PAGES }, (_, page) => page);

/** PTE-level state of one section: made only where pages of it differ from each other. Indexed by page offset in the section. */
export class PageStates {
  readonly references = new Int32Array(PMD_PAGES);
  /** Of head pages: file page index while `mapping` is set, share count while it is not (one word, as in the kernel). */
  readonly union = new Float64Array(PMD_PAGES);
  readonly mapping: (AddressSpace | null)[] = new Array<AddressSpace | null>(PMD_PAGES).fill(null);
  /** Offset of the head of the folio a page is in; its own for an order 0 page. */
  readonly head = EACH_ALONE.slice();
  /** Of head pages. */
  readonly order = new Uint8Array(PMD_PAGES);
  /** Head pages that are not resting order 0 pages: at 0 the whole object can go. */
  live = 0;
  /** Sum of `references`: at 0 a reset needs no look at the pages. */
  referenced = 0;

  resting(head: number): boolean {
    return (
      this.references[head] === 0 &&
      this.order[head] === 0 &&
      this.mapping[head] === null &&
      this.union[head] === 0
    );
  }

  /** Counts `change` of the folio at head into `live`. */
  change(head: number, change: () => void): void {
    const rested = this.resting(head);
    change();
    if (rested !== this.resting(head)) this.live += rested ? 1 : -1;
  }

  /** refcount of the folio at head, up or down. */
  count(head: number, delta: number): void {
    this.change(head, () => {
      this.references[head]! += delta;
    });
    this.referenced += delta;
  }

  pagesOf(head: number): number {
    return 1 << (this.order[head] ?? 0);
  }
}

/**
 * State of one 2 MiB section that is not at rest. Either one folio of order >= 9 (or its first section), or 512
 * pages that are all alike but for `pages`. `references` counts for every folio in the section.
 */
export class Section {
  mapping: AddressSpace | null = null;
  /** index while mapping is set, else share. */
  union = 0;
  references = 0;
  pages: PageStates | null = null;

  constructor(public order: number) {}
}

/** Bytes a record takes (measured with --expose-gc on Node 20, rounded up): object, map entry, counts. */
export const SECTION_BYTES = 136;
export const PAGE_STATES_BYTES = PMD_PAGES * (4 + 8 + 8 + 2 + 1) + 400;

/** True when a file owns the folio that the section is. */
export function owned(section: Section): boolean {
  return section.mapping !== null || section.union > 0;
}

/** One owner more: the first one loses its name and becomes a count. */
export function share(section: Section): void {
  section.union = section.mapping === null ? section.union + 1 : 2;
  section.mapping = null;
}

/** Makes a section's record order 0 pages without owner; references stay. */
export function forget(section: Section): void {
  section.order = 0;
  section.mapping = null;
  section.union = 0;
  const pages = section.pages;
  if (pages === null) return;
  if (pages.referenced > 0)
    for (let head = 0; head < PMD_PAGES; head++) if (pages.head[head] === head) dissolve(pages, head);
  if (pages.referenced === 0) section.pages = null;
}

/** Reset of one folio: each of its pages stands alone, without owner. A reference on the folio stays on each page. */
export function dissolve(pages: PageStates, head: number): void {
  const count = pages.pagesOf(head);
  const references = pages.references[head]!;
  pages.change(head, () => {
    pages.mapping[head] = null;
    pages.union[head] = 0;
    pages.order[head] = 0;
  });
  for (let page = head + 1; page < head + count; page++) {
    pages.head[page] = page;
    if (references > 0) pages.count(page, references);
  }
}

/** Turns the count of a whole section into counts of its folios. */
export function spread(section: Section, pages: PageStates): void {
  const count = section.references;
  section.references = 0;
  for (let head = 0; head < PMD_PAGES; head += pages.pagesOf(head)) pages.count(head, count);
}
