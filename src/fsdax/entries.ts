import { PMD_ORDER, PMD_PAGES } from '../mm/index.js';

/** One entry of an address space: the folio of one file page, or of 512 file pages. */
export interface Entry {
  /** The first file page of the entry. */
  index: number;
  pfn: number;
  /** 0 (PTE) or 9 (PMD). */
  order: number;
}

const NOTHING = 0;
/** An entry is stored as pfn + 1: pfn 0 is a valid page, and 0 in a fresh array means "no entry". */
const stored = (pfn: number) => pfn + 1;

/** The slots whose PMD entries are in one array: 1 GiB of the file. */
const GROUP_SLOTS = 512;

/**
 * The faulted-in pages of one file: file page index -> (pfn, order). It stores one number for each 2 MiB slot, and 512 more
 * only for slots with small pages. Memory and the cost of a walk depend on the pages that were faulted in, not on the size of
 * the file.
 * A slot has a PMD entry or PTE entries, never both. The kernel's entry lock is not needed: the core is synchronous, so no
 * caller can see a half-changed entry.
 */
export class AddressSpaceEntries {
  readonly #pmds = new Map<number, Float64Array>();
  readonly #ptes = new Map<number, Float64Array>();
  #count = 0;

  /** The number of entries. A PMD counts as one. */
  get count(): number {
    return this.#count;
  }

  /** The pfn of the PMD entry of a slot (2 MiB of the file), or -1. */
  pmdAt(slot: number): number {
    return (this.#pmds.get(Math.floor(slot / GROUP_SLOTS))?.[slot % GROUP_SLOTS] ?? NOTHING) - 1;
  }

  /** The pfn of the PTE entry of a page, or -1. */
  pteAt(index: number): number {
    const small = this.#ptes.get(Math.floor(index / PMD_PAGES));
    return (small?.[index % PMD_PAGES] ?? NOTHING) - 1;
  }

  /** The number of slots from `slot` on, at most `most`, without any entry. A slot with PTEs cannot get a PMD. */
  freePmds(slot: number, most: number): number {
    let count = 0;
    while (count < most) {
      const at = slot + count;
      const pmds = this.#pmds.get(Math.floor(at / GROUP_SLOTS));
      const stop = Math.min(most, count + GROUP_SLOTS - (at % GROUP_SLOTS));
      if (pmds === undefined && this.#ptes.size === 0) {
        count = stop;
        continue;
      }
      for (; count < stop; count++) {
        if (pmds !== undefined && pmds[(slot + count) % GROUP_SLOTS] !== NOTHING) return count;
        if (this.#ptes.has(slot + count)) return count;
      }
    }
    return count;
  }

  /** The number of pages from `index` on, at most `most`, without an entry. All must be in one slot without a PMD. */
  freePtes(index: number, most: number): number {
    let count = 0;
    while (count < most && this.pteAt(index + count) < 0) count++;
    return count;
  }

  /** Sets PMD entries for `count` slots whose memory is contiguous from `pfn`. */
  setPmds(slot: number, count: number, pfn: number): void {
    for (let i = 0; i < count; ) {
      const group = Math.floor((slot + i) / GROUP_SLOTS);
      let pmds = this.#pmds.get(group);
      if (!pmds) {
        pmds = new Float64Array(GROUP_SLOTS);
        this.#pmds.set(group, pmds);
      }
      const first = slot - group * GROUP_SLOTS;
      const stop = Math.min(count, GROUP_SLOTS - first);
      for (; i < stop; i++) pmds[first + i] = stored(pfn + i * PMD_PAGES);
    }
    this.#count += count;
  }

  /** Sets PTE entries for `count` pages of one slot whose memory is contiguous from `pfn`. */
  setPtes(index: number, count: number, pfn: number): void {
    const slot = Math.floor(index / PMD_PAGES);
    let small = this.#ptes.get(slot);
    if (!small) {
      small = new Float64Array(PMD_PAGES);
      this.#ptes.set(slot, small);
    }
    for (let i = 0; i < count; i++) small[(index % PMD_PAGES) + i] = stored(pfn + i);
    this.#count += count;
  }

  /** Calls `each` for every entry that touches pages [first, end), in file order. `each` may not add entries. */
  forEach(first: number, end: number, each: (index: number, pfn: number, order: number) => void): void {
    const small = [...this.#ptes.keys()].filter(
      (slot) => slot * PMD_PAGES < end && (slot + 1) * PMD_PAGES > first,
    );
    small.sort((a, b) => a - b);
    let next = 0;
    for (const group of [...this.#pmds.keys()].sort((a, b) => a - b)) {
      const pmds = this.#pmds.get(group)!;
      const start = group * GROUP_SLOTS;
      const stop = Math.min(GROUP_SLOTS, Math.ceil(end / PMD_PAGES) - start);
      for (let i = Math.max(0, Math.floor(first / PMD_PAGES) - start); i < stop; i++) {
        if (pmds[i] === NOTHING) continue;
        while (next < small.length && small[next]! < start + i)
          this.#forEachPte(small[next++]!, first, end, each);
        each((start + i) * PMD_PAGES, pmds[i]! - 1, PMD_ORDER);
      }
    }
    while (next < small.length) this.#forEachPte(small[next++]!, first, end, each);
  }

  #forEachPte(
    slot: number,
    first: number,
    end: number,
    each: (index: number, pfn: number, order: number) => void,
  ): void {
    const small = this.#ptes.get(slot);
    if (!small) return;
    const start = slot * PMD_PAGES;
    const last = Math.min(PMD_PAGES, end - start);
    for (let i = Math.max(0, first - start); i < last; i++) {
      if (small[i] !== NOTHING) each(start + i, small[i]! - 1, 0);
    }
  }

  /** Forgets every entry, after calling `each` for it. */
  clear(each: (index: number, pfn: number, order: number) => void): void {
    this.forEach(0, Number.POSITIVE_INFINITY, each);
    this.#pmds.clear();
    this.#ptes.clear();
    this.#count = 0;
  }

  /** The entries as a list, for inspection. */
  list(): Entry[] {
    const entries: Entry[] = [];
    this.forEach(0, Number.POSITIVE_INFINITY, (index, pfn, order) => entries.push({ index, pfn, order }));
    return entries;
  }
}
