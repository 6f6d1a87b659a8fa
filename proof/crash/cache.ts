/**
 * What memory may contain at a crash, computed from the events of a trace.
 *
 * power: each line has its durable content, or the content after any later store, torn between any two words. Lines reach memory
 * by themselves and independently of each other. A flush takes the line as it is; the next fence makes that content durable.
 * (Here a flush alone guarantees nothing. Processors guarantee more, so code that passes is right on both.)
 */
import {
  hashOfLine,
  isSameLine,
  LINE_BYTES,
  type LineChange,
  type LineHash,
  withWords,
  wordsIn,
} from '../media/lines.js';
import type { FlushEvent, StoreEvent } from '../media/tracer.js';

/** One possible content of a line. */
export interface Version {
  bytes: Uint8Array;
  hash: LineHash;
}

/** A line with more than one possible version. */
export interface PendingLine {
  line: number;
  /** Contents between stores, oldest first. The first one is durable. */
  whole: Version[];
  /** Contents in the middle of a store. `after` is the number of whole versions before it. */
  torn: { version: Version; after: number }[];
  /** Index of the version that a flush took; -1 for none. */
  flushed: number;
}

const NO_HASH: LineHash = { high: 0, low: 0 };

export class Cache {
  /** Durable lines that differ from the base. */
  readonly durable = new Map<number, Version>();
  readonly pending = new Map<number, PendingLine>();
  readonly #base: Uint8Array;

  constructor(base: Uint8Array) {
    this.#base = base;
  }

  store({ changes, isOrdered }: StoreEvent): void {
    for (const change of changes) this.#storeLine(change, isOrdered);
  }

  #storeLine(change: LineChange, isOrdered: boolean): void {
    const { line } = change;
    let pending = this.pending.get(line);
    if (pending === undefined) {
      pending = { line, whole: [this.durable.get(line) ?? this.ofBase(line)], torn: [], flushed: -1 };
      this.pending.set(line, pending);
    }
    const before = pending.whole.at(-1)!.bytes;
    for (const mask of tearsOf(change.words, isOrdered)) {
      const version = this.version(line, withWords(before, change, mask));
      pending.torn.push({ version, after: pending.whole.length });
    }
    pending.whole.push(this.version(line, withWords(before, change)));
  }

  flush({ at, length }: FlushEvent): void {
    const first = Math.floor(at / LINE_BYTES);
    const end = Math.ceil((at + length) / LINE_BYTES);
    for (const pending of this.pending.values()) {
      if (pending.line >= first && pending.line < end) pending.flushed = pending.whole.length - 1;
    }
  }

  /** Whether a fence would make anything durable now. */
  get isFlushing(): boolean {
    for (const { flushed } of this.pending.values()) if (flushed > 0) return true;
    return false;
  }

  fence(): void {
    for (const pending of [...this.pending.values()]) {
      const { flushed, line } = pending;
      if (flushed <= 0) continue;
      this.durable.set(line, pending.whole[flushed]!);
      pending.whole.splice(0, flushed);
      pending.torn = pending.torn
        .filter(({ after }) => after > flushed)
        .map(({ version, after }) => ({ version, after: after - flushed }));
      pending.flushed = -1;
      if (pending.whole.length === 1) this.pending.delete(line);
    }
  }

  /** A version with its hash. A line equal to the base has no hash. */
  version(line: number, bytes: Uint8Array): Version {
    return { bytes, hash: isSameLine(bytes, this.ofBase(line).bytes) ? NO_HASH : hashOfLine(line, bytes) };
  }

  /** The line before the trace. */
  ofBase(line: number): Version {
    return { bytes: this.#base.subarray(line * LINE_BYTES, (line + 1) * LINE_BYTES), hash: NO_HASH };
  }
}

const MOST_SUBSETS = 4;

/**
 * The subsets of a store's words that may be visible without the others: prefixes of an ordered store, any subset of an unordered
 * one.
 */
export function tearsOf(mask: number, isOrdered: boolean): number[] {
  const words = wordsIn(mask);
  if (isOrdered) return beginnings(words);
  if (words.length > MOST_SUBSETS) return [...beginnings(words), ...beginnings([...words].reverse())];
  const tears: number[] = [];
  for (let subset = 1; subset < 2 ** words.length - 1; subset++) {
    tears.push(maskOf(words.filter((_, i) => (subset & (1 << i)) !== 0)));
  }
  return tears;
}

function beginnings(words: readonly number[]): number[] {
  return words.slice(1).map((_, i) => maskOf(words.slice(0, i + 1)));
}

function maskOf(words: readonly number[]): number {
  return words.reduce((mask, word) => mask | (1 << word), 0);
}
