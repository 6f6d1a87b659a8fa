import { PMD_PAGES } from './pages.js';

/** What folio.mapping points to (a file). */
export interface AddressSpace {
  readonly name: string;
}

/** PTE-level state of one section: made only where pages of it differ from each other. Indexed by page offset in the section. */
export class PageStates {
  readonly references = new Int32Array(PMD_PAGES);
  /** Of head pages: file page index while `mapping` is set, share count while it is not (one word, as in the kernel). */
  readonly union = new Float64Array(PMD_PAGES);
  readonly mapping: (AddressSpace | null)[] = new Array<AddressSpace | null>(PMD_PAGES).fill(null);
  /** Offset of the head of the folio a page is in; its own for an order 0 page. */
  readonly head = Uint16Array.from({ length: PMD_PAGES }, (_, page) => page);
  /** Of head pages. */
  readonly order = new Uint8Array(PMD_PAGES);
  /** Head pages that are not resting order 0 pages: at 0 the whole object can go. */
  live = 0;

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
