import type { ByteLocks } from '../famfs/index.js';
import { commandOf, fail, type LockRange, loadU64, startTimeOf, storeU64 } from '../libc/index.js';
import { CONTROL, MEMBER, PART_STATE } from './layout.js';
import type { ArenaMemory } from './memory.js';

/** A process, or one handle of it, that uses an arena. */
export interface ArenaMember {
  host: number;
  pid: number;
  command: string;
  /** Objects that it has pinned. */
  pins: number;
}

/**
 * The members of all hosts, as the owner of one part sees them. A member stores only into its own record, but for joining and clearing
 * away the dead, which happen under the writers' lock of that part.
 */
export class Members {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #locks: ByteLocks;
  readonly #part: number;
  /** The record of this handle, -1 before join(). */
  index = -1;
  #record = 0;
  #lock: LockRange | undefined;
  /** Free pins of this handle's record: a stack. */
  #free = new Uint32Array(0);
  #top = 0;

  constructor(memory: ArenaMemory, part: number, locks: ByteLocks) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#part = part;
    this.#locks = locks;
  }

  /** Pins that this handle holds. */
  get pinned(): number {
    return this.#free.length - this.#top;
  }

  get incarnation(): number {
    return this.#words[this.#record + MEMBER.incarnation]!;
  }

  /** Takes a free record. The caller has the writers' lock. @throws DaxError EMFILE */
  join(): void {
    const { membersPerHost, pinsPerMember } = this.#memory.geometry;
    const words = this.#words;
    for (let index = 0; index < membersPerHost; index++) {
      const record = this.#recordOf(this.#part, index);
      const lock = this.#locks.at(record * 4);
      if (words[record + MEMBER.state] !== 0 || !this.#locks.take(lock)) continue;
      this.#clear(record, record + MEMBER.pins + pinsPerMember);
      words[record + MEMBER.pid] = process.pid;
      storeU64(words, record + MEMBER.startLow, startTimeOf('self'));
      words[record + MEMBER.pinHigh] = 0;
      words[record + MEMBER.incarnation]!++;
      Atomics.store(words, record + MEMBER.state, 1);
      const control = this.#memory.partWord(this.#part);
      this.#memory.writeBack(record, MEMBER.pins);
      if (words[control + CONTROL.membersHigh]! <= index) {
        words[control + CONTROL.membersHigh] = index + 1;
        this.#memory.writeBack(control + CONTROL.membersHigh, 1);
      }
      this.index = index;
      this.#record = record;
      this.#lock = lock;
      this.#free = Uint32Array.from({ length: pinsPerMember }, (_, i) => pinsPerMember - 1 - i);
      this.#top = pinsPerMember;
      return;
    }
    const { path } = this.#memory.file;
    fail(
      'EMFILE',
      `all ${membersPerHost} members of the arena ${path} on this host are in use: close handles, or make it with more members`,
      { path },
    );
  }

  /** Gives the record back; its pins end. */
  leave(): void {
    if (this.index < 0 || this.#words.length === 0) return;
    this.#clear(this.#record);
    this.index = -1;
    this.#locks.release(this.#lock!);
  }

  /** Pins a slot: it is not reused until unpin(). @returns the pin @throws DaxError EMFILE */
  pin(id: number): number {
    if (this.#top === 0) this.#refusePin();
    const pin = this.#free[--this.#top]!;
    const words = this.#words;
    const record = this.#record;
    if (words[record + MEMBER.pinHigh]! <= pin) {
      Atomics.store(words, record + MEMBER.pinHigh, pin + 1);
      this.#memory.writeBack(record, MEMBER.pins);
    }
    // A full fence: whoever frees the slot marks it first and looks at the pins then. One of the two sees the other.
    Atomics.store(words, record + MEMBER.pins + pin, id + 1);
    this.#memory.writeBack(record + MEMBER.pins + pin, 1);
    return pin;
  }

  unpin(pin: number): void {
    Atomics.store(this.#words, this.#record + MEMBER.pins + pin, 0);
    this.#memory.writeBack(this.#record + MEMBER.pins + pin, 1);
    this.#free[this.#top++] = pin;
  }

  isPinned(id: number): boolean {
    return this.#anyPin((word) => this.#words[word] === id + 1);
  }

  /** All pinned slots. */
  pinnedSlots(): Set<number> {
    const found = new Set<number>();
    this.#anyPin((word) => {
      const id = this.#words[word]!;
      if (id !== 0) found.add(id - 1);
      return false;
    });
    return found;
  }

  /** All members of hosts that live. `of` counts only pins of these slots. */
  list(of?: (id: number) => boolean): ArenaMember[] {
    return listMembers(this.#memory, this.#part, of);
  }

  /**
   * Clears the records of this host's dead members. The caller has the writers' lock.
   * @returns whether there were any: their reservations have to go too
   */
  clearDead(): boolean {
    let any = false;
    const high = this.#high(this.#part);
    for (let index = 0; index < high; index++) {
      const record = this.#recordOf(this.#part, index);
      if (this.#words[record + MEMBER.state] === 0 || index === this.index) continue;
      if (this.#locks.isTaken(this.#locks.at(record * 4))) continue;
      this.#clear(record);
      any = true;
    }
    return any;
  }

  /** Whether the member that made a reservation is still there. */
  isLiving(index: number, incarnation: number): boolean {
    if (index >= this.#memory.geometry.membersPerHost) return false;
    const record = this.#recordOf(this.#part, index);
    return (
      this.#words[record + MEMBER.state] === 1 && this.#words[record + MEMBER.incarnation] === incarnation
    );
  }

  /** Clears every record of the part: its former owner's processes are gone. */
  clearAll(): void {
    for (let index = 0, high = this.#high(this.#part); index < high; index++)
      this.#clear(this.#recordOf(this.#part, index));
  }

  #clear(record: number, end = this.#pinsEnd(record)): void {
    const words = this.#words;
    let last = record + MEMBER.pins;
    for (let word = last; word < end; word++) {
      if (words[word] === 0) continue;
      Atomics.store(words, word, 0);
      last = word + 1;
    }
    Atomics.store(words, record + MEMBER.state, 0);
    this.#memory.writeBack(record, last - record);
  }

  #anyPin(test: (word: number) => boolean): boolean {
    return this.#each((_part, record) => {
      for (let word = record + MEMBER.pins, end = this.#pinsEnd(record); word < end; word++)
        if (test(word)) return true;
      return false;
    });
  }

  #each(look: (part: number, record: number) => boolean): boolean {
    return eachMember(this.#memory, this.#part, look);
  }

  #high(part: number): number {
    return highOf(this.#memory, part);
  }

  #pinsEnd(record: number): number {
    return pinsEnd(this.#memory, record);
  }

  #recordOf(part: number, index: number): number {
    return recordOf(this.#memory, part, index);
  }

  #refusePin(): never {
    const { path } = this.#memory.file;
    return fail(
      'EMFILE',
      `this handle of the arena ${path} has pinned ${this.pinned} objects, which is its limit: release some`,
      { path },
    );
  }
}

/** All members of hosts that live, as the owner of part `own` sees them (-1: of none). */
export function listMembers(memory: ArenaMemory, own: number, of?: (id: number) => boolean): ArenaMember[] {
  const { words } = memory;
  const found: ArenaMember[] = [];
  eachMember(memory, own, (host, record) => {
    let pins = 0;
    for (let word = record + MEMBER.pins, end = pinsEnd(memory, record); word < end; word++) {
      const id = words[word]!;
      if (id !== 0 && (of === undefined || of(id - 1))) pins++;
    }
    const pid = words[record + MEMBER.pid]!;
    const isOfThisHost = host === own && startTimeOf(pid) === loadU64(words, record + MEMBER.startLow);
    found.push({ host, pid, command: isOfThisHost ? commandOf(pid) : '?', pins });
    return false;
  });
  return found;
}

/** How many pins each slot has, over all members of hosts that live, as somebody outside sees them. */
export function pinCounts(memory: ArenaMemory): Map<number, number> {
  const { words } = memory;
  const found = new Map<number, number>();
  eachMember(memory, -1, (_host, record) => {
    for (let word = record + MEMBER.pins, end = pinsEnd(memory, record); word < end; word++) {
      const id = words[word]! - 1;
      if (id >= 0) found.set(id, (found.get(id) ?? 0) + 1);
    }
    return false;
  });
  return found;
}

/** Looks at each living record until one answers true. What other hosts store is fetched anew. */
function eachMember(
  memory: ArenaMemory,
  own: number,
  look: (part: number, record: number) => boolean,
): boolean {
  const { words } = memory;
  const { hosts, memberWords } = memory.geometry;
  for (let part = 0; part < hosts; part++) {
    const control = memory.partWord(part);
    if (part !== own) memory.refetch(control, 64);
    if (part !== own && words[control + CONTROL.state] !== PART_STATE.owned) continue;
    for (let index = 0, high = highOf(memory, part); index < high; index++) {
      const record = recordOf(memory, part, index);
      if (part !== own) memory.refetch(record, memberWords);
      if (Atomics.load(words, record + MEMBER.state) === 1 && look(part, record)) return true;
    }
  }
  return false;
}

function highOf(memory: ArenaMemory, part: number): number {
  return Math.min(memory.words[memory.partWord(part) + CONTROL.membersHigh]!, memory.geometry.membersPerHost);
}

function pinsEnd(memory: ArenaMemory, record: number): number {
  const high = Atomics.load(memory.words, record + MEMBER.pinHigh);
  return record + MEMBER.pins + Math.min(high, memory.geometry.pinsPerMember);
}

function recordOf(memory: ArenaMemory, part: number, index: number): number {
  const { memberWord, memberWords } = memory.geometry;
  return memory.partWord(part) + memberWord + index * memberWords;
}
