import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PageTable, type PoisonRange, poisonWithout } from '../../src/mm/index.js';

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

describe('poison', () => {
  it('of the first page of all is found as any other', () => {
    const pages = new PageTable();
    expect([pages.isPoisoned(0), pages.firstPoisoned(0, 10)]).toEqual([false, -1]);
    pages.poison(0, 1);
    expect([pages.isPoisoned(0), pages.firstPoisoned(0, 10), pages.isPoisoned(1)]).toEqual([true, 0, false]);
  });

  it('has a counter that grows with each change and with nothing else', () => {
    const pages = new PageTable();
    const steps: [() => void, number][] = [
      [() => pages.unpoison(10, 5), 0],
      [() => pages.poison(10, 10), 1],
      [() => pages.poison(15, 0), 1],
      [() => pages.poison(15, -1), 1],
      [() => pages.unpoison(15, 0), 1],
      [() => pages.unpoison(15, -1), 1],
      [() => pages.unpoison(40, 5), 1],
      [() => pages.unpoison(15, 1), 2],
      [() => pages.replacePoison([{ pfn: 70, pages: 2 }]), 3],
    ];
    for (const [step, changes] of steps) {
      step();
      expect(pages.poisonChanges).toBe(changes);
      if (changes === 1) expect(pages.poisonedRanges()).toEqual([{ pfn: 10, pages: 10 }]);
    }
    expect(pages.poisonedRanges()).toEqual([{ pfn: 70, pages: 2 }]);
  });
});
