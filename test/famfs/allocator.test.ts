import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allocator, dataStart, type Fmap, fmapCapacity, newAllocationMap } from '../../src/famfs/index.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';
import { DATA, GIB, MIB, makeAllocator, makeVolume, UNIT } from './volume-maker.js';

const offsets = (fmap: Fmap) => fmap.extents.map(({ offset }) => offset);

/** Units of all extents, in order. */
function unitsOf(fmap: Fmap): number[] {
  return fmap.extents.flatMap(({ offset, length }) =>
    Array.from({ length: length / UNIT }, (_, i) => offset / UNIT + i),
  );
}

describe('contiguous allocation', () => {
  it('starts behind superblock and log and rounds up to whole units', () => {
    const allocator = makeAllocator(64 * MIB);
    expect(allocator.allocate(1)).toEqual({
      type: 'simple',
      extents: [{ devindex: 0, offset: DATA, length: UNIT }],
    });
    expect(allocator.allocate(UNIT + 1).extents).toEqual([
      { devindex: 0, offset: DATA + UNIT, length: 2 * UNIT },
    ]);
  });

  it('goes on from the last allocation within a session, and from the start in the next', () => {
    const allocator = makeAllocator(64 * MIB);
    const first = allocator.allocate(UNIT);
    allocator.allocate(UNIT);
    allocator.release(first);
    expect(offsets(allocator.allocate(UNIT))).toEqual([DATA + 2 * UNIT]);
    allocator.beginSession();
    expect(offsets(allocator.allocate(UNIT))).toEqual([DATA]);
  });

  it('never runs past the end of the device, not even in a long session (golden 11)', () => {
    const allocator = makeAllocator(32 * MIB);
    allocator.allocate(20 * MIB);
    expect(() => allocator.allocate(4 * MIB)).toThrowError(expect.objectContaining({ code: 'ENOSPC' }));
    expect(allocator.freeBytes).toBe(2 * MIB);
  });

  it('leaves a partial last unit alone (golden 13)', () => {
    const allocator = makeAllocator(16 * MIB + MIB);
    allocator.allocate(6 * MIB);
    expect(() => allocator.allocate(1)).toThrowError(expect.objectContaining({ code: 'ENOSPC' }));
  });

  it('makes a file of the fewest extents when no run is long enough', () => {
    const allocator = makeAllocator(64 * MIB);
    const files = Array.from({ length: 27 }, () => allocator.allocate(UNIT));
    for (const hole of [1, 3, 4, 6, 8, 9, 10]) allocator.release(files[hole]!);
    const fmap = allocator.allocate(4 * UNIT);
    expect(fmap.extents).toEqual([
      { devindex: 0, offset: DATA + 3 * UNIT, length: UNIT },
      { devindex: 0, offset: DATA + 8 * UNIT, length: 3 * UNIT },
    ]);
  });

  it('says what is free when even 16 extents do not hold the file, and takes nothing', () => {
    const allocator = makeAllocator(128 * MIB);
    const files = Array.from({ length: 59 }, () => allocator.allocate(UNIT));
    for (let i = 0; i < 59; i += 2) allocator.release(files[i]!);
    const free = allocator.freeBytes;
    expect(() => allocator.allocate(17 * UNIT)).toThrowError(/free: 62914560 bytes, longest run 2097152/);
    expect(allocator.freeBytes).toBe(free);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 53])('refuses size %s', (size) => {
    expect(() => makeAllocator(64 * MIB).allocate(size)).toThrowError(
      expect.objectContaining({ code: 'EINVAL' }),
    );
  });

  it('does not hand out space that others reserved', () => {
    const allocator = makeAllocator(64 * MIB);
    allocator.reserve([{ devindex: 0, offset: DATA, length: 3 * UNIT }]);
    expect(offsets(allocator.allocate(1))).toEqual([DATA + 3 * UNIT]);
  });

  it('reserves each unit that an extent of this device touches', () => {
    const allocator = makeAllocator(64 * MIB);
    const free = allocator.freeBytes;
    allocator.reserve([
      { devindex: 1, offset: DATA, length: 8 * UNIT },
      { devindex: 0, offset: DATA + UNIT / 2, length: UNIT },
      { devindex: 0, offset: DATA + 4 * UNIT, length: 1 },
    ]);
    expect([allocator.freeBytes, allocator.unit]).toEqual([free - 3 * UNIT, UNIT]);
    expect(offsets(allocator.allocate(3 * UNIT))).toEqual([DATA + 5 * UNIT]);
    expect(offsets(allocator.allocate(1))).toEqual([DATA + 8 * UNIT]);
    allocator.beginSession();
    expect(offsets(allocator.allocate(2 * UNIT))).toEqual([DATA + 2 * UNIT]);
  });

  it('gives back what lies on this device, whole units of it', () => {
    const allocator = makeAllocator(64 * MIB);
    const free = allocator.freeBytes;
    allocator.allocate(4 * UNIT);
    const extent = { devindex: 0, offset: DATA + UNIT, length: UNIT + 1 };
    allocator.release({ type: 'simple', extents: [{ ...extent, devindex: 1 }] });
    expect(allocator.freeBytes).toBe(free - 4 * UNIT);
    allocator.release({ type: 'simple', extents: [extent] });
    expect(allocator.freeBytes).toBe(free - 2 * UNIT);
    expect(allocator.largestFreeBytes).toBe(free - 4 * UNIT);
  });

  it('looks at the start of the device when nothing is free behind the last allocation', () => {
    const allocator = makeAllocator(32 * MIB);
    const first = allocator.allocate(6 * UNIT);
    allocator.allocate(allocator.freeBytes);
    allocator.release(first);
    expect(offsets(allocator.allocate(2 * UNIT))).toEqual([DATA]);
    expect(offsets(allocator.allocate(2 * UNIT))).toEqual([DATA + 2 * UNIT]);
  });

  it('takes 16 runs and no more, and the whole device if it must', () => {
    const allocator = makeAllocator(128 * MIB);
    const files = Array.from({ length: 59 }, () => allocator.allocate(UNIT));
    for (let i = 0; i < 34; i += 2) allocator.release(files[i]!);
    const fmap = allocator.allocate(16 * UNIT);
    expect(offsets(fmap)).toEqual(Array.from({ length: 16 }, (_, i) => DATA + 2 * i * UNIT));
    expect(allocator.freeBytes).toBe(UNIT);
    expect(offsets(allocator.allocate(1))).toEqual([DATA + 32 * UNIT]);
    expect([allocator.freeBytes, allocator.largestFreeBytes]).toEqual([0, 0]);
  });

  it('names the volume that has no room, and what to do', () => {
    for (const [name, path] of [
      ['/mnt/a', '/mnt/a'],
      [undefined, 'test'],
    ] as const) {
      const allocator = makeAllocator(32 * MIB, name === undefined ? {} : { name });
      expect(() => allocator.allocate(64 * MIB)).toThrowError(
        expect.objectContaining({ code: 'ENOSPC', path, hint: 'rm' }),
      );
    }
  });
});

describe('interleaved allocation', () => {
  const stripe = { nstrips: 4, nbuckets: 4, chunkSize: UNIT };

  it('takes one strip of whole stripes from each bucket, in the order drawn', () => {
    const allocator = makeAllocator(256 * MIB);
    const fmap = allocator.allocate(5 * UNIT, stripe, [2, 0, 3, 1]);
    expect(fmap).toEqual({
      type: 'interleaved',
      nstrips: 4,
      chunkSize: UNIT,
      extents: [128 * MIB, DATA, 192 * MIB, 64 * MIB].map((offset) => ({
        devindex: 0,
        offset,
        length: 2 * UNIT,
      })),
    });
  });

  it('draws the order of buckets from the given randomness', () => {
    const order = (random: () => number) =>
      makeAllocator(256 * MIB, { random })
        .allocate(4 * UNIT, stripe)
        .extents.map(({ offset }) => Math.floor(offset / (64 * MIB)));
    expect(order(() => 0.999)).toEqual([0, 1, 2, 3]);
    expect(order(() => 0)).toEqual([1, 2, 3, 0]);
  });

  it('never takes two strips from one bucket, also when buckets are full (golden 12)', () => {
    const allocator = makeAllocator(256 * MIB);
    allocator.reserve([{ devindex: 0, offset: 0, length: 66 * MIB }]);
    expect(() => allocator.allocate(4 * UNIT, stripe)).toThrowError(/only 3 of 4 buckets/);
    const fmap = allocator.allocate(3 * UNIT, { ...stripe, nstrips: 3 }, [0, 1, 2, 3]);
    expect(offsets(fmap)).toEqual([66 * MIB, 128 * MIB, 192 * MIB]);
  });

  it('falls back to a simple file below one chunk', () => {
    const fmap = makeAllocator(256 * MIB).allocate(UNIT - 1, stripe);
    expect(fmap).toEqual({ type: 'simple', extents: [{ devindex: 0, offset: DATA, length: UNIT }] });
  });

  it('begins at the start of the device for a file below one chunk, and goes on from there', () => {
    const allocator = makeAllocator(256 * MIB);
    const first = allocator.allocate(UNIT);
    allocator.allocate(UNIT);
    allocator.release(first);
    expect(offsets(allocator.allocate(1, stripe))).toEqual([DATA]);
    expect(offsets(allocator.allocate(1))).toEqual([DATA + 2 * UNIT]);
  });

  it('leaves the place where the next simple file begins', () => {
    const allocator = makeAllocator(256 * MIB);
    allocator.allocate(UNIT);
    allocator.allocate(4 * UNIT, stripe, [0, 1, 2, 3]);
    expect(offsets(allocator.allocate(1))).toEqual([DATA + 2 * UNIT]);
  });

  it('takes buckets that are in the middle of the device, with the units that are left over at its end free', () => {
    const allocator = makeAllocator(130 * MIB);
    const fmap = allocator.allocate(3 * UNIT, { nstrips: 3, nbuckets: 3, chunkSize: UNIT }, [2, 1, 0]);
    expect(offsets(fmap)).toEqual([2 * 21 * UNIT, 21 * UNIT, DATA]);
  });

  it('gives back nothing when too few buckets have room', () => {
    const allocator = makeAllocator(256 * MIB);
    const free = allocator.freeBytes;
    expect(() => allocator.allocate(GIB, stripe)).toThrowError(expect.objectContaining({ code: 'ENOSPC' }));
    expect(allocator.freeBytes).toBe(free);
  });

  it.each([
    ['no strips', { nstrips: 0 }, /strips are 1 to 16/],
    ['17 strips', { nstrips: 17, nbuckets: 20 }, /strips are 1 to 16/],
    ['no buckets', { nbuckets: 0 }, /buckets are 1 to 64/],
    ['65 buckets', { nbuckets: 65 }, /buckets are 1 to 64/],
    ['more strips than buckets', { nstrips: 5 }, /5 strips need as many buckets/],
    ['chunk 0', { chunkSize: 0 }, /chunk size 0 is not a power of two/],
    ['a chunk that is no power of two', { chunkSize: 3 * UNIT }, /not a power of two/],
    ['a chunk below the unit', { chunkSize: MIB }, /not a multiple of the allocation unit/],
    ['NaN strips', { nstrips: Number.NaN }, /strips are 1 to 16/],
  ])('refuses %s', (_, change, message) => {
    const allocator = makeAllocator(256 * MIB);
    const act = () => allocator.allocate(UNIT * 8, { ...stripe, ...change });
    expect(act).toThrowError(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringMatching(message) }),
    );
  });

  it('asks for C`s buckets of 1 GiB from 4 GiB up, for one chunk below', () => {
    const act = (size: number, options = {}) => makeAllocator(size, options).allocate(8 * UNIT, stripe);
    expect(act(4 * GIB).type).toBe('interleaved');
    expect(() => makeAllocator(4 * GIB).allocate(8 * UNIT, { ...stripe, nbuckets: 5 })).toThrowError(
      /858993459 bytes each, at least 1073741824/,
    );
    expect(act(2 * GIB).type).toBe('interleaved');
    expect(() => act(2 * GIB, { minBucketSize: GIB })).toThrowError(/at least 1073741824/);
  });
});

describe('I7: units taken are superblock, log and the union of all extents', () => {
  const DEVICE = 128 * MIB;
  const act = fc.oneof(
    fc.record({ kind: fc.constant('plain' as const), size: fc.integer({ min: 1, max: 20 * MIB }) }),
    fc.record({
      kind: fc.constant('striped' as const),
      size: fc.integer({ min: 1, max: 20 * MIB }),
      nstrips: fc.integer({ min: 1, max: 4 }),
      nbuckets: fc.integer({ min: 4, max: 6 }),
    }),
    fc.record({ kind: fc.constant('release' as const), which: fc.nat(30) }),
    fc.record({ kind: fc.constant('session' as const) }),
  );

  it('holds for any sequence of allocations, failures and releases', () => {
    const tally = new Tally();
    const property = fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
      const { superblock } = makeVolume(DEVICE);
      const map = newAllocationMap(superblock);
      const allocator = new Allocator(superblock, map);
      const live: Fmap[] = [];
      const owned = new Set(Array.from({ length: dataStart(superblock) / UNIT }, (_, unit) => unit));
      for (const step of acts) {
        if (step.kind === 'session') allocator.beginSession();
        else if (step.kind === 'release') {
          const [fmap] = live.splice(step.which % Math.max(1, live.length), 1);
          if (!tally.count('release', fmap !== undefined) || fmap === undefined) continue;
          allocator.release(fmap);
          for (const unit of unitsOf(fmap)) owned.delete(unit);
        } else {
          const stripe =
            step.kind === 'plain'
              ? undefined
              : { nstrips: step.nstrips, nbuckets: step.nbuckets, chunkSize: UNIT };
          const fmap = tryAllocate(allocator, step.size, stripe);
          if (!tally.count(step.kind, fmap !== null) || fmap === null) continue;
          expect(fmapCapacity(fmap)).toBeGreaterThanOrEqual(step.size);
          for (const unit of unitsOf(fmap)) {
            expect(owned.has(unit)).toBe(false);
            expect((unit + 1) * UNIT).toBeLessThanOrEqual(DEVICE);
            owned.add(unit);
          }
          live.push(fmap);
        }
        expect(map.countSet()).toBe(owned.size);
      }
    });
    fc.assert(property, { numRuns: propertyRuns(200) });
    tally.mustReach({ release: 0.2, plain: 0.2, striped: 0.2 });
  });

  /** Null only when the naive model agrees that there is no room for a plain file. */
  function tryAllocate(allocator: Allocator, size: number, stripe?: Parameters<Allocator['allocate']>[1]) {
    try {
      return allocator.allocate(size, stripe);
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
      const isFragmented = [...allocator.map.freeRuns()].length > 16;
      if (stripe === undefined && !isFragmented) expect(allocator.freeBytes).toBeLessThan(size);
      return null;
    }
  }
});
