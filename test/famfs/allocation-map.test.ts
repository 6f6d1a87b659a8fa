import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllocationMap } from '../../src/famfs/index.js';
import { propertyRuns } from '../support/runs.js';

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

  it('refuses a map that no memory holds', () => {
    expect(() => new AllocationMap(2 ** 40)).toThrowError(expect.objectContaining({ code: 'EFBIG' }));
  });
});
