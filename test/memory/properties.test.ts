import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhysicalMemory, windowsOf } from '../../src/memory/index.js';
import { Tally } from '../support/tally.js';
import { closedAfterwards, freshMemfd, HPA, isMapped, mapsOf, PAGE } from './support.js';

const PAGES = 64;

/** Two backings of 64 pages with different bytes everywhere, one after the other at HPA, and a copy of them. */
function filledMemory() {
  const backings = [freshMemfd(PAGES * PAGE), freshMemfd(PAGES * PAGE)];
  const memory = closedAfterwards(new PhysicalMemory());
  const content = new Uint8Array(2 * PAGES * PAGE);
  for (let i = 0; i < content.length; i++) content[i] = (i * 31 + (i >> 12) * 17) & 255;
  backings.forEach((backing, i) => {
    const start = HPA + i * PAGES * PAGE;
    memory.insert({ start, length: PAGES * PAGE, backing, offset: 0 });
    memory.bytes(start, PAGES * PAGE).set(content.subarray(i * PAGES * PAGE, (i + 1) * PAGES * PAGE));
  });
  return { memory, backings, content };
}

const piece = fc
  .record({ first: fc.nat(2 * PAGES - 1), pages: fc.integer({ min: 1, max: 8 }) })
  .map(({ first, pages }) => ({ first, pages: Math.min(pages, 2 * PAGES - first) }));

describe('any list of pieces', () => {
  it('maps to the concatenation of what the backings hold, and leaves nothing behind', () => {
    const { memory, backings, content } = filledMemory();
    const windows = backings.flatMap(mapsOf).length;
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 24 }),
        fc.constantFrom('shared' as const, 'private' as const, 'protected' as const),
        fc.nat(PAGE - 1),
        fc.nat(PAGE - 1),
        (pieces, access, cutFront, cutBack) => {
          const ranges = pieces.map(({ first, pages }) => ({
            start: HPA + first * PAGE,
            length: pages * PAGE,
          }));
          ranges[0]!.start += cutFront;
          ranges[0]!.length -= cutFront;
          const last = ranges.at(-1)!;
          last.length -= Math.min(cutBack, last.length - 1);
          const mapping = memory.map(ranges, { access });
          const expected = Buffer.concat(
            ranges.map(({ start, length }) => content.subarray(start - HPA, start - HPA + length)),
          );
          expect(Buffer.compare(new Uint8Array(mapping.buffer), expected)).toBe(0);
          mapping.close();
          expect(isMapped(mapping.address, mapping.length)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
    expect(backings.flatMap(mapsOf)).toHaveLength(windows);
  });

  it('cut into windows is the same bytes in the same order', () => {
    const { memory, content } = filledMemory();
    fc.assert(
      fc.property(
        fc.array(piece, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 9 }),
        (pieces, pages) => {
          const ranges = pieces.map((each) => ({
            start: HPA + each.first * PAGE,
            length: each.pages * PAGE,
          }));
          const parts = [...windowsOf(ranges, pages * PAGE)].map((window) => {
            const mapping = memory.map(window.ranges, { access: 'shared' });
            const copy = Buffer.from(new Uint8Array(mapping.buffer));
            mapping.close();
            return copy;
          });
          const expected = ranges.map(({ start, length }) =>
            content.subarray(start - HPA, start - HPA + length),
          );
          expect(Buffer.compare(Buffer.concat(parts), Buffer.concat(expected))).toBe(0);
          expect(parts.slice(0, -1).every(({ length }) => length === pages * PAGE)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('killed anywhere ends exactly the mappings that touch the place (I6)', () => {
    const { memory } = filledMemory();
    const tally = new Tally();
    fc.assert(
      fc.property(
        fc.array(fc.array(piece, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 8 }),
        piece,
        (lists, hit) => {
          const mappings = lists.map((list) => ({
            list,
            mapping: memory.map(
              list.map(({ first, pages }) => ({ start: HPA + first * PAGE, length: pages * PAGE })),
              { access: 'shared' },
            ),
          }));
          const touched = (list: (typeof lists)[number]) =>
            list.some(({ first, pages }) => first < hit.first + hit.pages && hit.first < first + pages);
          const killed = memory.kill(HPA + hit.first * PAGE, hit.pages * PAGE);
          tally.count('ends some', killed > 0);
          tally.count('leaves some', killed < lists.length);
          expect(killed).toBe(lists.filter(touched).length);
          for (const { list, mapping } of mappings) {
            expect(mapping.alive).toBe(!touched(list));
            expect(mapping.buffer.byteLength).toBe(touched(list) ? 0 : mapping.length);
            mapping.close();
          }
          expect(memory.stats()).toMatchObject({ mappings: 0, mappedBytes: 0 });
        },
      ),
      { numRuns: 100 },
    );
    tally.mustReach({ 'ends some': 0.1, 'leaves some': 0.1 });
  });

  it('read through bytes() anywhere is what the backings hold', () => {
    const { memory, content } = filledMemory();
    fc.assert(
      fc.property(fc.nat(content.length - 1), fc.integer({ min: 1, max: 3 * PAGES * PAGE }), (at, wanted) => {
        const length = Math.min(wanted, content.length - at);
        expect(Buffer.compare(memory.bytes(HPA + at, length), content.subarray(at, at + length))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
