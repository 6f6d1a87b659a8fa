import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placeRegion } from '../../../src/machine/emulated/placement.js';
import { GiB, MiB, TiB } from '../support.js';

describe('where regions go', () => {
  it('starts at 1 TiB', () => {
    expect(placeRegion(GiB, [], 0)).toBe(TiB);
  });

  it('starts above the memory blocks of a larger host', () => {
    expect(placeRegion(GiB, [], 3 * TiB + 128 * MiB)).toBe(3 * TiB + GiB);
  });

  it('takes the lowest gap that is large enough', () => {
    const taken = [
      { start: TiB, length: 2 * MiB },
      { start: TiB + 2 * GiB, length: GiB },
    ];
    expect(placeRegion(GiB, taken, 0)).toBe(TiB + GiB);
    expect(placeRegion(GiB + MiB, taken, 0)).toBe(TiB + 3 * GiB);
  });

  it('is 1 GiB aligned and never overlaps what is taken, whatever is there', () => {
    const span = fc.record({
      start: fc.nat(64).map((n) => TiB + n * 512 * MiB),
      length: fc.integer({ min: 1, max: 64 }).map((n) => n * 100 * MiB),
    });
    fc.assert(
      fc.property(fc.array(span), fc.integer({ min: 1, max: 40 }), (taken, units) => {
        const length = units * 200 * MiB;
        const start = placeRegion(length, taken, 0);
        expect(start % GiB).toBe(0);
        expect(start).toBeGreaterThanOrEqual(TiB);
        for (const other of taken)
          expect(start + length <= other.start || other.start + other.length <= start).toBe(true);
      }),
    );
  });
});
