import { fail } from '../libc/index.js';
import type { KeyBuffer } from './key.js';
import { CONTROL, type Geometry, KIND, KIND_MASK, SLOT } from './layout.js';
import { slotOfReference } from './listing.js';
import type { Lookup } from './lookup.js';
import type { Members } from './members.js';
import type { ArenaMemory } from './memory.js';
import type { OwnPart } from './own-part.js';
import { ArenaValue, type ValueHost } from './value.js';

const HIGH = 2 ** 32;
const fence = new Int32Array(new SharedArrayBuffer(4));

/** Reads objects without a lock: looks up, pins, looks again. Without an own part it cannot pin, and copies. */
export class Reader {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #signed: Int32Array;
  readonly #geometry: Geometry;
  readonly #lookup: Lookup;
  readonly #members: Members | undefined;
  readonly #isClock: boolean;
  /** The row of stamps of this host, which evictors look at: the byte of slot 0 of part 0. */
  readonly #touch: number;

  constructor(memory: ArenaMemory, lookup: Lookup, own: OwnPart | undefined) {
    const { geometry } = memory;
    this.#memory = memory;
    this.#words = memory.words;
    this.#signed = memory.signed;
    this.#geometry = geometry;
    this.#lookup = lookup;
    this.#members = own?.members;
    this.#isClock = geometry.policy === 'clock' && own !== undefined;
    this.#touch = (own?.control ?? 0) * 4 + geometry.touchByte;
  }

  /** Finds and pins the object of a key. @throws DaxError EMFILE, EROFS, EBADMSG */
  get(host: ValueHost, key: KeyBuffer, into: ArenaValue | undefined): ArenaValue | null {
    const lookup = this.#lookup;
    while (lookup.find(key)) {
      const { id, word, state } = lookup;
      const pin = this.#pin(host, id);
      if (this.#memory.refetches) this.#memory.refetch(word, this.#geometry.slotWords);
      if (Atomics.load(this.#signed, word) !== state) {
        this.#members!.unpin(pin);
        continue;
      }
      if (!this.#isExpired(word)) return this.#value(host, into ?? ArenaValue.of(host), pin, id, word);
      this.#members!.unpin(pin);
      return null;
    }
    return null;
  }

  /** Pins the object that a reference names. @throws DaxError ESTALE, EINVAL; as get() */
  open(host: ValueHost, reference: string): ArenaValue {
    const { path } = host;
    const { id, low, high } = slotOfReference(path, reference, this.#geometry);
    const words = this.#words;
    const word = this.#memory.slotWord(id);
    const pin = this.#pin(host, id);
    this.#memory.refetch(word, this.#geometry.slotWords);
    const state = Atomics.load(words, word);
    const isSame = state >>> 3 === low && words[word + SLOT.generationHigh] === high;
    if (isSame && (state & KIND_MASK) === KIND.committed && !this.#isExpired(word))
      return this.#value(host, ArenaValue.of(host), pin, id, word);
    this.#members!.unpin(pin);
    return fail('ESTALE', `the object ${reference} of the arena ${path} is gone: get it by its key`, {
      path,
    });
  }

  /** A copy of the object of a key, made without a pin. @throws DaxError EBADMSG */
  copy(key: KeyBuffer): Uint8Array | null {
    while (this.#lookup.find(key)) {
      const { id, word, state } = this.#lookup;
      if (this.#isExpired(word)) return null;
      const length = this.#lengthAt(word);
      let bytes: Uint8Array | undefined;
      if (this.#isInside(word, length)) {
        const position = this.positionOf(word, Math.floor(id / this.#geometry.slotsPerHost), length);
        if (this.#memory.refetches) this.#memory.file.refetch(position, length);
        bytes = this.#memory.readView(position, length).slice();
      }
      // A full fence: all of it was read before the state is looked at again.
      Atomics.add(fence, 0, 0);
      this.#memory.refetch(word, 1);
      if (Atomics.load(this.#signed, word) !== state) continue;
      return bytes ?? this.#refuseOutside(word);
    }
    return null;
  }

  has(key: KeyBuffer): boolean {
    const lookup = this.#lookup;
    while (lookup.find(key)) {
      const { word, state } = lookup;
      const isThere = !this.#isExpired(word);
      if (Atomics.load(this.#signed, word) === state) return isThere;
    }
    return false;
  }

  /** Where a slot's bytes begin in the file. @throws DaxError EBADMSG outside the heap */
  positionOf(word: number, part: number, length: number): number {
    if (!this.#isInside(word, length)) this.#refuseOutside(word);
    const { heapOffset, heapBytesPerHost, alignBytes } = this.#geometry;
    return heapOffset + part * heapBytesPerHost + this.#words[word + SLOT.unit]! * alignBytes;
  }

  #value(host: ValueHost, value: ArenaValue, pin: number, id: number, word: number): ArenaValue {
    const { slotsPerHost } = this.#geometry;
    const part = id < slotsPerHost ? 0 : Math.floor(id / slotsPerHost);
    const length = this.#lengthAt(word);
    if (!this.#isInside(word, length)) {
      this.#members!.unpin(pin);
      this.#refuseOutside(word);
    }
    const position = this.positionOf(word, part, length);
    if (this.#isClock) this.#stamp(part, id);
    if (this.#memory.refetches) this.#memory.file.refetch(position, length);
    return value.hold(host, this.#memory.readView(position, length), pin, id, word);
  }

  /** Notes for the clock that it was read. The line belongs to this host, and is stored to only when the clock has gone on. */
  #stamp(part: number, id: number): void {
    const epoch = this.#words[this.#memory.partWord(part) + CONTROL.clockEpoch]! & 0xff;
    const { bytes } = this.#memory;
    if (bytes[this.#touch + id] !== epoch) bytes[this.#touch + id] = epoch;
  }

  #lengthAt(word: number): number {
    return this.#words[word + SLOT.lengthHigh]! * HIGH + this.#words[word + SLOT.lengthLow]!;
  }

  #isExpired(word: number): boolean {
    if (this.#signed[word + SLOT.expiryHigh] === 0) return false;
    const words = this.#words;
    return words[word + SLOT.expiryHigh]! * HIGH + words[word + SLOT.expiryLow]! <= Date.now();
  }

  #pin(host: ValueHost, id: number): number {
    if (this.#members !== undefined) return this.#members.pin(id);
    const { path } = host;
    return fail('EROFS', `the arena ${path} is open read-only, and a pin is a store: read() copies instead`, {
      path,
    });
  }

  #isInside(word: number, length: number): boolean {
    const end = this.#words[word + SLOT.unit]! + Math.ceil(length / this.#geometry.alignBytes);
    return length > 0 && end <= this.#geometry.unitsPerHost;
  }

  #refuseOutside(word: number): never {
    return this.#memory.damaged(`the object of the slot at word ${word} reaches outside the heap`);
  }
}
