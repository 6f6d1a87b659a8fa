import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PMD_PAGES } from '../../src/mm/index.js';
import { Section } from '../../src/mm/section.js';
import { SectionMap } from '../../src/mm/section-map.js';
import { Tally } from '../support/tally.js';
import { file } from './support.js';

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
    const numberOf = new Map(all.map((number) => [map.get(number), number]));
    const asked: unknown[] = [];
    map.drop(3, 2 * ZONE + 1, (section) => {
      const number = numberOf.get(section);
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

  it('has the same records alone, in groups and in runs, as any order of changes leaves them', () => {
    const change = fc.record({
      number: fc.nat(1100),
      does: fc.constantFrom('set', 'delete', 'run'),
      times: fc.integer({ min: 1, max: 200 }),
    });
    const tally = new Tally();
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), fc.nat(1100), fc.nat(1100), (changes, from, to) => {
        const map = new SectionMap();
        const model = new Map<number, Section>();
        for (const { number, does, times } of changes) {
          const numbers = Array.from({ length: times }, (_, at) => number + at);
          const isEmpty = numbers.every((at) => !model.has(at));
          expect(map.isEmpty(number, number + times)).toBe(isEmpty);
          if (does === 'run' && !tally.count('run', isEmpty)) continue;
          if (does === 'run') map.setRun(number, number + times, file, number * PMD_PAGES);
          for (const at of numbers) {
            const section = new Section(9, file, at * PMD_PAGES);
            if (does === 'set') section.references = at % 5;
            expect(map.has(at)).toBe(does === 'run' || model.has(at));
            if (does !== 'run') expect(map.get(at)).toEqual(model.get(at));
            if (does === 'set') map.set(at, section);
            if (does === 'delete') map.delete(at);
            if (does === 'delete') model.delete(at);
            else model.set(at, section);
          }
        }
        const sorted = (): [number, Section][] => [...model].sort(([a], [b]) => a - b);
        expect([...map.entries()]).toEqual(sorted());
        for (let number = 0; number < 1400; number += 7) expect(map.look(number)).toEqual(model.get(number));
        expect([...map.entries()]).toEqual(sorted());
        map.drop(from, to, ({ references }) => references > 0);
        for (const [number, { references }] of model)
          if (number >= from && number < to && references === 0) model.delete(number);
        expect([...map.entries()]).toEqual(sorted());
        for (const [number, section] of model) {
          const record = map.get(number);
          expect(record).toEqual(section);
          expect(map.get(number)).toBe(record);
        }
      }),
      { numRuns: 60 },
    );
    tally.mustReach({ run: 0.1 });
  });

  it('asks once whether to drop the records of a run, and gives each its own where the run stays', () => {
    const map = new SectionMap();
    map.setRun(100, 200, file, 0);
    map.setRun(300, 400, file, 0);
    map.runOf(350)!.references = 1;
    map.drop(150, 400, (section) => section.references > 0);
    expect(map.runs()).toEqual([]);
    expect(numbersOf(map)).toEqual(
      [...Array(50).keys(), ...Array(100).keys()].map((at, i) => at + (i < 50 ? 100 : 300)),
    );
    expect(map.get(399)).toEqual(Object.assign(new Section(9, file, 99 * PMD_PAGES), { references: 1 }));
  });

  it('keeps no run over the end of a GiB, and none of a few sections', () => {
    const map = new SectionMap();
    map.setRun(500, 1030, file, 0);
    expect(map.runs().map(({ first, end, index }) => [first, end, index])).toEqual([
      [500, 512, 0],
      [512, 1024, 12 * PMD_PAGES],
    ]);
    expect(numbersOf(map).length).toBe(530);
    expect(map.look(1029)?.union).toBe(529 * PMD_PAGES);
    map.deleteRun(map.runOf(511)!);
    expect(numbersOf(map, 0, 513)).toEqual([512]);
  });
});
