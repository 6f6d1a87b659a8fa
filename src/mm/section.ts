import { PMD_PAGES } from './pages.js';

/** The target of folio.mapping: a file. */
export interface AddressSpace {
  readonly name: string;
}

const EACH_ALONE = Uint16Array.from({ length: PMD_PAGES }, (_, page) => page);

/** PTE-level state of one section. Made only where pages of the section differ. Indexed by page offset in the section. */
export class PageStates {
  readonly references = new Int32Array(PMD_PAGES);
  /** For head pages: the file page index while `mapping` is set, else the share count (one word, as in the kernel). */
  readonly union = new Float64Array(PMD_PAGES);
  readonly mapping: (AddressSpace | null)[] = new Array<AddressSpace | null>(PMD_PAGES).fill(null);
  /** Offset of the head page of each page's folio; the page's own offset for an order 0 page. */
  readonly head = EACH_ALONE.slice();
  /** For head pages: the order of the folio. */
  readonly order = new Uint8Array(PMD_PAGES);
  /** Number of head pages that are not at rest. At 0 the whole object can be dropped. */
  live = 0;
  /** Sum of `references`. At 0 a reset need not look at the pages. */
  referenced = 0;

  resting(head: number): boolean {
    return (
      this.references[head] === 0 &&
      this.order[head] === 0 &&
      this.mapping[head] === null &&
      this.union[head] === 0
    );
  }

  /** Runs `change` on the folio at head, and updates `live`. */
  change(head: number, change: () => void): void {
    const rested = this.resting(head);
    change();
    if (rested !== this.resting(head)) this.live += rested ? 1 : -1;
  }

  /** Adds `delta` to the refcount of the folio at head. */
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
 * State of one 2 MiB section that is not at rest. The section is either one folio of order 9 or more (or the first section of
 * it), or 512 pages that differ only by `pages`. `references` counts for every folio in the section.
 */
export class Section {
  references = 0;
  pages: PageStates | null = null;

  /** @param union the file page index while `mapping` is set, else the share count */
  constructor(
    public order: number,
    public mapping: AddressSpace | null = null,
    public union = 0,
  ) {}
}

/** Bytes that a record takes: object, map entry, counts (measured with --expose-gc on Node 20, rounded up). */
export const SECTION_BYTES = 136;
export const PAGE_STATES_BYTES = PMD_PAGES * (4 + 8 + 8 + 2 + 1) + 400;

/** True when the section is a folio with an owner. */
export function owned(section: Section): boolean {
  return section.mapping !== null || section.union > 0;
}

/** Adds an owner. The mapping of the first owner is replaced by a share count. */
export function share(section: Section): void {
  section.union = section.mapping === null ? section.union + 1 : 2;
  section.mapping = null;
}

/** Makes all pages of a section order 0 pages without owner; references stay. */
export function forget(section: Section): void {
  section.order = 0;
  section.mapping = null;
  section.union = 0;
  const pages = section.pages;
  if (pages === null) return;
  if (pages.referenced === 0) section.pages = null;
  else for (const page of pages.head.keys()) dissolve(pages, page);
}

/** Resets one folio to order 0 pages without owner. Each page keeps the references of the folio. */
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

/** Moves the reference count of a whole section to each of its folios. */
export function spread(section: Section, pages: PageStates): void {
  const count = section.references;
  section.references = 0;
  for (let head = 0; head < PMD_PAGES; head += pages.pagesOf(head)) pages.count(head, count);
}
