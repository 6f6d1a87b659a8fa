/** Cache lines and their 8-byte words. A line reaches memory as a whole; a store may be torn between words. */

export const LINE_BYTES = 64;
const WORD_BYTES = 8;
const WORDS_OF_A_LINE = LINE_BYTES / WORD_BYTES;

/** What a store changed in one line. */
export interface LineChange {
  line: number;
  /** Bit i: word i was changed. */
  words: number;
  /** The line after the store; only the changed words count. */
  bytes: Uint8Array;
}

/** The words of a mask, lowest first. */
export function wordsIn(mask: number): number[] {
  const words: number[] = [];
  for (let word = 0; word < WORDS_OF_A_LINE; word++) if ((mask & (1 << word)) !== 0) words.push(word);
  return words;
}

/** Returns a copy of a line with some words of a change. */
export function withWords(line: Uint8Array, change: LineChange, mask = change.words): Uint8Array {
  const result = line.slice();
  for (const word of wordsIn(mask)) {
    const at = word * WORD_BYTES;
    result.set(change.bytes.subarray(at, at + WORD_BYTES), at);
  }
  return result;
}

export function isSameLine(one: Uint8Array, other: Uint8Array): boolean {
  for (let at = 0; at < LINE_BYTES; at++) if (one[at] !== other[at]) return false;
  return true;
}

const BLOCK_BYTES = 2 ** 16;

/** The lines in which two memories differ, between two bytes. Whole blocks that are equal are skipped. */
export function differences(now: Uint8Array, before: Uint8Array, from: number, to: number): LineChange[] {
  const changes: LineChange[] = [];
  const end = Math.min(now.length, Math.ceil(to / LINE_BYTES) * LINE_BYTES);
  for (let at = from - (from % LINE_BYTES); at < end; ) {
    const next = Math.min(end, at - (at % BLOCK_BYTES) + BLOCK_BYTES);
    if (Buffer.compare(now.subarray(at, next), before.subarray(at, next)) !== 0) {
      for (; at < next; at += LINE_BYTES) addChange(changes, now, before, at);
    }
    at = next;
  }
  return changes;
}

function addChange(changes: LineChange[], now: Uint8Array, before: Uint8Array, at: number): void {
  let words = 0;
  for (let i = 0; i < LINE_BYTES; i++) {
    if (now[at + i] !== before[at + i]) words |= 1 << Math.floor(i / WORD_BYTES);
  }
  if (words !== 0) changes.push({ line: at / LINE_BYTES, words, bytes: now.slice(at, at + LINE_BYTES) });
}

/** Two 32-bit numbers for a line's place and content. The hash of an image is the exclusive or over its lines. */
export interface LineHash {
  high: number;
  low: number;
}

export function hashOfLine(line: number, bytes: Uint8Array): LineHash {
  let high = Math.imul(line + 1, 0x9e3779b1);
  let low = Math.imul(line + 1, 0x85ebca6b);
  for (let at = 0; at < LINE_BYTES; at++) {
    high = Math.imul(high ^ bytes[at]!, 0x01000193);
    low = Math.imul(low ^ (bytes[at]! + at), 0xcc9e2d51);
    low ^= low >>> 15;
  }
  high ^= high >>> 13;
  return { high: Math.imul(high, 0x5bd1e995), low: Math.imul(low ^ (low >>> 16), 0xc2b2ae35) };
}
