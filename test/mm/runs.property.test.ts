import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PageTable, PMD_ORDER, PMD_PAGES } from '../../src/mm/index.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';
import { BASE, file, other, refusal } from './support.js';

/** Around the end of a GiB, so that some ranges cross it. */
const SECTIONS = 24;
const FIRST = BASE - (SECTIONS / 2) * PMD_PAGES;
const files = [file, other];

const span = fc
  .tuple(fc.nat(SECTIONS - 1), fc.integer({ min: 1, max: SECTIONS }))
  .map(([at, count]) => ({ pfn: FIRST + at * PMD_PAGES, count: Math.min(count, SECTIONS - at) }));
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('associate'), span, file: fc.nat(1), shared: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('disassociate'), span }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constantFrom('get', 'put', 'busy', 'again', 'undo'), span }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('clear', 'compound', 'small'), span }) },
);

/** What is done to the last span that was associated. */
const ON_LAST: Record<string, string> = { again: 'get', undo: 'disassociate' };

type Step = { op: string; span: { pfn: number; count: number }; file?: number; shared?: boolean };

/** Does it with ranges, as files do. `last` is the last span that was associated. */
function byRange(pages: PageTable, { op, span: { pfn, count }, ...how }: Step): unknown {
  const length = count * PMD_PAGES;
  if (op === 'associate')
    return pages.associateRange(pfn, PMD_ORDER, count, files[how.file!]!, pfn - FIRST, how.shared);
  if (op === 'disassociate') return pages.disassociateRange(pfn, PMD_ORDER, count);
  if (op === 'get') return pages.getRange(pfn, length);
  if (op === 'put') return pages.putRange(pfn, length);
  if (op === 'busy') return pages.firstBusy(pfn, length);
  if (op === 'clear') return pages.clear(pfn, length);
  if (op === 'compound') return pages.setDefaultOrder(pfn, length, PMD_ORDER);
  return pages.associate(pfn, 0, file, 7);
}

/** Does the same section by section, so that no run is ever made. All or none, as the ranges. */
function bySection(pages: PageTable, move: Step): unknown {
  const { op, span, ...how } = move;
  const sections = Array.from({ length: span.count }, (_, at) => span.pfn + at * PMD_PAGES);
  const each = (run: (pfn: number) => void, undo: (pfn: number) => void): void => {
    const done: number[] = [];
    try {
      for (const pfn of sections) {
        run(pfn);
        done.push(pfn);
      }
    } catch (error) {
      for (const pfn of done) undo(pfn);
      throw error;
    }
  };
  const put = (pfn: number) => pages.putRange(pfn, PMD_PAGES);
  const get = (pfn: number) => pages.getRange(pfn, PMD_PAGES);
  if (op === 'associate')
    return each(
      (pfn) => pages.associate(pfn, PMD_ORDER, files[how.file!]!, pfn - FIRST, how.shared),
      (pfn) => pages.disassociate(pfn),
    );
  if (op === 'disassociate') return each((pfn) => pages.disassociate(pfn), Boolean);
  if (op === 'get') return each(get, put);
  if (op === 'put') return each(put, get);
  return byRange(pages, move);
}

it('a table with runs answers as one with a record for each section, whatever happens', () => {
  const tally = new Tally();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20, size: 'max' }), (steps) => {
      const [runs, single] = [new PageTable(), new PageTable()];
      let last = { pfn: FIRST, count: 1 };
      for (const made of steps) {
        const move = made.op in ON_LAST ? { ...made, span: last } : made;
        const op = ON_LAST[move.op] ?? move.op;
        const answers = [byRange, bySection].map((how, at) => {
          let value: unknown;
          const code = refusal(() => (value = how([runs, single][at]!, { ...move, op }))).split(':')[0];
          return { code, value };
        });
        expect(answers[0]).toEqual(answers[1]);
        if (op === 'associate' && tally.count('associate', answers[0]!.code === 'ok')) last = move.span;
        tally.count('fewer bytes', runs.stats().bytes < single.stats().bytes);
        compare(runs, single);
      }
    }),
    { numRuns: propertyRuns(150) },
  );
  tally.mustReach({ associate: 0.1, 'fewer bytes': 0.03 });
});

function compare(runs: PageTable, single: PageTable): void {
  expect(runs.check()).toEqual([]);
  expect([...runs.referenced()]).toEqual([...single.referenced()]);
  expect(runs.stats().sections).toBe(single.stats().sections);
  for (let section = 0; section < SECTIONS; section++)
    for (const page of [0, 1, PMD_PAGES - 1]) {
      const pfn = FIRST + section * PMD_PAGES + page;
      const [a, b] = [runs.describe(pfn), single.describe(pfn)];
      const isSame = Object.entries(a).every(([key, value]) => value === b[key as keyof typeof b]);
      if (!isSame) expect(a).toEqual(b);
      if (runs.refcount(pfn) !== a.refcount) expect(runs.refcount(pfn)).toBe(a.refcount);
    }
}
