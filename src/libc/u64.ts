/**
 * 64-bit numbers in memory: the one place that reads, writes and compares them. Little-endian, as all hosts of udax and its media
 * are. They are JavaScript's numbers, so what is no safe integer cannot be told exactly: readU64() says NaN, and its callers what that
 * means for them.
 */
const HIGH_WORD = 2 ** 32;
const UNSAFE_HIGH = 2 ** 21;

/** NaN above 2^53 - 1. */
export function readU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  if (high === 0) return view.getUint32(at, true);
  return high < UNSAFE_HIGH ? high * HIGH_WORD + view.getUint32(at, true) : Number.NaN;
}

/** A signed one, rounded beyond 2^53 (timestamps never are). */
export function readI64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * HIGH_WORD + view.getUint32(at, true);
}

/** Writes a whole number, negative ones in two's complement. */
export function writeU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  const fitsLowWord = value >= 0 && value < HIGH_WORD; // most do, and a division costs
  view.setUint32(at + 4, fitsLowWord ? 0 : Math.floor(value / HIGH_WORD), true);
}

/** Compares without ever making it a number: garbage there must not stop a check. */
export function isU64(view: DataView, at: number, value: number): boolean {
  return (
    view.getUint32(at, true) === value % HIGH_WORD &&
    view.getUint32(at + 4, true) === Math.floor(value / HIGH_WORD)
  );
}

/**
 * The same in words of memory that is stored to while we look: exact below 2^53, near enough above to be out of every range.
 * @param low the low word, where it was loaded in a way of its own
 */
export function loadU64(words: Uint32Array, word: number, low = words[word]!): number {
  return words[word + 1]! * HIGH_WORD + low;
}

export function storeU64(words: Uint32Array, word: number, value: number): void {
  words[word] = value; // modulo 2^32, as stores into a Uint32Array are
  words[word + 1] = value / HIGH_WORD;
}
