import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fmap, fileOffsetAt, fmapCapacity, resolve } from '../../src/famfs/index.js';
import { Tally } from '../support/tally.js';
import { devicePieces, MIB, UNIT } from './volume-maker.js';

const extent = (offset: number, length: number, devindex = 0) => ({ devindex, offset, length });

describe('the resolver', () => {
  const simple: Fmap = { type: 'simple', extents: [extent(10 * UNIT, UNIT), extent(4 * UNIT, 2 * UNIT)] };
  const striped: Fmap = {
    type: 'interleaved',
    nstrips: 4,
    chunkSize: UNIT,
    extents: [100, 200, 300, 400].map((unit) => extent(unit * UNIT, 4 * UNIT)),
  };

  it('runs through simple extents in list order', () => {
    expect(resolve(simple, 0)).toEqual({ devindex: 0, offset: 10 * UNIT, length: UNIT, extent: 0 });
    expect(resolve(simple, UNIT + 5)).toEqual({
      devindex: 0,
      offset: 4 * UNIT + 5,
      length: 2 * UNIT - 5,
      extent: 1,
    });
  });

  it('finds 15 MiB of a file in 4 strips of 2 MiB chunks 3 MiB into strip 3 (the worked check of the spec)', () => {
    expect(resolve(striped, 15 * MIB)).toEqual({
      devindex: 0,
      offset: 400 * UNIT + 3 * MIB,
      length: MIB,
      extent: 3,
    });
  });

  it('refuses offsets outside the extents', () => {
    for (const fmap of [simple, striped]) {
      expect(() => resolve(fmap, fmapCapacity(fmap))).toThrowError(
        expect.objectContaining({ code: 'ERANGE' }),
      );
      expect(() => resolve(fmap, -1)).toThrowError(expect.objectContaining({ code: 'ERANGE' }));
    }
  });

  it('gives every byte of any range the device byte of the formula', () => {
    const shape = fc.record({
      nstrips: fc.integer({ min: 1, max: 5 }),
      stripes: fc.integer({ min: 1, max: 3 }),
      from: fc.nat(1000),
      length: fc.nat(1000),
    });
    const tally = new Tally();
    const property = fc.property(shape, ({ nstrips, stripes, from, length }) => {
      const chunkSize = 64;
      const extents = Array.from({ length: nstrips }, (_, i) =>
        extent((i + 1) * 10_000, stripes * chunkSize),
      );
      const fmap: Fmap = { type: 'interleaved', nstrips, chunkSize, extents };
      const capacity = fmapCapacity(fmap);
      const start = from % capacity;
      const count = Math.min(length, capacity - start);
      const got = devicePieces(fmap, start, count).flatMap((piece) =>
        Array.from({ length: piece.length }, (_, i) => piece.offset + i),
      );
      const formula = Array.from({ length: count }, (_, i) => {
        const offset = start + i;
        const chunk = Math.floor(offset / chunkSize);
        const strip = extents[chunk % nstrips]!;
        return strip.offset + Math.floor(chunk / nstrips) * chunkSize + (offset % chunkSize);
      });
      tally.count('leaves a chunk', count > chunkSize);
      expect(got).toEqual(formula);
    });
    fc.assert(property, { numRuns: 200 });
    tally.mustReach({ 'leaves a chunk': 0.1 });
  });
});

describe('which byte of a file lies at a byte of a device', () => {
  const ask = (fmap: Fmap, devindex: number, ...places: number[]) =>
    places.map((place) => fileOffsetAt(fmap, devindex, place));

  it('is counted over the extents before it', () => {
    const fmap: Fmap = { type: 'simple', extents: [extent(100, 10), extent(100, 5, 1), extent(50, 8)] };
    expect(ask(fmap, 0, 99, 100, 109, 110, 49, 50, 57, 58)).toEqual([null, 0, 9, null, null, 15, 22, null]);
    expect(ask(fmap, 1, 99, 100, 104, 105, 50)).toEqual([null, 10, 14, null, null]);
    expect(ask(fmap, 2, 100)).toEqual([null]);
  });

  it('goes round the strips by chunks', () => {
    const strips = [extent(1000, 8), extent(2000, 8), extent(1000, 8, 1)];
    const fmap: Fmap = { type: 'interleaved', nstrips: 3, chunkSize: 4, extents: strips };
    expect(ask(fmap, 0, 1000, 1003, 1004, 1007, 1008)).toEqual([0, 3, 12, 15, null]);
    expect(ask(fmap, 0, 1999, 2000, 2003, 2004, 2007, 2008)).toEqual([null, 4, 7, 16, 19, null]);
    expect(ask(fmap, 1, 1000, 1006)).toEqual([8, 22]);
  });
});
