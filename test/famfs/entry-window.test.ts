/** One sum over a run of entries never says anything else than the sum of each. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryWindow } from '../../src/famfs/media/entry-window.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';
import { ENTRY } from './damaged.js';
import { fileEntry, makeVolume } from './volume-maker.js';

const CRC = 536;
const MOST = 120;

const made = makeVolume();
for (let i = 0; i < MOST; i++) made.appender.append(fileEntry(`f${i}`, i, 1 + i));
const start = made.log.entryOffset(0);
const untouched = made.media.bytes(start, MOST * ENTRY).slice();

/** By the letter: the seqnum is the slot's index, and the crc that of the bytes before it. */
function isGoodByItself(entry: Uint8Array, index: number): boolean {
  const view = new DataView(entry.buffer, entry.byteOffset);
  const crc = BigInt(crc32(entry.subarray(0, CRC)));
  return view.getBigUint64(0, true) === BigInt(index) && view.getBigUint64(CRC, true) === crc;
}

interface Damage {
  readonly entry: number;
  readonly at: number;
  /** Exclusive or of each byte; null: they become zero. */
  readonly mask: number | null;
  readonly length: number;
}

const damage: fc.Arbitrary<Damage> = fc.record({
  entry: fc.nat(MOST - 1),
  at: fc.oneof(fc.nat(ENTRY - 1), fc.integer({ min: CRC, max: ENTRY - 1 }), fc.constant(0)),
  mask: fc.option(fc.integer({ min: 1, max: 255 })),
  length: fc.constantFrom(1, 4, 8, ENTRY, 2 * ENTRY),
});

function spoil(bytes: Uint8Array, { entry, at, mask, length }: Damage): void {
  const from = entry * ENTRY + at;
  for (let i = from; i < Math.min(from + length, bytes.length); i++)
    bytes[i] = mask === null ? 0 : bytes[i]! ^ mask;
}

describe('a window of log entries', () => {
  it('finds the same entries good as each by itself, wherever it begins and whatever is damaged', () => {
    const tally = new Tally();
    const property = fc.property(
      fc.nat(MOST - 1),
      fc.integer({ min: 1, max: MOST }),
      fc.array(damage, { maxLength: 3 }),
      fc.boolean(),
      (first, length, damages, isReloaded) => {
        const count = Math.min(length, MOST - first);
        const memory = made.media.bytes(start, MOST * ENTRY);
        memory.set(untouched);
        for (const each of damages) spoil(memory, each);
        const window = new EntryWindow(count);
        window.load(made.log, first, count);
        if (isReloaded) {
          // Between the two, somebody stores into an entry.
          spoil(memory, { entry: first, at: 100, mask: 1, length: 1 });
          window.reload(made.log, 0, first);
        }
        let good = 0;
        for (let i = 0; i < count; i++) {
          const entry = memory.slice((first + i) * ENTRY, (first + i + 1) * ENTRY);
          const expected = isGoodByItself(entry, first + i);
          expect(window.isGood(i, first + i)).toBe(expected);
          if (expected) good++;
        }
        tally.count('all are good', good === count);
        tally.count('some are bad', good < count);
      },
    );
    fc.assert(property, { numRuns: propertyRuns(300) });
    tally.mustReach({ 'all are good': 0.1, 'some are bad': 0.3 });
  });

  it('knows bad entries that are all alike: a wild index makes thousands of empty ones', () => {
    for (const count of [8, 9, 64, MOST]) {
      made.media.bytes(start, MOST * ENTRY).fill(0);
      const window = new EntryWindow(count);
      window.load(made.log, 0, count);
      for (let i = 0; i < count; i++) expect(window.isGood(i, i)).toBe(false);
    }
  });

  it('takes no entry whose crc says more than 32 bits, though the sum over it is right', () => {
    const memory = made.media.bytes(start, MOST * ENTRY);
    memory.set(untouched);
    const at = 5 * ENTRY + CRC;
    memory[at + 4] = 1;
    for (const [i, byte] of thatLaterBecomes(1).entries()) memory[at + i]! ^= byte;
    expect(crc32(memory)).toBe(crc32(untouched));
    const window = new EntryWindow(MOST);
    window.load(made.log, 0, MOST);
    for (let i = 0; i < MOST; i++) expect(window.isGood(i, i)).toBe(i !== 5);
  });
});

/** Four bytes that change a crc as `change` does four bytes later. Sums are linear: each bit of the four changes the sum in its own way. */
function thatLaterBecomes(change: number): Uint8Array {
  const zero = crc32(Buffer.alloc(4));
  const rows = Array.from({ length: 32 }, (_, bit) => {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(2 ** bit);
    return { sum: (crc32(word) ^ zero) >>> 0, word: 2 ** bit };
  });
  let [left, found] = [change, 0];
  for (let bit = 31; bit >= 0; bit--) {
    const pivot = rows.find(({ sum }) => Math.clz32(sum) === 31 - bit)!;
    for (const row of rows) if (row !== pivot && (row.sum >>> bit) & 1) Object.assign(row, xor(row, pivot));
    if ((left >>> bit) & 1) [left, found] = [(left ^ pivot.sum) >>> 0, (found ^ pivot.word) >>> 0];
  }
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(found);
  return bytes;
}

function xor(a: { sum: number; word: number }, b: typeof a): typeof a {
  return { sum: (a.sum ^ b.sum) >>> 0, word: (a.word ^ b.word) >>> 0 };
}
