import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocationMap } from '../../src/famfs/index.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';

/** A map with one boolean for each unit. */
class NaiveMap {
  readonly taken: boolean[];
  constructor(units: number) {
    this.taken = new Array<boolean>(units).fill(false);
  }
  set(start: number, count: number): number {
    let before = 0;
    for (let i = start; i < Math.min(start + count, this.taken.length); i++) {
      if (this.taken[i]) before++;
      this.taken[i] = true;
    }
    return before;
  }
  clear(start: number, count: number): void {
    for (let i = start; i < Math.min(start + count, this.taken.length); i++) this.taken[i] = false;
  }
  next(value: boolean, from: number, end: number): number {
    for (let i = from; i < end; i++) if (this.taken[i] === value) return i;
    return end;
  }
  findRun(count: number, from: number, end: number): number {
    for (let i = from; i + count <= end; i++) if (this.next(true, i, i + count) === i + count) return i;
    return -1;
  }
}

const UNITS = 150;
const range = fc.record({
  start: fc.integer({ min: 0, max: UNITS - 1 }),
  count: fc.integer({ min: 0, max: UNITS }),
});
const step = fc.record({ act: fc.constantFrom('set', 'clear', 'run', 'next', 'count'), range });

describe('the allocation map', () => {
  it('answers like one boolean a unit', () => {
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const map = new AllocationMap(UNITS);
      const naive = new NaiveMap(UNITS);
      for (const { act, range: given } of steps) {
        const { start, count } = given;
        const end = Math.min(UNITS, start + count);
        if (act === 'set') expect(map.set(start, count)).toBe(naive.set(start, count));
        else if (act === 'clear') {
          map.clear(start, count);
          naive.clear(start, count);
        } else if (act === 'run') {
          expect(map.findRun(count + 1, start, UNITS)).toBe(naive.findRun(count + 1, start, UNITS));
        } else if (act === 'next' && end > start) {
          expect(map.nextFree(start, end)).toBe(naive.next(false, start, end));
          expect(map.nextSet(start, end)).toBe(naive.next(true, start, end));
        } else {
          expect(map.countSet(start, count)).toBe(naive.taken.slice(start, end).filter(Boolean).length);
        }
      }
      expect(Array.from({ length: UNITS }, (_, i) => map.isSet(i))).toEqual(naive.taken);
      const free = [...map.freeRuns()].flatMap((run) =>
        Array.from({ length: run.count }, (_, i) => run.start + i),
      );
      expect(free).toEqual(naive.taken.flatMap((taken, i) => (taken ? [] : [i])));
    });
    fc.assert(property, { numRuns: propertyRuns(300) });
  });

  it('keeps bit i in byte i/8, lowest bit first, as C does', () => {
    const map = new AllocationMap(20);
    map.set(0, 1);
    map.set(9, 2);
    expect([...map.bytes()]).toEqual([0b1, 0b110, 0]);
  });

  it.each([2 ** 40, 2 ** 31 + 1, -1, 1.5, Number.NaN])('of %s units is refused', (units) => {
    expect(() => new AllocationMap(units)).toThrowError(
      expect.objectContaining({ code: 'EFBIG', message: expect.stringContaining(`${units} units`) }),
    );
  });

  it('of no units has none that is free or taken', () => {
    const map = new AllocationMap(0);
    expect([map.bytes().length, map.set(0, 5), map.countSet(), map.findRun(1, 0, 0)]).toEqual([0, 0, 0, -1]);
    expect([[...map.freeRuns()], [...map.setRuns()]]).toEqual([[], []]);
  });

  it('lists the runs that are taken, and those that are free in a range', () => {
    const map = new AllocationMap(100);
    for (const [start, count] of [
      [0, 2],
      [31, 2],
      [64, 32],
      [99, 1],
    ] as const)
      map.set(start, count);
    expect([...map.setRuns()]).toEqual([
      { start: 0, count: 2 },
      { start: 31, count: 2 },
      { start: 64, count: 32 },
      { start: 99, count: 1 },
    ]);
    expect([...map.freeRuns(32, 97)]).toEqual([
      { start: 33, count: 31 },
      { start: 96, count: 1 },
    ]);
    expect([...map.freeRuns(64, 96)]).toEqual([]);
  });

  it('finds space that was given back in front of all that is taken', () => {
    const map = new AllocationMap(200);
    map.set(0, 150);
    expect(map.findRun(3, 0, 200)).toBe(150);
    map.clear(40, 3);
    map.clear(120, 5);
    expect([map.findRun(3, 0, 200), map.findRun(4, 0, 200), map.findRun(3, 41, 200)]).toEqual([40, 120, 120]);
    expect([map.nextFree(0), map.nextFree(42), map.nextFree(43)]).toEqual([40, 42, 120]);
  });
});

describe('taking units', () => {
  it('marks all of them or none: those that are there and free, within a word of the map or over several', () => {
    const tally = new Tally();
    const step = fc.record({
      does: fc.constantFrom('take', 'take', 'take', 'set', 'clear'),
      start: fc.nat(210),
      count: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constantFrom(31, 32, 33, 64, 65, 100, 201)),
    });
    const property = fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const map = new AllocationMap(201);
      let taken = Array.from({ length: 201 }, () => false);
      for (const { does, start, count } of steps) {
        const marked = taken.map((was, unit) => was || (unit >= start && unit < start + count));
        if (does === 'set') {
          map.set(start, count);
          taken = marked;
        } else if (does === 'clear') {
          map.clear(start, count);
          taken = taken.map((was, unit) => was && !(unit >= start && unit < start + count));
        } else {
          const isFree = start + count <= 201 && taken.slice(start, start + count).every((was) => !was);
          expect(map.take(start, count)).toBe(isFree);
          if (isFree) taken = marked;
          tally.count('takes more than a word', isFree && (start & 31) + count > 64);
          tally.count('is refused', !isFree);
        }
        expect(taken.map((_, unit) => map.isSet(unit))).toEqual(taken);
      }
    });
    fc.assert(property, { numRuns: propertyRuns(300) });
    tally.mustReach({ 'takes more than a word': 0.02, 'is refused': 0.2 });
  });
});

describe('a large allocation map', () => {
  /** Units that the map may remember as taken together. */
  const BLOCK = 2 ** 18;
  const UNITS_OF_IT = 3 * BLOCK + 100;

  it('tells how many units of a long range were taken before', () => {
    const map = new AllocationMap(UNITS_OF_IT);
    expect(map.set(5, 2 * BLOCK)).toBe(0);
    expect(map.countSet()).toBe(2 * BLOCK);
    expect(map.set(0, 3 * BLOCK)).toBe(2 * BLOCK);
    expect(map.set(0, UNITS_OF_IT)).toBe(3 * BLOCK);
    expect(map.set(0, UNITS_OF_IT + 1)).toBe(UNITS_OF_IT);
    expect([map.countSet(), map.nextFree(0)]).toEqual([UNITS_OF_IT, UNITS_OF_IT]);
  });

  it.each([
    ['first', 0],
    ['second', BLOCK],
    ['third', 2 * BLOCK],
  ])('knows a unit of the %s block that was given back, and only that', (_which, start) => {
    for (const unit of [start, start + 77, start + BLOCK - 1]) {
      const map = new AllocationMap(UNITS_OF_IT);
      map.set(0, UNITS_OF_IT);
      map.clear(unit, 0);
      expect(map.countSet()).toBe(UNITS_OF_IT);
      map.clear(unit, 1);
      expect([map.nextFree(0), map.countSet(), map.isSet(unit)]).toEqual([unit, UNITS_OF_IT - 1, false]);
      expect(map.set(0, UNITS_OF_IT)).toBe(UNITS_OF_IT - 1);
      expect(map.countSet()).toBe(UNITS_OF_IT);
    }
  });

  it('knows all units of a range over several blocks that was given back', () => {
    const map = new AllocationMap(UNITS_OF_IT);
    map.set(0, UNITS_OF_IT);
    map.clear(BLOCK - 1, BLOCK + 2);
    expect(map.set(0, UNITS_OF_IT)).toBe(UNITS_OF_IT - BLOCK - 2);
    expect(map.countSet()).toBe(UNITS_OF_IT);
  });
});
