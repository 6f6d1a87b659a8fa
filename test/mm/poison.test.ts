import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PoisonRange, poisonWithout } from '../../src/mm/index.js';

const ranges = fc.array(fc.record({ pfn: fc.nat(60), pages: fc.integer({ min: 1, max: 20 }) }), {
  maxLength: 6,
});
const pagesOf = (list: readonly PoisonRange[]) =>
  list.flatMap(({ pfn, pages }) => Array.from({ length: pages }, (_, at) => pfn + at));

describe('poisonWithout', () => {
  it('leaves exactly the pages that are not in the others', () => {
    fc.assert(
      fc.property(ranges, ranges, (from, others) => {
        const gone = new Set(pagesOf(others));
        const left = new Set(pagesOf(from).filter((pfn) => !gone.has(pfn)));
        expect(new Set(pagesOf(poisonWithout(from, others)))).toEqual(left);
      }),
    );
  });
});
