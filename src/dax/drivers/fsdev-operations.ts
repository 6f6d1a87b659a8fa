import { fail } from '../../libc/index.js';
import { type DevPagemap, PAGE_SIZE, type PageMapOperations } from '../../mm/index.js';
import type { AccessMode, DaxOperations, DirectAccess } from '../core/operations.js';
import type { Platform } from '../core/platform.js';
import type { DevDax } from '../regions/dev-dax.js';
import { type DaxRange, lengthOf, sizeOf } from '../regions/ranges.js';

/** The most bytes written through one own view of the memory. */
const CHUNK_BYTES = 256 * 1024 * 1024;

/** fsdev's dax operations, over the ranges at its probe. */
export class FsdevOperations implements DaxOperations {
  /** Fixed at probe: the size does not change while bound, whatever is written to `mapping`. */
  readonly size: number;
  readonly #sizePages: number;
  readonly #platform: Platform;
  readonly #device: DevDax;
  readonly #ranges: readonly DaxRange[];
  readonly #pageMap: DevPagemap;
  readonly #dataOffset: number;

  constructor(
    platform: Platform,
    device: DevDax,
    ranges: readonly DaxRange[],
    pageMap: DevPagemap,
    dataOffset: number,
  ) {
    this.#platform = platform;
    this.#device = device;
    this.#ranges = ranges;
    this.#pageMap = pageMap;
    this.#dataOffset = dataOffset;
    this.size = sizeOf(ranges);
    this.#sizePages = this.size / PAGE_SIZE;
  }

  directAccess(pgoff: number, pages: number, mode: AccessMode): DirectAccess | null {
    const { quirks } = this.#platform;
    if (pgoff >= this.#sizePages) return null;
    const range = rangeOf(this.#ranges, pgoff);
    if (range === null) return null;
    const start = range.start + (pgoff - range.pageOffset) * PAGE_SIZE;
    const inRange = range.pageOffset + lengthOf(range) / PAGE_SIZE - pgoff;
    const left = quirks.has('direct-access-crosses-range') ? this.#sizePages - pgoff : inRange;
    let count = Math.min(pages, left);
    if (count < 1) return null;
    const pfn = start / PAGE_SIZE;
    if (mode === 'access') count = this.#upToPoison(pfn, count, pgoff);
    return { pfn, pages: count, hpa: quirks.size === 0 ? start : this.#kaddr(start, pgoff) };
  }

  zeroPageRange(pgoff: number, pages: number): void {
    if (!(pages >= 0) || !(pgoff >= 0) || pgoff + pages > this.#sizePages) {
      if (this.#platform.quirks.has('zero-page-failed-translation')) {
        this.#platform.report({
          quirk: 'zero-page-failed-translation',
          invariant: 'I10',
          text: `${this.#device.name}: page ${pgoff} has no translation, zeroes went to a stale address`,
        });
        return;
      }
      fail('ERANGE', `${this.#device.name}: pages ${pgoff}+${pages} are beyond the end (${this.size} bytes)`);
    }
    for (let done = 0; done < pages; ) {
      const piece = this.directAccess(
        pgoff + done,
        Math.min(pages - done, CHUNK_BYTES / PAGE_SIZE),
        'recovery',
      )!;
      this.#platform.memory?.bytes(piece.hpa, piece.pages * PAGE_SIZE).fill(0);
      this.#platform.pages.unpoison(piece.pfn, piece.pages);
      done += piece.pages;
    }
  }

  recoveryWrite(pgoff: number, offsetInPage: number, bytes: Uint8Array): number {
    let done = 0;
    while (done < bytes.length) {
      const at = pgoff * PAGE_SIZE + offsetInPage + done;
      const page = Math.floor(at / PAGE_SIZE);
      const inPage = at % PAGE_SIZE;
      const wanted = Math.min(Math.ceil((inPage + bytes.length - done) / PAGE_SIZE), CHUNK_BYTES / PAGE_SIZE);
      const piece = this.directAccess(page, wanted, 'recovery');
      if (piece === null) break;
      const length = Math.min(bytes.length - done, piece.pages * PAGE_SIZE - inPage);
      this.#platform.memory?.bytes(piece.hpa + inPage, length).set(bytes.subarray(done, done + length));
      const firstWhole = inPage === 0 ? piece.pfn : piece.pfn + 1;
      const endWhole = piece.pfn + Math.floor((inPage + length) / PAGE_SIZE);
      if (endWhole > firstWhole) this.#platform.pages.unpoison(firstWhole, endWhole - firstWhole);
      done += length;
    }
    return done;
  }

  #upToPoison(pfn: number, pages: number, pgoff: number): number {
    const poisoned = this.#platform.pages.firstPoisoned(pfn, pages);
    if (poisoned < 0) return pages;
    if (poisoned === pfn)
      fail('EHWPOISON', `${this.#device.name}: page ${pgoff} is poisoned: write it whole to recover it`);
    return poisoned - pfn;
  }

  /** The address that the kernel would use. The upstream bugs did not compute it from the pfn. */
  #kaddr(start: number, pgoff: number): number {
    const { quirks } = this.#platform;
    if (quirks.has('kaddr-first-range')) return this.#ranges[0]!.start + pgoff * PAGE_SIZE;
    if (quirks.has('pgmap-starts-after-data') && this.#pageMap.start > this.#ranges[0]!.start)
      return this.#pageMap.start + this.#dataOffset + pgoff * PAGE_SIZE;
    return start;
  }
}

/** fsdev's page map operations, for memory failure: the device offset of a page, and the report to its holder. */
export class FsdevPageMapOperations implements PageMapOperations {
  readonly #platform: Platform;
  readonly #device: DevDax;
  readonly #ranges: readonly DaxRange[];

  constructor(platform: Platform, device: DevDax, ranges: readonly DaxRange[]) {
    this.#platform = platform;
    this.#device = device;
    this.#ranges = ranges;
  }

  failureOffset(pfn: number): number {
    const hpa = pfn * PAGE_SIZE;
    if (this.#platform.quirks.has('failure-offset-first-range')) return hpa - this.#ranges[0]!.start;
    const range = this.#ranges.find(({ start, end }) => hpa >= start && hpa <= end);
    if (range === undefined) return fail('EFAULT', `pfn ${pfn} is not of ${this.#device.name}`);
    return range.pageOffset * PAGE_SIZE + hpa - range.start;
  }

  memoryFailure(pfn: number, pages: number, flags: number): void {
    this.#device.dax.notifyFailure(this.failureOffset(pfn), pages * PAGE_SIZE, flags);
  }
}

function rangeOf(ranges: readonly DaxRange[], pgoff: number): DaxRange | null {
  for (const range of ranges)
    if (pgoff < range.pageOffset + lengthOf(range) / PAGE_SIZE && pgoff >= range.pageOffset) return range;
  return null;
}
