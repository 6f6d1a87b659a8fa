import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendJoined,
  isU64,
  loadU64,
  readI64,
  readU64,
  startsWhereEnds,
  storeU64,
  writeU64,
} from '../../src/libc/index.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(10), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1));

describe('64-bit numbers in memory', () => {
  it('are what BigInt says, by view and by words, for every safe integer', () => {
    fc.assert(
      fc.property(safe, (value) => {
        const words = new Uint32Array(4);
        const view = new DataView(words.buffer);
        writeU64(view, 0, value);
        storeU64(words, 2, value);
        expect([view.getBigUint64(0, true), view.getBigUint64(8, true)]).toEqual([
          BigInt(value),
          BigInt(value),
        ]);
        expect([readU64(view, 8), loadU64(words, 0), readI64(view, 0)]).toEqual([value, value, value]);
        expect([isU64(view, 0, value), isU64(view, 0, value === 0 ? 1 : value - 1)]).toEqual([true, false]);
      }),
    );
  });

  it('are written in two-s complement when they are negative, by view and by words', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const words = new Uint32Array(4);
        const view = new DataView(words.buffer);
        writeU64(view, 0, value);
        storeU64(words, 2, value);
        expect([view.getBigInt64(0, true), view.getBigInt64(8, true)]).toEqual([
          BigInt(value),
          BigInt(value),
        ]);
      }),
    );
  });

  it('beyond 2^53 are no number, negative ones are read as such', () => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, 2n ** 53n, true);
    expect(readU64(view, 0)).toBeNaN();
    writeU64(view, 0, -3);
    expect(view.getBigInt64(0, true)).toBe(-3n);
    expect(readI64(view, 0)).toBe(-3);
  });
});

describe('ranges found one by one', () => {
  it('become one with the neighbour before them, and only with that', () => {
    const ranges: { start: number; length: number }[] = [];
    const joined = [
      [0, 5],
      [5, 5],
      [11, 1],
      [10, 1],
    ].map(([start, length]) => appendJoined(ranges, { start: start!, length: length! }, startsWhereEnds));
    expect(joined).toEqual([false, true, false, false]);
    expect(ranges).toEqual([
      { start: 0, length: 10 },
      { start: 11, length: 1 },
      { start: 10, length: 1 },
    ]);
  });
});
