import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AddressSpace, PageTable, PMD_PAGES, pagesOfOrder } from '../../src/mm/index.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';

/** The naive reference: one object for each 4 KiB page, as in the kernel. */
interface Page {
  head: number;
  order: number;
  mapping: AddressSpace | null;
  union: number;
  references: number;
}

const SECTIONS = 4;
const COUNT = SECTIONS * PMD_PAGES;
const BASE = 3 * 512 * 512;

class NaivePages {
  readonly pages: Page[] = Array.from({ length: COUNT }, (_, at) => resting(at));

  head(at: number): Page {
    return this.pages[this.pages[at]!.head]!;
  }

  associate(at: number, order: number, mapping: AddressSpace, index: number, shared: boolean): boolean {
    const count = pagesOfOrder(order);
    if (at % count !== 0) return false;
    const head = this.head(at);
    if (head.mapping !== null || head.union > 0) {
      if (!shared || (order === 9 && head.order !== 9)) return false;
      head.union = head.mapping === null ? head.union + 1 : 2;
      head.mapping = null;
      return true;
    }
    for (let page = at; page < at + count; page++) {
      const { order: was, mapping: owner, union, references, head: first } = this.pages[page]!;
      if (was !== 0 || owner !== null || union !== 0 || first !== page) return false;
      if (order > 0 && references !== 0) return false;
    }
    for (let page = at; page < at + count; page++) this.pages[page]!.head = at;
    Object.assign(this.pages[at]!, { order, mapping, union: index });
    return true;
  }

  disassociate(at: number): void {
    const head = this.head(at);
    if (head.mapping === null && head.union === 0) return;
    if (head.mapping === null && head.union > 1) {
      head.union--;
      return;
    }
    this.dissolve(this.pages[at]!.head);
  }

  dissolve(first: number): void {
    const { order, references } = this.pages[first]!;
    for (let page = first; page < first + pagesOfOrder(order); page++)
      this.pages[page] = { ...resting(page), references };
  }

  heads(at: number, count: number): Set<Page> {
    return new Set(Array.from({ length: count }, (_, page) => this.head(at + page)));
  }

  count(at: number, count: number, delta: number): boolean {
    const heads = this.heads(at, count);
    for (const head of heads) if (head.references + delta < 0) return false;
    for (const head of heads) head.references += delta;
    return true;
  }

  clear(at: number, count: number): void {
    for (let page = at; page < at + count; page++) this.dissolve(this.pages[page]!.head);
  }
}

function resting(at: number): Page {
  return { head: at, order: 0, mapping: null, union: 0, references: 0 };
}

const files = [{ name: '/a' }, { name: '/b' }];
/** Any page, or one of the few around the borders of sections, where steps meet each other. */
const page = fc.oneof(
  fc.nat(COUNT - 1),
  fc
    .tuple(fc.nat(SECTIONS - 1), fc.integer({ min: -8, max: 8 }))
    .map(([section, away]) => Math.max(0, section * PMD_PAGES + away)),
);
const span = fc
  .tuple(page, fc.oneof(fc.nat(COUNT), fc.nat(12)))
  .map(([at, count]) => ({ at, count: Math.max(1, Math.min(count, COUNT - at)) }));
const aligned = fc
  .tuple(fc.constantFrom(0, 1, 2, 3, 9, 9, 9), page)
  .map(([order, at]) => ({ order, at: at - (at % pagesOfOrder(order)) }));
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('associate' as const),
      where: aligned,
      file: fc.nat(1),
      shared: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('disassociate' as const), at: page }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('get' as const), span }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('put' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('putAny' as const), span }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('getSections' as const), section: fc.nat(SECTIONS - 1) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('clear' as const), span }) },
);

describe('PageTable', () => {
  it('answers as one object per page would, whatever happens (I1, I2, I5)', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const pages = new PageTable();
        const naive = new NaivePages();
        const pinned: { at: number; count: number }[] = [];
        for (const move of steps) {
          if (move.op === 'associate') {
            const { at, order } = move.where;
            const mapping = files[move.file]!;
            const wanted = naive.associate(at, order, mapping, at + 1, move.shared);
            tally.count('associate', wanted);
            expect(succeeds(() => pages.associate(BASE + at, order, mapping, at + 1, move.shared))).toBe(
              wanted,
            );
          } else if (move.op === 'disassociate') {
            naive.disassociate(move.at);
            pages.disassociate(BASE + move.at);
          } else if (move.op === 'get' || move.op === 'getSections') {
            const where = move.op === 'get' ? move.span : { at: move.section * PMD_PAGES, count: PMD_PAGES };
            naive.count(where.at, where.count, 1);
            pages.getRange(BASE + where.at, where.count);
            pinned.push(where);
          } else if (move.op === 'put' || move.op === 'putAny') {
            // Puts what was got before, or anything: of all its folios or none.
            const where = move.op === 'put' ? pinned.pop() : move.span;
            if (where === undefined) continue;
            const isThere = tally.count(move.op, naive.count(where.at, where.count, -1));
            expect(succeeds(() => pages.putRange(BASE + where.at, where.count))).toBe(isThere);
          } else {
            naive.clear(move.span.at, move.span.count);
            pages.clear(BASE + move.span.at, move.span.count);
          }
          compare(pages, naive);
        }
      }),
      { numRuns: propertyRuns(150) },
    );
    tally.mustReach({ associate: 0.1, put: 0.1, putAny: 0.01 });
  });
});

function compare(pages: PageTable, naive: NaivePages): void {
  expect(pages.check()).toEqual([]);
  for (let at = 0; at < COUNT; at++) {
    const head = naive.head(at);
    const { order, head: first, mapping, index, share, refcount } = pages.describe(BASE + at);
    const same =
      order === head.order &&
      first === BASE + naive.pages[at]!.head &&
      mapping === head.mapping &&
      (mapping === null ? share : index) === head.union &&
      refcount === head.references;
    if (!same) expect({ at, ...pages.describe(BASE + at) }).toEqual({ at, ...head });
  }
}

function succeeds(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}
