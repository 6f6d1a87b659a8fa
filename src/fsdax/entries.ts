import { PMD_ORDER, PMD_PAGES } from '../mm/index.js';

/** One entry of an address space: the folio of one file page, or of 512 file pages. */
export interface Entry {
  /** The first file page of the entry. */
  index: number;
  pfn: number;
  /** 0 (PTE) or 9 (PMD). */
  order: number;
}

/** Visits `count` neighbouring entries of one order, the first at file page `index`, whose memory is contiguous from `pfn`. */
type VisitEntries = (index: number, pfn: number, order: number, count: number) => void;

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

  /**
   * Calls `each` for all entries that touch pages [first, end), in file order, with those that belong together at once. `each` may not
   * add entries.
   */
  forEach(first: number, end: number, each: VisitEntries): void {
    const all = inOrder(this.#ptes);
    const small =
      all === NONE ? NONE : all.filter((slot) => slot * PMD_PAGES < end && (slot + 1) * PMD_PAGES > first);
    let next = 0;
    for (const group of inOrder(this.#pmds)) {
      const start = group * GROUP_SLOTS;
      const from = Math.max(0, Math.floor(first / PMD_PAGES) - start);
      const to = Math.min(GROUP_SLOTS, Math.ceil(end / PMD_PAGES) - start);
      eachRun(this.#pmds.get(group)!, from, to, PMD_PAGES, (slot, pfn, count) => {
        while (next < small.length && small[next]! < start + slot)
          this.#forEachPte(small[next++]!, first, end, each);
        each((start + slot) * PMD_PAGES, pfn, PMD_ORDER, count);
      });
    }
    while (next < small.length) this.#forEachPte(small[next++]!, first, end, each);
  }

  #forEachPte(slot: number, first: number, end: number, each: VisitEntries): void {
    const start = slot * PMD_PAGES;
    const last = Math.min(PMD_PAGES, end - start);
    eachRun(this.#ptes.get(slot)!, Math.max(0, first - start), last, 1, (page, pfn, count) =>
      each(start + page, pfn, 0, count),
    );
  }

  /** Forgets every entry, after calling `each` for it. */
  clear(each: VisitEntries): void {
    this.forEach(0, Number.POSITIVE_INFINITY, each);
    this.#pmds.clear();
    this.#ptes.clear();
    this.#count = 0;
  }

  /** The entries as a list, for inspection. */
  list(): Entry[] {
    const entries: Entry[] = [];
    this.forEach(0, Number.POSITIVE_INFINITY, (index, pfn, order, count) => {
      for (let i = 0; i < count; i++)
        entries.push({ index: index + i * 2 ** order, pfn: pfn + i * 2 ** order, order });
    });
    return entries;
  }
}

const NONE: number[] = [];

function inOrder(slots: ReadonlyMap<number, unknown>): number[] {
  if (slots.size === 0) return NONE;
  const keys = [...slots.keys()];
  return keys.length === 1 ? keys : keys.sort((a, b) => a - b);
}

/** Calls `each` for the runs of entries in places [from, to) of a list, in which the pfn grows by `pages` from place to place. */
function eachRun(
  list: Float64Array,
  from: number,
  to: number,
  pages: number,
  each: (place: number, pfn: number, count: number) => void,
): void {
  for (let place = from; place < to; ) {
    const entry = list[place]!;
    if (entry === NOTHING) {
      place++;
      continue;
    }
    let count = 1;
    while (place + count < to && list[place + count] === entry + count * pages) count++;
    each(place, entry - 1, count);
    place += count;
  }
}
