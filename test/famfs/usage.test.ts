import { describe, expect, it } from 'vitest';
import { AllocationMap } from '../../src/famfs/index.js';
import { Usage } from '../../src/famfs/media/usage.js';

const UNIT = 4096;

/** A primary of 100 units of which the first 2 are taken, and devices 1 and 2 of 50 and 200 units. */
function usage(deviceUnits: readonly number[] = [100, 50, 200]): Usage {
  const primary = new AllocationMap(100);
  primary.set(0, 2);
  return new Usage(
    primary,
    UNIT,
    deviceUnits.map((units) => units * UNIT),
  );
}

/** Marks units of a device. */
const mark = (of: Usage, device: number, start: number, count: number) =>
  of.mark(device, start * UNIT, count * UNIT);

describe('the space that files take', () => {
  it('collides where units of the primary are taken twice', () => {
    const used = usage();
    expect([mark(used, 0, 2, 3), mark(used, 0, 4, 3), mark(used, 0, 0, 3)]).toEqual([0, 1, 3]);
    expect([used.collisions, used.primary.countSet()]).toEqual([4, 7]);
  });

  it('counts each unit that an extent touches', () => {
    const used = usage();
    expect(used.mark(0, 10 * UNIT + 1, UNIT)).toBe(0);
    expect([used.primary.countSet(10, 3), used.mark(0, 11 * UNIT + 5, 1)]).toEqual([2, 1]);
  });

  it('on another device collides with files on that device only, and is taken on the primary as in C', () => {
    const used = usage();
    expect([mark(used, 1, 10, 5), mark(used, 2, 10, 5)]).toEqual([0, 0]);
    expect(used.primary.countSet(10, 5)).toBe(5);
    expect(mark(used, 0, 8, 4)).toBe(0);
    expect(mark(used, 0, 8, 4)).toBe(4);
    expect(mark(used, 1, 14, 2)).toBe(1);
    expect(used.collisions).toBe(5);
  });

  it('on another device over a file of the primary leaves that file its units', () => {
    const used = usage();
    mark(used, 0, 20, 5);
    expect(mark(used, 1, 15, 20)).toBe(0);
    expect(used.primary.countSet(15, 20)).toBe(20);
    expect([mark(used, 0, 15, 5), mark(used, 0, 25, 10), mark(used, 0, 20, 5)]).toEqual([0, 0, 5]);
  });

  it('outside a device is no collision, nor on one that nobody added', () => {
    const used = usage();
    for (const device of [0, 1])
      for (const start of [100, 150]) {
        expect([mark(used, device, start, 5), mark(used, device, start, 5)]).toEqual([0, 0]);
      }
    expect([mark(used, 7, 60, 3), mark(used, 7, 60, 3)]).toEqual([0, 0]);
    expect(used.primary.countSet(60, 3)).toBe(3);
    expect([mark(used, 2, 150, 5), mark(used, 2, 154, 5)]).toEqual([0, 1]);
    expect(used.collisions).toBe(1);
  });

  it('on a device that is too large to look at is taken on the primary, and collides with nothing', () => {
    const used = usage([100, 2 ** 24, 2 ** 24 + 1]);
    expect([mark(used, 1, 90, 20), mark(used, 1, 105, 20)]).toEqual([0, 5]);
    expect([mark(used, 2, 70, 20), mark(used, 2, 75, 20)]).toEqual([0, 0]);
    expect(used.primary.countSet(70, 30)).toBe(30);
    expect(mark(used, 1, 2 ** 24, 5)).toBe(0);
  });
});
