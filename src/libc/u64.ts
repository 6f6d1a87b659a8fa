/**
 * 64-bit numbers in memory: the one place that reads, writes and compares them. They are little-endian, as are all hosts of udax
 * and its media. They become JavaScript numbers, which are not exact beyond safe integers: readU64() returns NaN for those, and each
 * caller decides what that means.
 */
const HIGH_WORD = 2 ** 32;
const UNSAFE_HIGH = 2 ** 21;

/** Reads an unsigned number; NaN above 2^53 - 1. */
export function readU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high === 0) return view.getUint32(at, true);
  return high < UNSAFE_HIGH ? high * HIGH_WORD + view.getUint32(at, true) : Number.NaN;
}

/** Reads a signed number; rounded beyond 2^53, which timestamps never reach. */
export function readI64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * HIGH_WORD + view.getUint32(at, true);
}

/** Writes a whole number; a negative one in two's complement. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  const fitsLowWord = value >= 0 && value < HIGH_WORD; // most do, and a division costs
  view.setUint32(at + 4, fitsLowWord ? 0 : Math.floor(value / HIGH_WORD), true);
}

/** Compares word by word, without making a number: garbage in memory must not stop a check. */
export function isU64(view: DataView, at: number, value: number): boolean {
  return (
    view.getUint32(at, true) === value % HIGH_WORD &&
    view.getUint32(at + 4, true) === Math.floor(value / HIGH_WORD)
  );
}

/**
 * Reads an unsigned number from memory that others may store to meanwhile. Exact below 2^53; rounded above, which is still out
 * of every valid range.
 * @param low the low word, when the caller loaded it already (atomically)
 */
export function loadU64(words: Uint32Array, word: number, low = words[word]!): number {
  return words[word + 1]! * HIGH_WORD + low;
}

/** As writeU64(), into words. */
export function storeU64(words: Uint32Array, word: number, value: number): void {
  words[word] = value; // modulo 2^32, as stores into a Uint32Array are
  words[word + 1] = value >= 0 && value < HIGH_WORD ? 0 : Math.floor(value / HIGH_WORD);
}
