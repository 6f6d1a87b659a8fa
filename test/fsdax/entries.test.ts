import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AddressSpaceEntries, type Entry } from '../../src/fsdax/index.js';
import { Tally } from '../support/tally.js';

const PMD_PAGES = 512;

describe('address space entries', () => {
  it('a fresh table has none', () => {
    const entries = new AddressSpaceEntries();
    expect(entries.count).toBe(0);
    expect(entries.list()).toEqual([]);
    expect(entries.pmdAt(0)).toBe(-1);
    expect(entries.pteAt(7)).toBe(-1);
  });

  it('a run of PMD entries gives each slot its pfn', () => {
    const entries = new AddressSpaceEntries();
    entries.setPmds(1, 2, 0);
    expect(entries.list()).toEqual([
      { index: 512, pfn: 0, order: 9 },
      { index: 1024, pfn: 512, order: 9 },
    ]);
  });

  it('PTE entries keep their slot from a PMD', () => {
    const entries = new AddressSpaceEntries();
    entries.setPtes(PMD_PAGES + 5, 3, 77);
    expect(entries.freePmds(0, 4)).toBe(1);
    expect(entries.freePtes(PMD_PAGES, 10)).toBe(5);
    expect(entries.freePtes(PMD_PAGES + 5, 10)).toBe(0);
  });

  it('entries are kept wherever in the file they are', () => {
    const entries = new AddressSpaceEntries();
    entries.setPmds(3, 1, 4096);
    entries.setPtes(5 * PMD_PAGES, 1, 9);
    expect(entries.list().map(({ index }) => index)).toEqual([3 * PMD_PAGES, 5 * PMD_PAGES]);
  });

  it('forEach visits what touches the range, in order, and clear gives each back once', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(7), fc.boolean(), fc.nat(511)), { maxLength: 20 }),
        fc.nat(8 * PMD_PAGES),
        fc.nat(8 * PMD_PAGES),
        (made, a, b) => {
          const entries = new AddressSpaceEntries();
          const expected = new Map<number, { pfn: number; order: number }>();
          for (const [slot, big, page] of made) {
            const index = slot * PMD_PAGES + (big ? 0 : page);
            // Some neighbours have neighbouring memory, some have not.
            const pfn = index + (big ? slot >> 1 : page >> 2) * 4 * PMD_PAGES;
            if (big) {
              if (!tally.count('a PMD', entries.freePmds(slot, 1) !== 0)) continue;
              entries.setPmds(slot, 1, pfn);
              expected.set(index, { pfn, order: 9 });
            } else {
              const isFree = entries.pmdAt(slot) < 0 && entries.freePtes(index, 1) !== 0;
              if (!tally.count('a PTE', isFree)) continue;
              entries.setPtes(index, 1, pfn);
              expected.set(index, { pfn, order: 0 });
            }
          }
          const [first, end] = a < b ? [a, b] : [b, a];
          const each = (index: number, pfn: number, order: number, count: number) =>
            Array.from({ length: count }, (_, i) => ({
              index: index + i * 2 ** order,
              pfn: pfn + i * 2 ** order,
              order,
            }));
          const seen: Entry[] = [];
          entries.forEach(first, end, (...run) => seen.push(...each(...run)));
          const touching = [...expected]
            .filter(([index, { order }]) => index < end && index + 2 ** order > first)
            .map(([index, entry]) => ({ index, ...entry }))
            .sort((x, y) => x.index - y.index);
          tally.count('a range with entries', seen.length > 0);
          expect(seen).toEqual(touching);
          expect(entries.count).toBe(expected.size);
          const cleared: Entry[] = [];
          const all = entries.list();
          entries.clear((...run) => cleared.push(...each(...run)));
          expect(cleared).toEqual(all);
          expect(cleared.map(({ index }) => index)).toEqual([...expected.keys()].sort((x, y) => x - y));
          expect(entries.count).toBe(0);
        },
      ),
    );
    tally.mustReach({ 'a PMD': 0.05, 'a PTE': 0.05, 'a range with entries': 0.05 });
  });
});
