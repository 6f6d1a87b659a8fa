import { storeU64 } from '../libc/index.js';
import { Heap } from './heap.js';
import { IndexTable } from './index-table.js';
import type { KeyBuffer } from './key.js';
import { CONTROL, KIND, KIND_MASK, SLOT } from './layout.js';
import type { Members } from './members.js';
import type { ArenaMemory } from './memory.js';

const LIST_END = 0;
const HIGH = 2 ** 32;

/**
 * The part of the arena that this host owns, for its writers: slots and what they go through. The caller has the writers' lock.
 *
 *     free -> reserved -> committed -> dead -> free       (dead: nobody finds it, but somebody has it pinned)
 *
 * Each change of a state word is written back before what it permits is done. So the slots alone tell, after any crash, what there is;
 * the lists, counts and the heap follow from them (recovery.ts).
 */
export class OwnPart {
  readonly part: number;
  readonly heap: Heap;
  readonly index: IndexTable;
  readonly members: Members;
  readonly memory: ArenaMemory;
  /** First word of the control page. */
  readonly control: number;
  readonly words: Uint32Array;
  /** Number of slot 0 over all parts, and its first word. */
  readonly firstId: number;
  readonly #slots: number;
  readonly #slotWords: number;
  readonly #touch: number;

  constructor(memory: ArenaMemory, part: number, members: Members) {
    const { geometry } = memory;
    this.part = part;
    this.memory = memory;
    this.words = memory.words;
    this.members = members;
    this.heap = new Heap(memory, part);
    this.index = new IndexTable(memory, part);
    this.control = memory.partWord(part);
    this.firstId = part * geometry.slotsPerHost;
    this.#slots = this.control + geometry.slotWord;
    this.#slotWords = geometry.slotWords;
    this.#touch = this.control * 4 + geometry.touchByte + this.firstId;
  }

  word(slot: number): number {
    return this.#slots + slot * this.#slotWords;
  }

  kind(slot: number): number {
    return this.words[this.word(slot)]! & KIND_MASK;
  }

  add(counter: keyof typeof CONTROL, change: number): void {
    this.words[this.control + CONTROL[counter]]! += change;
  }

  read(counter: keyof typeof CONTROL): number {
    return this.words[this.control + CONTROL[counter]]!;
  }

  units(bytes: number): number {
    return Math.ceil(bytes / this.memory.geometry.alignBytes);
  }

  /** Slots that were ever used: those behind are as they were made. */
  get slotHigh(): number {
    return Math.min(this.read('slotHigh'), this.memory.geometry.slotsPerHost);
  }

  /** A free slot, or -1. */
  takeSlot(): number {
    const { words, control } = this;
    const head = words[control + CONTROL.freeSlot]!;
    if (head !== 0) {
      if (head > this.memory.geometry.slotsPerHost)
        this.memory.damaged(`its free list names slot ${head - 1}`);
      words[control + CONTROL.freeSlot] = words[this.word(head - 1) + SLOT.next]!;
      return head - 1;
    }
    const high = words[control + CONTROL.slotHigh]!;
    if (high >= this.memory.geometry.slotsPerHost) return -1;
    words[control + CONTROL.slotHigh] = high + 1;
    return high;
  }

  putBackSlot(slot: number): void {
    const { words, control } = this;
    words[this.word(slot) + SLOT.next] = words[control + CONTROL.freeSlot]!;
    words[control + CONTROL.freeSlot] = slot + 1;
  }

  /** Makes a free slot a reservation over a piece of the heap (0: none, for a tombstone). The new generation comes first. */
  reserve(slot: number, block: number, key: KeyBuffer, length: number): void {
    const { words, members } = this;
    const word = this.word(slot);
    const generation = ((words[word]! >>> 3) + 1) & 0x1fff_ffff;
    if (generation === 0) words[word + SLOT.generationHigh]!++;
    Atomics.store(words, word, ((generation << 3) | KIND.reserved) >>> 0);
    this.memory.writeBack(word, 2);
    words[word + SLOT.hashA] = key.a;
    words[word + SLOT.hashB] = key.b;
    words[word + SLOT.unit] = block === 0 ? 0 : this.heap.unitOf(block);
    storeU64(words, word + SLOT.lengthLow, length);
    words[word + SLOT.keyBytes] = key.length;
    words[word + SLOT.block] = block;
    words[word + SLOT.member] = members.index + 1;
    words[word + SLOT.incarnation] = members.incarnation;
    words[word + SLOT.epoch] = words[this.control + CONTROL.epoch]!;
    storeU64(words, word + SLOT.expiryLow, 0);
    for (let i = 0; i < key.wordCount; i++) words[word + SLOT.key + i] = key.words[i]!;
    this.add('reserved', 1);
    if (block !== 0) this.add('reservedUnits', this.heap.unitsOf(block));
    this.memory.writeBack(word, SLOT.key + key.wordCount);
  }

  /**
   * Makes a reservation a committed object (or a tombstone), whole and found at once. Its bytes were written back before.
   * @param replaces the committed slot of this part with the same key, or -1
   */
  commit(
    slot: number,
    version: number,
    expiry: number,
    replaces: number,
    kind: number = KIND.committed,
  ): void {
    const { words } = this;
    const word = this.word(slot);
    words[word + SLOT.version] = version;
    storeU64(words, word + SLOT.expiryLow, expiry);
    words[word + SLOT.sequence] = this.read('sequence');
    this.add('sequence', 1);
    words[word + SLOT.check] = checkOf(words, word);
    this.memory.writeBack(word, SLOT.sequence + 1);
    this.#setKind(word, kind);
    const a = words[word + SLOT.hashA]!;
    const b = words[word + SLOT.hashB]!;
    if (replaces >= 0) this.index.replace(a, b, replaces, slot);
    else this.index.insert(a, b, slot);
    const units = this.unitsOfSlot(word);
    this.add('reserved', -1);
    this.add('reservedUnits', -units);
    if (kind === KIND.tombstone) this.add('tombstones', 1);
    else {
      this.add('committed', 1);
      this.add('usedUnits', units);
      this.append(slot);
      this.memory.bytes[this.#touch + slot] = (this.read('clockEpoch') + 253) & 0xff;
      if (expiry !== 0) this.#expiresAt(expiry);
    }
    if (replaces >= 0) this.retire(replaces, true);
  }

  /** Ends a reservation: its space is free again. */
  abort(slot: number): void {
    const { words } = this;
    const word = this.word(slot);
    this.add('reserved', -1);
    this.add('reservedUnits', -this.unitsOfSlot(word));
    this.#setKind(word, KIND.free);
    if (words[word + SLOT.block] !== 0) this.heap.give(words[word + SLOT.block]!);
    this.putBackSlot(slot);
  }

  /**
   * Ends a committed object or tombstone. Its space is free at once, or when the last pin ends.
   * @param isReplaced whether its entry in the index names its successor already
   */
  retire(slot: number, isReplaced = false): void {
    const { words } = this;
    const word = this.word(slot);
    const isTombstone = this.kind(slot) === KIND.tombstone;
    this.#setKind(word, KIND.dead);
    if (!isReplaced) this.index.remove(words[word + SLOT.hashA]!, words[word + SLOT.hashB]!, slot);
    if (isTombstone) {
      this.add('tombstones', -1);
      this.#free(slot);
      return;
    }
    this.unlink(slot);
    this.add('committed', -1);
    this.add('usedUnits', -this.unitsOfSlot(word));
    // The state word was stored before: a reader that pins from now on sees it and lets go.
    if (this.members.isPinned(this.firstId + slot)) this.toLimbo(slot);
    else this.#free(slot);
  }

  /**
   * Turns a committed object that nobody pins into a tombstone: its space is free, and older versions of other hosts stay hidden. It
   * keeps its slot, its version and its entry.
   * @returns false when somebody has just pinned it: it stays as it is
   */
  entomb(slot: number): boolean {
    const { words } = this;
    const word = this.word(slot);
    this.#setKind(word, KIND.dead);
    if (this.members.isPinned(this.firstId + slot)) {
      this.#setKind(word, KIND.committed);
      return false;
    }
    this.unlink(slot);
    this.add('committed', -1);
    this.add('usedUnits', -this.unitsOfSlot(word));
    this.heap.give(words[word + SLOT.block]!);
    for (const field of ['block', 'unit', 'lengthLow', 'lengthHigh', 'expiryLow', 'expiryHigh'] as const)
      words[word + SLOT[field]] = 0;
    words[word + SLOT.check] = checkOf(words, word);
    this.memory.writeBack(word, SLOT.sequence + 1);
    this.#setKind(word, KIND.tombstone);
    this.add('tombstones', 1);
    return true;
  }

  /** Keeps a dead slot until nobody pins it. */
  toLimbo(slot: number): void {
    const word = this.word(slot);
    this.words[word + SLOT.next] = this.read('limboHead');
    this.words[this.control + CONTROL.limboHead] = slot + 1;
    this.add('limbo', 1);
    this.add('limboUnits', this.unitsOfSlot(word));
  }

  /** Frees dead slots that nobody pins any more. @returns whether it freed one */
  sweepLimbo(): boolean {
    const { words } = this;
    if (this.read('limboHead') === LIST_END) return false;
    const pinned = this.members.pinnedSlots();
    const before = this.read('limbo');
    let next = this.read('limboHead');
    words[this.control + CONTROL.limboHead] = LIST_END;
    this.add('limbo', -before);
    this.add('limboUnits', -this.read('limboUnits'));
    for (
      let left = Math.min(before, this.memory.geometry.slotsPerHost);
      next !== LIST_END && left > 0;
      left--
    ) {
      const slot = next - 1;
      next = words[this.word(slot) + SLOT.next]!;
      if (pinned.has(this.firstId + slot)) this.toLimbo(slot);
      else this.#free(slot);
    }
    return this.read('limbo') < before;
  }

  /** Puts a slot at the end of the list of committed objects: the first is the next to be evicted. */
  append(slot: number): void {
    const { words, control } = this;
    const word = this.word(slot);
    const tail = words[control + CONTROL.orderTail]!;
    words[word + SLOT.next] = LIST_END;
    words[word + SLOT.previous] = tail;
    if (tail === LIST_END) words[control + CONTROL.orderHead] = slot + 1;
    else words[this.word(tail - 1) + SLOT.next] = slot + 1;
    words[control + CONTROL.orderTail] = slot + 1;
  }

  unlink(slot: number): void {
    const { words, control } = this;
    const word = this.word(slot);
    const next = words[word + SLOT.next]!;
    const previous = words[word + SLOT.previous]!;
    if (previous === LIST_END) words[control + CONTROL.orderHead] = next;
    else words[this.word(previous - 1) + SLOT.next] = next;
    if (next === LIST_END) words[control + CONTROL.orderTail] = previous;
    else words[this.word(next - 1) + SLOT.previous] = previous;
  }

  /** Whether a member of any host has read it within the last turns of the clock. */
  isTouched(slot: number): boolean {
    const { hosts, partBytes } = this.memory.geometry;
    const epoch = this.read('clockEpoch');
    for (let host = 0; host < hosts; host++) {
      const at = this.#touch + (host - this.part) * partBytes;
      if (host !== this.part) this.memory.refetch(Math.floor(at / 4), 1);
      if (((epoch - this.memory.bytes[at + slot]!) & 0xff) <= 1) return true;
    }
    return false;
  }

  unitsOfSlot(word: number): number {
    const { words } = this;
    return this.units(words[word + SLOT.lengthHigh]! * HIGH + words[word + SLOT.lengthLow]!);
  }

  /** When the slot's object expires, ms since 1970; 0 never. */
  expiryOf(slot: number): number {
    const word = this.word(slot);
    return this.words[word + SLOT.expiryHigh]! * HIGH + this.words[word + SLOT.expiryLow]!;
  }

  #expiresAt(expiry: number): void {
    const known = this.read('nextExpiryHigh') * HIGH + this.read('nextExpiryLow');
    if (known === 0 || expiry < known) storeU64(this.words, this.control + CONTROL.nextExpiryLow, expiry);
  }

  #free(slot: number): void {
    const word = this.word(slot);
    this.#setKind(word, KIND.free);
    const block = this.words[word + SLOT.block]!;
    if (block !== 0) this.heap.give(block);
    this.putBackSlot(slot);
  }

  #setKind(word: number, kind: number): void {
    Atomics.store(this.words, word, ((this.words[word]! & ~KIND_MASK) | kind) >>> 0);
    this.memory.writeBack(word, 1);
  }
}

/** A check of what never changes in a committed slot. fsck and recovery compare it. */
export function checkOf(words: Uint32Array, word: number): number {
  let sum = 0x811c9dc5;
  for (let at = SLOT.generationHigh; at < SLOT.check; at++)
    sum = Math.imul(sum ^ words[word + at]!, 0x01000193) ^ (sum >>> 13);
  return Math.imul(sum ^ (words[word]! >>> 3), 0x85ebca6b) >>> 0;
}
