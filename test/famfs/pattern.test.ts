import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PatternStream } from '../../src/famfs/pattern.js';

function pattern(seed: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  new PatternStream(seed).fill(bytes);
  return bytes;
}

/** The generator as its authors define it, in 64-bit arithmetic. */
function reference(seed: number, words: number): number[] {
  const mask = (1n << 64n) - 1n;
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (64n - k))) & mask;
  let counter = BigInt(seed);
  const splitmix = () => {
    counter = (counter + 0x9e3779b97f4a7c15n) & mask;
    let z = counter;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  let s0 = splitmix();
  let s1 = splitmix();
  return Array.from({ length: words }, () => {
    const low = Number((s0 + s1) & 0xffffffffn);
    s1 ^= s0;
    s0 = rotate(s0, 55n) ^ s1 ^ ((s1 << 14n) & mask);
    s1 = rotate(s1, 36n);
    return low;
  });
}

describe('the data pattern of creat -r and verify', () => {
  it('gives the bytes C famfs writes', () => {
    expect(Buffer.from(pattern(42, 16)).toString('hex')).toBe('985f52e27afb0c3df88c822b402249e5');
    expect(Buffer.from(pattern(1, 11)).toString('hex')).toBe('284991ee66b6fb343a87ca');
  });

  it('is xoroshiro128+ for every seed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), (seed) => {
        const bytes = pattern(seed, 400);
        expect([...new Uint32Array(bytes.buffer)]).toEqual(reference(seed, 100));
      }),
      { numRuns: 50 },
    );
  });

  it('goes on at any byte, into views at any address', () => {
    const whole = pattern(7, 1000);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 90 }), { maxLength: 30 }),
        fc.nat(3),
        (lengths, shift) => {
          const stream = new PatternStream(7);
          const memory = new Uint8Array(3100);
          let at = 0;
          for (const length of lengths) {
            const end = Math.min(1000, at + length);
            stream.fill(memory.subarray(shift + at, shift + end));
            at = end;
          }
          expect(memory.subarray(shift, shift + at)).toEqual(whole.subarray(0, at));
        },
      ),
    );
  });

  it('names the first byte that differs', () => {
    const bytes = pattern(3, 5000);
    expect(new PatternStream(3).firstDifference(bytes)).toBe(-1);
    bytes[4321]! ^= 1;
    expect(new PatternStream(3).firstDifference(bytes)).toBe(4321);
  });
});
