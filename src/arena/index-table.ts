import { BUCKET } from './layout.js';
import type { ArenaMemory } from './memory.js';

/**
 * The index of a host's own part: from hash to slot. The caller has the writers' lock. Readers look at it meanwhile: an entry never moves,
 * and each store leaves a table in which every entry is found.
 */
export class IndexTable {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #first: number;
  readonly #mask: number;

  constructor(memory: ArenaMemory, part: number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#first = memory.partWord(part) + memory.geometry.indexWord;
    this.#mask = memory.geometry.bucketsPerHost - 1;
  }

  /** Adds an entry. The buckets that were passed say so first: a reader goes on behind them. */
  insert(a: number, b: number, slot: number): void {
    const words = this.#words;
    let at = this.#bucket(a);
    for (let passed = 0; passed <= this.#mask; passed++, at = this.#next(at)) {
      for (let i = 0; i < BUCKET.size; i++) {
        if (words[at + BUCKET.entries + i] !== 0) continue;
        if (passed > 0) this.#count(a, passed, 1);
        words[at + BUCKET.tags + i] = b;
        Atomics.store(words, at + BUCKET.entries + i, slot + 1);
        this.#memory.writeBack(at, BUCKET.words);
        return;
      }
    }
    this.#memory.damaged('its index is full, which its size forbids');
  }

  /** Lets the entry of a slot name another slot of the same key, by one store. */
  replace(a: number, b: number, slot: number, by: number): void {
    const { at, entry } = this.#find(a, b, slot) ?? this.#missing(slot);
    Atomics.store(this.#words, entry, by + 1);
    this.#memory.writeBack(at, BUCKET.words);
  }

  remove(a: number, b: number, slot: number): void {
    const { at, entry, passed } = this.#find(a, b, slot) ?? this.#missing(slot);
    Atomics.store(this.#words, entry, 0);
    this.#memory.writeBack(at, BUCKET.words);
    if (passed > 0) this.#count(a, passed, -1);
  }

  has(a: number, b: number, slot: number): boolean {
    return this.#find(a, b, slot) !== undefined;
  }

  /** Empties entries that `keeps` refuses, and sets all counts of overflow to what they should be. For recovery, which writes all back. */
  mend(keeps: (tag: number, slot: number) => { a: number } | undefined): void {
    const words = this.#words;
    const overflow = new Uint32Array(this.#mask + 1);
    for (let bucket = 0; bucket <= this.#mask; bucket++) {
      const at = this.#first + bucket * BUCKET.words;
      for (let i = 0; i < BUCKET.size; i++) {
        const entry = words[at + BUCKET.entries + i]!;
        if (entry === 0) continue;
        const kept = keeps(words[at + BUCKET.tags + i]!, entry - 1);
        if (kept === undefined) Atomics.store(words, at + BUCKET.entries + i, 0);
        else
          for (let home = kept.a & this.#mask; home !== bucket; home = (home + 1) & this.#mask)
            overflow[home]!++;
      }
    }
    for (let bucket = 0; bucket <= this.#mask; bucket++)
      Atomics.store(words, this.#first + bucket * BUCKET.words + BUCKET.overflow, overflow[bucket]!);
  }

  /** Every entry: its home is where a lookup of the slot's hash starts. For checks. */
  *entries(): IterableIterator<{ bucket: number; tag: number; slot: number }> {
    for (let bucket = 0; bucket <= this.#mask; bucket++) {
      const at = this.#first + bucket * BUCKET.words;
      for (let i = 0; i < BUCKET.size; i++) {
        const entry = this.#words[at + BUCKET.entries + i]!;
        if (entry !== 0) yield { bucket, tag: this.#words[at + BUCKET.tags + i]!, slot: entry - 1 };
      }
    }
  }

  #find(a: number, b: number, slot: number): { at: number; entry: number; passed: number } | undefined {
    const words = this.#words;
    let at = this.#bucket(a);
    for (let passed = 0; passed <= this.#mask; passed++, at = this.#next(at)) {
      for (let i = 0; i < BUCKET.size; i++)
        if (words[at + BUCKET.entries + i] === slot + 1 && words[at + BUCKET.tags + i] === b)
          return { at, entry: at + BUCKET.entries + i, passed };
      if (words[at + BUCKET.overflow] === 0) return undefined;
    }
    return undefined;
  }

  #count(a: number, passed: number, change: number): void {
    for (let at = this.#bucket(a), left = passed; left > 0; left--, at = this.#next(at)) {
      Atomics.store(this.#words, at + BUCKET.overflow, this.#words[at + BUCKET.overflow]! + change);
      this.#memory.writeBack(at, BUCKET.words);
    }
  }

  #bucket(a: number): number {
    return this.#first + (a & this.#mask) * BUCKET.words;
  }

  #next(at: number): number {
    const bucket = (at - this.#first) / BUCKET.words;
    return this.#first + ((bucket + 1) & this.#mask) * BUCKET.words;
  }

  #missing(slot: number): never {
    return this.#memory.damaged(`its index has no entry for the committed slot ${slot}`);
  }
}
