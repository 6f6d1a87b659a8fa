import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Fmap, fmapCapacity, resolve } from '../../src/famfs/index.js';
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
