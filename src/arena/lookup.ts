import type { KeyBuffer } from './key.js';
import { BUCKET, CONTROL, KIND, KIND_MASK, PART_STATE, SLOT } from './layout.js';
import type { ArenaMemory } from './memory.js';

/** How often a lookup starts again because what it looked at was replaced meanwhile. More than that is no accident. */
const MOST_TRIES = 10_000;

/**
 * Finds slots by key, without a lock. What was found is true for as long as the slot's state word stays the same: the caller pins the slot
 * and looks at that word again.
 */
export class Lookup {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #signed: Int32Array;
  readonly #hosts: number;
  readonly #slotsPerHost: number;
  readonly #slotWords: number;
  readonly #mask: number;
  /** First words of the index and of the slots of each part. */
  readonly #indexes: number[] = [];
  readonly #slots: number[] = [];
  /** The part that this host owns, or -1. Its lines need no refetch. */
  readonly #own: number;
  /** What the last find() found: the slot's number over all parts, its first word and its state word, signed. */
  id = -1;
  word = 0;
  state = 0;

  constructor(memory: ArenaMemory, own: number) {
    const { geometry } = memory;
    this.#memory = memory;
    this.#words = memory.words;
    this.#signed = memory.signed;
    this.#hosts = geometry.hosts;
    this.#slotsPerHost = geometry.slotsPerHost;
    this.#slotWords = geometry.slotWords;
    this.#mask = geometry.bucketsPerHost - 1;
    this.#own = own;
    for (let part = 0; part < geometry.hosts; part++) {
      this.#indexes.push(memory.partWord(part) + geometry.indexWord);
      this.#slots.push(memory.partWord(part) + geometry.slotWord);
    }
  }

  /** Finds the committed object of a key. Where several hosts have one, the highest version counts, then the highest host. */
  find(key: KeyBuffer): boolean {
    if (this.#hosts === 1) return this.findIn(0, key) && (this.state & KIND_MASK) === KIND.committed;
    return this.findNewest(key) && (this.state & KIND_MASK) === KIND.committed;
  }

  /** As find(), but finds tombstones too. */
  findNewest(key: KeyBuffer): boolean {
    let best = -1;
    let version = -1;
    let word = 0;
    let state = 0;
    for (let part = 0; part < this.#hosts; part++) {
      if (!this.isUsed(part) || !this.findIn(part, key)) continue;
      const found = this.#words[this.word + SLOT.version]!;
      if (found < version) continue;
      version = found;
      ({ id: best, word, state } = this);
    }
    this.id = best;
    this.word = word;
    this.state = state;
    return best >= 0;
  }

  /** Whether another part has an object of the key that would come to light without ours of this version. Does not change what was found. */
  hides(key: KeyBuffer, version: number): boolean {
    const { id, word, state } = this;
    let found = false;
    for (let part = 0; part < this.#hosts && !found; part++) {
      if (part === this.#own || !this.isUsed(part) || !this.findIn(part, key)) continue;
      const theirs = this.#words[this.word + SLOT.version]!;
      const isOlder = theirs < version || (theirs === version && part < this.#own);
      found = isOlder && (this.state & KIND_MASK) === KIND.committed;
    }
    this.id = id;
    this.word = word;
    this.state = state;
    return found;
  }

  isUsed(part: number): boolean {
    const control = this.#memory.partWord(part);
    if (part !== this.#own) this.#memory.refetch(control, 8);
    return this.#words[control + CONTROL.state] !== PART_STATE.never;
  }

  /** Finds the committed object or tombstone of a key in one part. @throws DaxError EBADMSG */
  findIn(part: number, key: KeyBuffer): boolean {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const answer = this.#scan(part, key);
      if (answer !== undefined) return answer;
    }
    return this.#memory.damaged(`its index (part ${part}) does not come to rest`);
  }

  /** Undefined: an entry changed while it was looked at. */
  #scan(part: number, key: KeyBuffer): boolean | undefined {
    const words = this.#words;
    const signed = this.#signed;
    const { tag } = key;
    const index = this.#indexes[part]!;
    const slots = this.#slots[part]!;
    const foreign = part !== this.#own;
    const mask = this.#mask;
    let bucket = key.home & mask;
    for (let looked = 0; looked <= mask; looked++) {
      const at = index + bucket * BUCKET.words;
      if (foreign) this.#memory.refetch(at, BUCKET.words);
      for (let i = 0; i < BUCKET.size; i++) {
        if (signed[at + BUCKET.tags + i] !== tag) continue;
        // No atomic load: what it leads to is read through it, which no processor does before it has it.
        const entry = signed[at + BUCKET.entries + i]!;
        if (entry === 0) continue;
        if (entry < 0 || entry > this.#slotsPerHost)
          this.#memory.damaged(`its index names slot ${(entry >>> 0) - 1} of ${this.#slotsPerHost}`);
        const word = slots + (entry - 1) * this.#slotWords;
        if (foreign) this.#memory.refetch(word, this.#slotWords);
        const state = Atomics.load(signed, word);
        const kind = state & KIND_MASK;
        if ((kind === KIND.committed || kind === KIND.tombstone) && this.#isKey(word, key)) {
          if (foreign && this.#isLate(part, word)) continue;
          this.id = part * this.#slotsPerHost + entry - 1;
          this.word = word;
          this.state = state;
          return true;
        }
        if (foreign) this.#memory.refetch(at, BUCKET.words);
        if (Atomics.load(signed, at + BUCKET.entries + i) !== entry) return undefined;
      }
      if (Atomics.load(words, at + BUCKET.overflow) === 0) return false;
      bucket = (bucket + 1) & mask;
    }
    return false;
  }

  #isKey(word: number, key: KeyBuffer): boolean {
    const signed = this.#signed;
    if (signed[word + SLOT.hashA] !== key.home || (signed[word + SLOT.keyBytes]! & 0xff) !== key.length)
      return false;
    const { words, wordCount } = key;
    const at = word + SLOT.key;
    for (let i = 0; i < wordCount; i++) if (signed[at + i] !== words[i]) return false;
    return true;
  }

  /** Whether a host committed it after its part had been taken over: the new owner stamped all that was committed before. */
  #isLate(part: number, word: number): boolean {
    return this.#words[word + SLOT.epoch] !== this.#words[this.#memory.partWord(part) + CONTROL.epoch];
  }
}
