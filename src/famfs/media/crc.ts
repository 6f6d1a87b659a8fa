/**
 * CRC-32 of short pieces of memory, as zlib's crc32(): for a hundred bytes the call of Node's costs eight times what the sum does.
 * Four bytes a step, with a table for each (slicing by 4).
 */
const POLYNOMIAL = 0xedb88320;
const BYTE = 0xff;

const first = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit++) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ POLYNOMIAL;
  return sum;
});
const shifted = (table: Uint32Array): Uint32Array => table.map((sum) => (sum >>> 8) ^ first[sum & BYTE]!);
const second = shifted(first);
const third = shifted(second);
const fourth = shifted(third);

/**
 * The CRC-32 of bytes `start` to `end`, continued from `seed`.
 * @param words the same memory, little endian
 * @param start a multiple of 4, as every entry and record begins
 */
export function crcOf(
  words: Uint32Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
): number {
  let sum = ~seed;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    sum ^= words[at >>> 2]!;
    sum =
      fourth[sum & BYTE]! ^ third[(sum >>> 8) & BYTE]! ^ second[(sum >>> 16) & BYTE]! ^ first[sum >>> 24]!;
  }
  for (; at < end; at++) sum = (sum >>> 8) ^ first[(sum ^ bytes[at]!) & BYTE]!;
  return ~sum >>> 0;
}

/** The same memory as 32-bit words; a piece of a word at the end is left out. */
export function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array): Uint32Array {
  return new Uint32Array(buffer, byteOffset, byteLength >>> 2);
}
