/**
 * The data pattern of famfs' `creat -r` and `verify` (famfs-format.md 10). It is the low 32-bit halves of
 * xoroshiro128+ (rotations 55, 14, 36) over a state seeded by splitmix64, little-endian. A tail shorter than a word takes
 * the first bytes of the next word. The pattern is a stream: each fill() continues at the byte where the last one ended.
 *
 * The 64-bit state is kept as two pairs of 32-bit halves, because BigInt would be about a hundred times slower.
 */
export class PatternStream {
  readonly #state: Int32Array;
  /** Bytes of the last word that no fill() has delivered yet (0 to 3 between calls), lowest first. */
  #rest = 0;
  #restBytes = 0;

  /** @param seed 32 bits. famfs commands take 0 for "no pattern"; this class does not treat 0 specially. */
  constructor(seed: number) {
    const [first, second] = splitmix64(BigInt(seed >>> 0));
    this.#state = new Int32Array(new BigUint64Array([first, second]).buffer);
  }

  /** Writes the next `bytes.length` bytes of the pattern. */
  fill(bytes: Uint8Array): void {
    let at = this.#drainRest(bytes);
    // Whole-word stores are several times faster than byte stores, but a word view needs alignment.
    if ((bytes.byteOffset + at) % 4 === 0) {
      const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, Math.floor((bytes.length - at) / 4));
      this.#fillWords(words);
      at += words.byteLength;
    }
    const word = new Int32Array(1);
    while (at < bytes.length) {
      this.#fillWords(word);
      this.#rest = word[0]!;
      this.#restBytes = 4;
      at += this.#drainRest(bytes.subarray(at));
    }
  }

  /** Compares `bytes` with the next bytes of the pattern. Returns the index of the first byte that differs, or -1. */
  firstDifference(bytes: Uint8Array, scratch = new Uint8Array(bytes.length)): number {
    const expected = scratch.subarray(0, bytes.length);
    this.fill(expected);
    if (Buffer.compare(expected, bytes) === 0) return -1;
    return expected.findIndex((byte, index) => byte !== bytes[index]);
  }

  #drainRest(bytes: Uint8Array): number {
    const taken = Math.min(this.#restBytes, bytes.length);
    for (let i = 0; i < taken; i++) {
      bytes[i] = this.#rest & 0xff;
      this.#rest >>>= 8;
    }
    this.#restBytes -= taken;
    return taken;
  }

  #fillWords(words: Int32Array): void {
    const state = this.#state;
    let low0 = state[0]!;
    let high0 = state[1]!;
    let low1 = state[2]!;
    let high1 = state[3]!;
    for (let i = 0; i < words.length; i++) {
      words[i] = low0 + low1;
      low1 ^= low0;
      high1 ^= high0;
      // rotate left by 55 = swap the halves, then rotate by 23
      const low = (high0 << 23) | (low0 >>> 9);
      const high = (low0 << 23) | (high0 >>> 9);
      low0 = low ^ low1 ^ (low1 << 14);
      high0 = high ^ high1 ^ ((high1 << 14) | (low1 >>> 18));
      // rotate left by 36 = swap the halves, then rotate by 4
      const swapped = (high1 << 4) | (low1 >>> 28);
      high1 = (low1 << 4) | (high1 >>> 28);
      low1 = swapped;
    }
    state[0] = low0;
    state[1] = high0;
    state[2] = low1;
    state[3] = high1;
  }
}

/** The starting state of the generator: the first two outputs of splitmix64 from a seed. */
function splitmix64(seed: bigint): [bigint, bigint] {
  const mask = (1n << 64n) - 1n;
  const next = (step: bigint): bigint => {
    let z = (seed + step * 0x9e3779b97f4a7c15n) & mask;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
  };
  return [next(1n), next(2n)];
}
