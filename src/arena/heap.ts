import { BLOCK, CONTROL } from './layout.js';
import type { ArenaMemory } from './memory.js';

/** Sizes fall into classes: 16 for each power of two (below 16 units one for each size). A free list for each. */
const CLASSES = 16;
const CLASS_SHIFT = 4;
/** How many pieces of the own class are tried before a larger class is cut. */
const CLOSE_FITS = 8;

/**
 * The allocator of a host's heap: two-level segregated free lists over descriptors, with coalescing. Units are of the arena's
 * alignment. An allocation fails only when no free piece is large enough. The caller has the writers' lock. All of this can be
 * rebuilt from the slots, so none of it is written back.
 */
export class Heap {
  readonly #words: Uint32Array;
  readonly #memory: ArenaMemory;
  readonly #control: number;
  readonly #blocks: number;
  readonly #most: number;

  constructor(memory: ArenaMemory, part: number) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#control = memory.partWord(part);
    // Descriptor 0 is none.
    this.#blocks = this.#control + memory.geometry.blockWord - BLOCK.words;
    this.#most = memory.geometry.blocksPerHost;
  }

  /** Takes a piece of exactly `units`. @returns its descriptor, 0 when there is none */
  take(units: number, slot: number): number {
    const block = this.#find(units);
    if (block === 0) return 0;
    this.#unlink(block);
    const at = this.#at(block);
    const rest = this.#words[at + BLOCK.units]! - units;
    if (rest > 0) {
      this.#words[at + BLOCK.units] = units;
      this.#link(this.#insertBehind(block, this.#words[at + BLOCK.unit]! + units, rest));
    }
    this.#words[at + BLOCK.slot] = slot + 1;
    return block;
  }

  /** Gives a piece back, and joins it with free neighbours. */
  give(block: number): void {
    const words = this.#words;
    let at = this.#at(block);
    if (words[at + BLOCK.slot] === 0) this.#memory.damaged(`piece ${block} of its heap is given back twice`);
    words[at + BLOCK.slot] = 0;
    const behind = words[at + BLOCK.behind]!;
    if (behind !== 0 && this.isFree(behind)) this.#join(block, behind);
    const before = words[at + BLOCK.before]!;
    if (before !== 0 && this.isFree(before)) {
      this.#unlink(before);
      this.#absorb(before, block);
      block = before;
      at = this.#at(block);
    }
    this.#link(block);
  }

  unitOf(block: number): number {
    return this.#words[this.#at(block) + BLOCK.unit]!;
  }

  unitsOf(block: number): number {
    return this.#words[this.#at(block) + BLOCK.units]!;
  }

  isFree(block: number): boolean {
    return this.#words[this.#at(block) + BLOCK.slot] === 0;
  }

  slotOf(block: number): number {
    return this.#words[this.#at(block) + BLOCK.slot]! - 1;
  }

  /** The neighbour by address; 0 at an end. */
  neighbour(block: number, side: 'before' | 'behind'): number {
    return this.#words[this.#at(block) + BLOCK[side]]!;
  }

  /** Units of the largest free piece, and of all of them with their number. */
  survey(): { largest: number; free: number; pieces: number } {
    const found = { largest: 0, free: 0, pieces: 0 };
    for (let level = 0; level < 32; level++)
      for (let index = 0; index < CLASSES; index++)
        for (
          let block = this.#words[this.#list(level, index)]!, left = this.#most;
          block !== 0 && left > 0;
          left--
        ) {
          const at = this.#at(block);
          found.largest = Math.max(found.largest, this.#words[at + BLOCK.units]!);
          found.free += this.#words[at + BLOCK.units]!;
          found.pieces++;
          block = this.#words[at + BLOCK.freeBehind]!;
        }
    return found;
  }

  /** Builds all anew over the used pieces, which are given by ascending place and do not overlap. */
  rebuild(
    used: readonly { unit: number; units: number; slot: number; word: number }[],
    slotBlockWord: number,
  ): void {
    const { words } = this.#memory;
    words.fill(0, this.#control + CONTROL.firstLevel, this.#control + CONTROL.freeLists + 32 * CLASSES);
    words[this.#control + CONTROL.freeBlock] = 0;
    words[this.#control + CONTROL.blockHigh] = 0;
    let last = 0;
    let end = 0;
    const add = (unit: number, units: number, slot: number): number => {
      last = this.#insertBehind(last, unit, units);
      words[this.#at(last) + BLOCK.slot] = slot + 1;
      if (slot < 0) this.#link(last);
      return last;
    };
    for (const { unit, units, slot, word } of used) {
      if (unit > end) add(end, unit - end, -1);
      words[word + slotBlockWord] = add(unit, units, slot);
      end = unit + units;
    }
    const all = this.#memory.geometry.unitsPerHost;
    if (end < all) add(end, all - end, -1);
  }

  #find(units: number): number {
    const words = this.#words;
    const [level, index] = classOf(units);
    const own = this.#firstFit(this.#list(level, index), units, CLOSE_FITS);
    if (own !== 0) return own;
    const higher = words[this.#control + CONTROL.secondLevel + level]! & (~0 << (index + 1));
    if (index + 1 < CLASSES && higher !== 0) return words[this.#list(level, lowestBit(higher))]!;
    const levels = level < 31 ? words[this.#control + CONTROL.firstLevel]! & (~0 << (level + 1)) : 0;
    if (levels !== 0) {
      const next = lowestBit(levels);
      return words[this.#list(next, lowestBit(words[this.#control + CONTROL.secondLevel + next]!))]!;
    }
    return this.#firstFit(this.#list(level, index), units, this.#most);
  }

  #firstFit(list: number, units: number, most: number): number {
    const words = this.#words;
    let block = words[list]!;
    for (let left = most; block !== 0 && left > 0; left--) {
      const at = this.#at(block);
      if (words[at + BLOCK.units]! >= units) return block;
      block = words[at + BLOCK.freeBehind]!;
    }
    return 0;
  }

  #at(block: number): number {
    if (block < 1 || block > this.#most)
      this.#memory.damaged(`its heap names piece ${block} of ${this.#most}`);
    return this.#blocks + block * BLOCK.words;
  }

  #list(level: number, index: number): number {
    return this.#control + CONTROL.freeLists + level * CLASSES + index;
  }

  #link(block: number): void {
    const words = this.#words;
    const at = this.#at(block);
    const [level, index] = classOf(words[at + BLOCK.units]!);
    const list = this.#list(level, index);
    const head = words[list]!;
    words[at + BLOCK.freeBefore] = 0;
    words[at + BLOCK.freeBehind] = head;
    if (head !== 0) words[this.#at(head) + BLOCK.freeBefore] = block;
    words[list] = block;
    words[this.#control + CONTROL.secondLevel + level]! |= 1 << index;
    words[this.#control + CONTROL.firstLevel]! |= 1 << level;
  }

  #unlink(block: number): void {
    const words = this.#words;
    const at = this.#at(block);
    const before = words[at + BLOCK.freeBefore]!;
    const behind = words[at + BLOCK.freeBehind]!;
    if (behind !== 0) words[this.#at(behind) + BLOCK.freeBefore] = before;
    if (before !== 0) {
      words[this.#at(before) + BLOCK.freeBehind] = behind;
      return;
    }
    const [level, index] = classOf(words[at + BLOCK.units]!);
    words[this.#list(level, index)] = behind;
    if (behind !== 0) return;
    words[this.#control + CONTROL.secondLevel + level]! &= ~(1 << index);
    if (words[this.#control + CONTROL.secondLevel + level] === 0)
      words[this.#control + CONTROL.firstLevel]! &= ~(1 << level);
  }

  /** Joins a piece with the free one behind it. */
  #join(block: number, behind: number): void {
    this.#unlink(behind);
    this.#absorb(block, behind);
  }

  #absorb(block: number, behind: number): void {
    const words = this.#words;
    const at = this.#at(block);
    const gone = this.#at(behind);
    words[at + BLOCK.units]! += words[gone + BLOCK.units]!;
    const next = words[gone + BLOCK.behind]!;
    words[at + BLOCK.behind] = next;
    if (next !== 0) words[this.#at(next) + BLOCK.before] = block;
    words[gone + BLOCK.units] = 0;
    words[gone + BLOCK.slot] = 0;
    words[gone + BLOCK.freeBehind] = words[this.#control + CONTROL.freeBlock]!;
    words[this.#control + CONTROL.freeBlock] = behind;
  }

  /** A new descriptor behind another one (0: the first). */
  #insertBehind(block: number, unit: number, units: number): number {
    const words = this.#words;
    let made = words[this.#control + CONTROL.freeBlock]!;
    if (made !== 0) words[this.#control + CONTROL.freeBlock] = words[this.#at(made) + BLOCK.freeBehind]!;
    else {
      made = words[this.#control + CONTROL.blockHigh]! + 1;
      this.#at(made);
      words[this.#control + CONTROL.blockHigh] = made;
    }
    const at = this.#at(made);
    const next = block === 0 ? 0 : words[this.#at(block) + BLOCK.behind]!;
    words[at + BLOCK.unit] = unit;
    words[at + BLOCK.units] = units;
    words[at + BLOCK.before] = block;
    words[at + BLOCK.behind] = next;
    words[at + BLOCK.slot] = 0;
    words[at + BLOCK.freeBefore] = 0;
    words[at + BLOCK.freeBehind] = 0;
    if (block !== 0) words[this.#at(block) + BLOCK.behind] = made;
    if (next !== 0) words[this.#at(next) + BLOCK.before] = made;
    return made;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** The class of a size: the level (a power of two) and the index in it. */
function classOf(units: number): [level: number, index: number] {
  if (units < CLASSES) return [0, units];
  const power = 31 - Math.clz32(units);
  return [power - CLASS_SHIFT + 1, (units >>> (power - CLASS_SHIFT)) & (CLASSES - 1)];
}
