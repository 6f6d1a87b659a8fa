import { PAGE_BYTES } from './backing-range.js';

/** Pages of one group: 2 MiB. */
const GROUP_PAGES = 512;

const FOR_LOADS = 1;
const FOR_STORES = 2;
const FOR_BOTH = FOR_LOADS | FOR_STORES;

/** A whole group shares one of these arrays and is recognized by it. Big files are whole groups, and every map() checks them. */
const ALL_FOR_LOADS = new Uint8Array(GROUP_PAGES).fill(FOR_LOADS);
const ALL_FOR_BOTH = new Uint8Array(GROUP_PAGES).fill(FOR_BOTH);

/**
 * Remembers pages over sparse backings that are known to have memory. Allocated space stays allocated until forget() is
 * called. Kept by groups of 2 MiB of physical memory; bit 0 of a page: loads find memory, bit 1: stores do as well.
 */
export class PagesThere {
  readonly #groups = new Map<number, Uint8Array>();

  /** Forgets all pages: the caller makes holes, or removes memory. */
  forget(): void {
    this.#groups.clear();
  }

  has(hpa: number, bytes: number, stores: boolean): boolean {
    const wanted = stores ? FOR_STORES : FOR_LOADS;
    const end = Math.ceil((hpa + bytes) / PAGE_BYTES);
    for (let page = Math.floor(hpa / PAGE_BYTES); page < end; ) {
      const number = Math.floor(page / GROUP_PAGES);
      const last = Math.min(end, (number + 1) * GROUP_PAGES);
      const group = this.#groups.get(number);
      if (group === undefined) return false;
      if (group !== ALL_FOR_BOTH && !(group === ALL_FOR_LOADS && !stores)) {
        for (let at = page; at < last; at++) if ((group[at % GROUP_PAGES]! & wanted) === 0) return false;
      }
      page = last;
    }
    return true;
  }

  add(hpa: number, bytes: number, stores: boolean): void {
    const bits = stores ? FOR_BOTH : FOR_LOADS;
    const end = Math.ceil((hpa + bytes) / PAGE_BYTES);
    for (let page = Math.floor(hpa / PAGE_BYTES); page < end; ) {
      const number = Math.floor(page / GROUP_PAGES);
      const last = Math.min(end, (number + 1) * GROUP_PAGES);
      this.#addTo(number, page % GROUP_PAGES, last - number * GROUP_PAGES, bits);
      page = last;
    }
  }

  #addTo(number: number, from: number, to: number, bits: number): void {
    const known = this.#groups.get(number);
    if (known === ALL_FOR_BOTH || (known === ALL_FOR_LOADS && bits === FOR_LOADS)) return;
    if (to - from === GROUP_PAGES && (bits === FOR_BOTH || known === undefined)) {
      this.#groups.set(number, bits === FOR_BOTH ? ALL_FOR_BOTH : ALL_FOR_LOADS);
      return;
    }
    const group = known === undefined || known === ALL_FOR_LOADS ? newGroup(known) : known;
    if (group !== known) this.#groups.set(number, group);
    for (let page = from; page < to; page++) group[page]! |= bits;
  }
}

function newGroup(from: Uint8Array | undefined): Uint8Array {
  return from === undefined ? new Uint8Array(GROUP_PAGES) : new Uint8Array(from);
}
