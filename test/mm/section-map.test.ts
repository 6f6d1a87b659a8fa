import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Section } from '../../src/mm/section.js';
import { SectionMap } from '../../src/mm/section-map.js';

/** Sections of 64 GiB. */
const ZONE = 32768;

function mapOf(...numbers: number[]): SectionMap {
  const map = new SectionMap();
  for (const number of numbers) map.set(number, new Section(number % 7));
  return map;
}

const numbersOf = (map: SectionMap, first?: number, end?: number) =>
  [...map.entries(first, end)].map(([number]) => number);

describe('SectionMap', () => {
  it('finds a record by its number only, near and far', () => {
    const map = mapOf(1, ZONE + 1, 9 * ZONE);
    for (const number of [1, ZONE + 1, 9 * ZONE, 1]) expect(map.get(number)?.order).toBe(number % 7);
    for (const number of [0, 2, ZONE, 2 * ZONE + 1, 8 * ZONE]) expect(map.get(number)).toBeUndefined();
  });

  it('has the last record that was set, until it is deleted', () => {
    const map = mapOf(ZONE + 5, 5);
    const section = new Section(9);
    map.set(ZONE + 5, section);
    expect(map.get(ZONE + 5)).toBe(section);
    map.delete(ZONE + 5);
    map.delete(ZONE + 5);
    map.delete(7 * ZONE);
    expect([map.get(ZONE + 5), numbersOf(map)]).toEqual([undefined, [5]]);
    map.set(ZONE + 5, section);
    expect([map.get(ZONE + 5), numbersOf(map).sort((a, b) => a - b)]).toEqual([section, [5, ZONE + 5]]);
  });

  it('lists the records of a range: with its first, without its end', () => {
    const map = mapOf(0, 3, 4, ZONE - 1, ZONE, ZONE + 1, 2 * ZONE);
    expect(numbersOf(map)).toEqual([0, 3, 4, ZONE - 1, ZONE, ZONE + 1, 2 * ZONE]);
    expect(numbersOf(map, 3, 4)).toEqual([3]);
    expect(numbersOf(map, 4, ZONE)).toEqual([4, ZONE - 1]);
    expect(numbersOf(map, ZONE, 2 * ZONE)).toEqual([ZONE, ZONE + 1]);
    expect(numbersOf(map, ZONE - 1, 2 * ZONE + 1)).toEqual([ZONE - 1, ZONE, ZONE + 1, 2 * ZONE]);
    expect(numbersOf(map, 1, 3)).toEqual([]);
  });

  it('drops what nobody keeps of a range, asks for nothing else, and goes on from there', () => {
    const all = [0, 3, 4, ZONE - 1, ZONE, ZONE + 1, 2 * ZONE, 2 * ZONE + 1];
    const map = mapOf(...all);
    const asked: number[] = [];
    map.drop(3, 2 * ZONE + 1, (section, number) => {
      expect(section).toBe(map.get(number));
      asked.push(number);
      return number === 4 || number === ZONE + 1;
    });
    expect(asked).toEqual([3, 4, ZONE - 1, ZONE, ZONE + 1, 2 * ZONE]);
    expect(numbersOf(map)).toEqual([0, 4, ZONE + 1, 2 * ZONE + 1]);
    expect(all.filter((number) => map.get(number) !== undefined)).toEqual(numbersOf(map));
  });

  it('forgets a zone that was dropped, also right after a look at it', () => {
    const map = mapOf(ZONE + 2, 5);
    for (const number of [5, ZONE + 2]) {
      expect(map.get(number)).toBeDefined();
      map.drop(number, number + 1, () => false);
      expect(map.get(number)).toBeUndefined();
      const section = new Section(9);
      map.set(number, section);
      expect([map.get(number), numbersOf(map, number, number + 1)]).toEqual([section, [number]]);
    }
  });

  it('has the same records whether a group has few or many, as any order of changes leaves them', () => {
    const change = fc.record({
      number: fc.nat(1100),
      sets: fc.boolean(),
      times: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.nat(1100), fc.nat(1100), (changes, from, to) => {
        const map = new SectionMap();
        const model = new Map<number, Section>();
        for (const { number, sets, times } of changes) {
          for (let at = number; at < number + times; at++) {
            const section = new Section(9);
            if (sets) map.set(at, section);
            else map.delete(at);
            if (sets) model.set(at, section);
            else model.delete(at);
          }
        }
        const sorted = (): [number, Section][] => [...model].sort(([a], [b]) => a - b);
        expect([...map.entries()]).toEqual(sorted());
        for (let number = 0; number < 1400; number += 7) expect(map.get(number)).toBe(model.get(number));
        map.drop(from, to, (_, number) => number % 5 === 0);
        for (const number of model.keys())
          if (number >= from && number < to && number % 5 !== 0) model.delete(number);
        expect([...map.entries()]).toEqual(sorted());
        for (const number of model.keys()) expect(map.get(number)).toBe(model.get(number));
      }),
      { numRuns: 60 },
    );
  });
});
