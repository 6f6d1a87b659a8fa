import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crcOf, wordsOf } from '../../src/famfs/media/crc.js';

describe('the CRC-32 of a short piece', () => {
  it("is zlib's, of any bytes, places, lengths and seeds", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 600 }),
        fc.nat(100),
        fc.integer({ min: 0, max: 0xffffffff }),
        (bytes, place, seed) => {
          const memory = Uint8Array.from(bytes);
          const start = Math.min(place * 4, memory.length - 1 - ((memory.length - 1) % 4));
          const sum = crcOf(wordsOf(memory), memory, start, memory.length, seed);
          expect(sum).toBe(crc32(memory.subarray(start), seed));
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('of the check string is the published one', () => {
    const bytes = Uint8Array.from(Buffer.from('123456789'));
    expect(crcOf(wordsOf(bytes), bytes, 0, 9, 0)).toBe(0xcbf43926);
  });
});
