/** The quick way through usual entries (replay-plain.ts) never says anything else than the careful way, whatever is in the log. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { FileTree, newAllocationMap, ROOT_INO } from '../../src/famfs/index.js';
import { PlainFiles } from '../../src/famfs/media/replay-plain.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';
import { fileEntry, type Made, makeVolume, mkdirEntry, UNIT } from './volume-maker.js';

const CRC = 536;

/** Changes that break one rule each: [first byte, byte, how many times]. */
const BREAKS = [
  [16, 0, 8], // no size
  [28, 0xff, 4], // nobody's uid
  [32, 0xff, 4], // and gid
  [37, 0x0c, 1], // set-id bits
  [37, 0xff, 1],
  [40, 0x2e, 1], // '.', where the path has one character, or a component that begins with a dot
  [42, 0x2e, 1],
  [40, 0x2f, 1], // absolute
  [41, 0x2f, 2], // an empty component
  [40, 0, 1], // no path
  [40, 0x61, 80], // no NUL
  [119, 1, 1], // a byte behind the NUL
  [8, 2, 1], // an unknown type
  [20, 1, 1], // more bytes than the extent has
  [120, 1, 1], // interleaved
  [128, 2, 1], // two extents
  [136, 1, 1], // another device
  [140, 1, 1],
  [144, 1, 1], // no multiple of the unit
  [144, 0, 4], // the superblock
  [148, 1, 1], // beyond the device
  [152, 1, 1],
] as const;

interface Step {
  readonly path: string;
  readonly isFile: boolean;
  readonly unit: number;
  readonly size: number;
  /** What is stored into the entry behind the appender's back: one or more times a byte, and whether the crc is made right again. */
  readonly change: {
    readonly at: number;
    readonly byte: number;
    readonly count: number;
    readonly isSealed: boolean;
  } | null;
}

const component = fc.constantFrom('a', 'b', 'cc', 'ab', '.x', 'a-longer-name', '\u00fc');
const step: fc.Arbitrary<Step> = fc.record({
  path: fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')),
  isFile: fc.boolean(),
  unit: fc.nat(60),
  size: fc.constantFrom(1, UNIT, 5 * UNIT - 1, 40 * UNIT),
  change: fc.option(
    fc
      .tuple(
        fc.oneof(
          fc.constantFrom(...BREAKS),
          fc.tuple(
            fc.nat(CRC - 1),
            fc.oneof(fc.constantFrom(0, 0xff), fc.integer({ min: 0, max: 255 })),
            fc.constantFrom(1, 2, 4),
          ),
        ),
        fc.constantFrom(true, true, true, false),
      )
      .map(([[at, byte, count], isSealed]) => ({ at, byte, count, isSealed })),
    { freq: 2 },
  ),
});

function append(made: Made, { path, isFile, unit, size, change }: Step): void {
  const index = made.log.nextIndex();
  made.appender.append(isFile ? fileEntry(path, unit, size) : mkdirEntry(path));
  if (change === null) return;
  const bytes = made.media.bytes(made.log.entryOffset(index), CRC + 8);
  bytes.subarray(0, CRC).fill(change.byte, change.at, change.at + change.count);
  if (change.isSealed)
    new DataView(bytes.buffer, bytes.byteOffset + CRC).setUint32(0, crc32(bytes.subarray(0, CRC)), true);
}

/** Everything that a replay decides. */
function decided(tree: FileTree): unknown {
  const inodes: unknown[] = [];
  const walk = (directory: number): void => {
    for (const { name, ino } of tree.entries(directory)) {
      inodes.push([directory, name, tree.stat(ino), tree.child(directory, name)]);
      if (tree.isDirectory(ino)) walk(ino);
    }
  };
  walk(ROOT_INO);
  const { problemsAndStop, notes, counts, nextIndex, usage } = tree;
  const used = usage === null ? null : [...usage.primary.setRuns(), usage.collisions];
  return { inodes, problemsAndStop, notes, counts: { ...counts }, nextIndex, used };
}

/** The same log replayed twice: with the quick way, and without. */
class Pair {
  /** How many entries went the quick way. */
  taken = 0;
  readonly #quick: FileTree;
  readonly #careful: FileTree;
  readonly #options: { pastBadEntries: boolean };

  constructor({ superblock, log }: Made, { isFsck = false, hasUsage = true } = {}) {
    const make = () =>
      new FileTree(superblock, log, {
        adoptsOrphans: isFsck,
        ...(hasUsage && { allocation: newAllocationMap(superblock) }),
      });
    this.#quick = make();
    this.#careful = make();
    this.#options = { pastBadEntries: isFsck };
  }

  replay(): void {
    const run = PlainFiles.prototype.run;
    const count = (entries: number) => {
      this.taken += entries;
    };
    const spy = vi.spyOn(PlainFiles.prototype, 'run');
    spy.mockImplementation(function (this: PlainFiles, window, place, index, end) {
      const next = run.call(this, window, place, index, end);
      count(next - index);
      return next;
    });
    this.#quick.replay(this.#options);
    spy.mockImplementation((_window, _place, index) => index);
    this.#careful.replay(this.#options);
    spy.mockRestore();
  }

  /** @returns how many problems there are */
  compare(): number {
    expect(decided(this.#quick)).toEqual(decided(this.#careful));
    return this.#careful.problemsAndStop.length;
  }
}

describe('plain entries', () => {
  it.each(BREAKS)('are none with %i, %i, %i', (at, byte, count) => {
    const change = { at, byte, count, isSealed: true };
    for (const path of ['b', 'cc', '.x', 'a/b', 'a/.x']) {
      const made = makeVolume();
      for (const [i, name] of ['a', 'a/f', path, 'a/g', 'd'].entries())
        append(made, { path: name, isFile: i > 0, unit: i, size: 1, change: name === path ? change : null });
      const pair = new Pair(made);
      pair.replay();
      pair.compare();
      expect(pair.taken).toBeGreaterThan(0);
    }
  });

  it('are replayed as all others would be, among any others, sealed or not, at once or one by one', () => {
    const tally = new Tally();
    const property = fc.property(
      fc.record({
        before: fc.constantFrom(0, 1, 119),
        steps: fc.array(step, { maxLength: 30 }),
        cut: fc.nat(30),
        isFsck: fc.boolean(),
        hasUsage: fc.boolean(),
      }),
      ({ before, steps, cut, ...options }) => {
        const made = makeVolume();
        const pair = new Pair(made, options);
        for (let i = 0; i < before; i++)
          append(made, { path: `f${i}`, isFile: true, unit: 100 + i, size: 7, change: null });
        steps.forEach((next, i) => {
          append(made, next);
          if (i >= cut) pair.replay();
        });
        pair.replay();
        tally.count('has a problem', pair.compare() > 0);
        tally.count('takes the quick way', pair.taken > 0);
      },
    );
    fc.assert(property, { numRuns: propertyRuns(300) });
    tally.mustReach({ 'takes the quick way': 0.5, 'has a problem': 0.5 });
  });
});
