import { fail, isBytes, shown } from '../libc/index.js';

/** A key of an object: text (its UTF-8 bytes) or bytes, 1 to 255 of them. */
export type ArenaKey = string | Uint8Array;

const encoder = new TextEncoder();
const MAX_KEY_BYTES = 255;

/** The bytes of a key as words, filled up with zeroes, and its hash. One is used again for each call: a lookup makes no garbage. */
export class KeyBuffer {
  readonly words = new Int32Array((MAX_KEY_BYTES + 1) / 4);
  readonly #bytes = new Uint8Array(this.words.buffer);
  readonly #seedA: number;
  readonly #seedB: number;
  readonly #mostBytes: number;
  readonly #path: string;
  /** Bytes, and words. */
  length = 0;
  wordCount = 0;
  /** Two independent hashes of 32 bits, signed, as comparing those is faster: one chooses the bucket, the other is the tag there. */
  home = 0;
  tag = 0;

  constructor(path: string, mostBytes: number, seedA: number, seedB: number) {
    this.#path = path;
    this.#mostBytes = mostBytes;
    this.#seedA = seedA | 0;
    this.#seedB = seedB | 0;
  }

  /** The hash that chooses the bucket. */
  get a(): number {
    return this.home >>> 0;
  }

  /** The hash that is the tag. */
  get b(): number {
    return this.tag >>> 0;
  }

  /** @throws DaxError EINVAL no key, ENAMETOOLONG */
  set(key: ArenaKey): this {
    const length = typeof key === 'string' ? this.#text(key) : this.#copy(key);
    if (length > this.#mostBytes) this.#refuse(length);
    this.length = length;
    this.wordCount = (length + 3) >> 2;
    this.#hash();
    return this;
  }

  /** The key as a copy. */
  toBytes(): Uint8Array {
    return this.#bytes.slice(0, this.length);
  }

  /** Stores whole words: bytes that were just stored one by one are slow to load as a word. */
  #text(key: string): number {
    const { length } = key;
    if (length > this.#mostBytes) this.#refuse(Buffer.byteLength(key));
    if (length === 0) this.#refuse(0);
    const { words } = this;
    let seen = 0;
    let at = 0;
    for (; at + 4 <= length; at += 4) {
      const a = key.charCodeAt(at);
      const b = key.charCodeAt(at + 1);
      const c = key.charCodeAt(at + 2);
      const d = key.charCodeAt(at + 3);
      seen |= a | b | c | d;
      words[at >> 2] = a | (b << 8) | (c << 16) | (d << 24);
    }
    let rest = 0;
    for (let shift = 0; at < length; at++, shift += 8) {
      const code = key.charCodeAt(at);
      seen |= code;
      rest |= code << shift;
    }
    if ((length & 3) !== 0) words[length >> 2] = rest;
    return seen > 127 ? this.#encode(key) : length;
  }

  #encode(key: string): number {
    const needed = Buffer.byteLength(key);
    if (needed > this.#mostBytes) this.#refuse(needed);
    return this.#padded(encoder.encodeInto(key, this.#bytes).written);
  }

  #copy(key: Uint8Array): number {
    if (!isBytes(key))
      fail('EINVAL', `a key of ${this.#path} is a string or a Uint8Array, not ${shown(key)}`, {
        path: this.#path,
      });
    const { length } = key;
    if (length === 0 || length > this.#mostBytes) this.#refuse(length);
    const bytes = this.#bytes;
    for (let at = 0; at < length; at++) bytes[at] = key[at]!;
    return this.#padded(length);
  }

  /** Fills the last word up with zeroes. */
  #padded(length: number): number {
    for (let at = length; (at & 3) !== 0; at++) this.#bytes[at] = 0;
    return length;
  }

  #hash(): void {
    const { words, wordCount } = this;
    let a = this.#seedA ^ this.length;
    let b = this.#seedB;
    for (let at = 0; at < wordCount; at++) {
      const word = words[at]!;
      a = Math.imul(a ^ word, 0x9e3779b1);
      a ^= a >>> 15;
      b = Math.imul(b ^ word, 0x85ebca6b);
      b = (((b << 13) | (b >>> 19)) + a) | 0;
    }
    a = Math.imul(a ^ (a >>> 16) ^ b, 0x85ebca6b);
    a = Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 15), 0x2c1b3c6d);
    this.home = a ^ (a >>> 16);
    this.tag = b ^ (b >>> 12) ^ a;
  }

  #refuse(length: number): never {
    const path = this.#path;
    if (length === 0) fail('EINVAL', `a key of ${path} has at least one byte`, { path });
    return fail(
      'ENAMETOOLONG',
      `a key of ${length} bytes is too long: ${path} takes up to ${this.#mostBytes}`,
      { path },
    );
  }
}
