import type { ByteLocks } from '../famfs/index.js';
import {
  fail,
  type HeldBy,
  hasCode,
  type LockPatience,
  type LockRange,
  type LockTurns,
  waitForLock,
} from '../libc/index.js';
import { evict, expire, inOrder } from './eviction.js';
import { KeyBuffer } from './key.js';
import { CONTROL, KIND, SLOT } from './layout.js';
import type { Lease } from './lease.js';
import type { Lookup } from './lookup.js';
import type { OwnPart } from './own-part.js';
import { isReservationLive, rebuild } from './recovery.js';

/** Refusals leave the part as it should be; after any other error it is rebuilt. */
const REFUSALS = ['ENOSPC', 'EBUSY', 'EEXIST', 'ESTALE', 'EFBIG', 'EMFILE'];
const MOST_NAMED = 4;
/** Looking for objects that other hosts hide costs a look at each slot: this rarely, and when nothing else makes room. */
const SWEEP_EVERY = 64;

/** A committed or reserved slot of this host, by number and state word. */
export interface TakenSlot {
  slot: number;
  state: number;
}

/** The writers of this host: one at a time has the lock, for a few microseconds. */
export class Writer {
  readonly part: OwnPart;
  readonly #lookup: Lookup;
  readonly #lease: Lease;
  readonly #locks: ByteLocks;
  readonly #lock: LockRange;
  readonly #turns: LockTurns;
  readonly #heldBy: HeldBy;
  readonly #patience: LockPatience;
  readonly #scratch: KeyBuffer;
  readonly #isAlone: boolean;
  #shortages = 0;

  constructor(part: OwnPart, lookup: Lookup, lease: Lease, locks: ByteLocks, patience: LockPatience) {
    const { file, geometry } = part.memory;
    this.part = part;
    this.#lookup = lookup;
    this.#lease = lease;
    this.#locks = locks;
    this.#patience = patience;
    this.#lock = writersLock(part, locks);
    this.#heldBy = locks.heldBy(this.#lock, patience);
    const { words, control } = part;
    const changes = () => words[control + CONTROL.puts]! + words[control + CONTROL.deletes]!;
    this.#turns = locks.turns(locks.at((control + CONTROL.dirty) * 4 + 1), changes);
    this.#scratch = new KeyBuffer(file.path, geometry.maxKeyBytes, geometry.seedA, geometry.seedB);
    this.#isAlone = geometry.hosts === 1;
  }

  /** Calls `act` under the writers' lock, after the lease was checked. @throws DaxError EBUSY, ESTALE and what `act` throws */
  locked<T>(act: () => T): T {
    this.take();
    let isWhole = false;
    try {
      this.#lease.check();
      this.enter();
      const result = act();
      isWhole = true;
      return result;
    } catch (error) {
      isWhole = hasCode(error, ...(REFUSALS as ['EBUSY']));
      throw error;
    } finally {
      this.leave(isWhole);
    }
  }

  /** Takes the lock itself. @throws DaxError EBUSY naming who has it */
  take(): void {
    const { path } = this.part.memory.file;
    const attempt = () => this.#locks.take(this.#lock);
    const [turns, heldBy] = [this.#turns, this.#heldBy];
    if (waitForLock(attempt, `the arena ${path}`, this.#patience, { turns, heldBy })) return;
    const who = heldBy.text();
    fail(
      'EBUSY',
      `the arena ${path} is kept locked by ${who}: let it go on if it is stopped, or end it, and try again`,
      { path },
    );
  }

  /** Mends what a writer left that died in the middle, and marks the part as being changed. */
  enter(): void {
    const { words, control } = this.part;
    if (words[control + CONTROL.dirty] !== 0) rebuild(this.part);
    Atomics.store(words, control + CONTROL.dirty, this.part.members.index + 2);
  }

  leave(isWhole: boolean): void {
    const { words, control } = this.part;
    if (words.length === 0) return;
    if (isWhole) Atomics.store(words, control + CONTROL.dirty, 0);
    this.#locks.release(this.#lock);
  }

  /** Reserves a slot and its space. @throws DaxError ENOSPC, EBUSY, EFBIG, EEXIST */
  reserve(key: KeyBuffer, length: number, ifAbsent: boolean): TakenSlot {
    const { part } = this;
    const units = part.units(length);
    if (units > part.memory.geometry.unitsPerHost) this.#refuseSize(length);
    if (ifAbsent) this.refuseExisting(key);
    const slot = this.#takeSlot();
    let block = part.heap.take(units, slot);
    if (block === 0) {
      const attempt = () => {
        block = part.heap.take(units, slot);
        return block !== 0;
      };
      if (!this.#makeRoom(units, attempt)) {
        part.putBackSlot(slot);
        this.#refuseRoom(`${length} bytes`, units);
      }
    }
    part.reserve(slot, block, key, length);
    return { slot, state: part.words[part.word(slot)]! };
  }

  /** Publishes a reservation. The key is in the buffer. @throws DaxError EEXIST, ESTALE it lapsed */
  commit(key: KeyBuffer, { slot, state }: TakenSlot, expiry: number, ifAbsent: boolean): void {
    const { part } = this;
    const word = part.word(slot);
    if (part.words[word] !== state) this.#refuseStale();
    if (ifAbsent) this.refuseExisting(key);
    const { version, replaces } = this.#before(key);
    part.commit(slot, version, expiry, replaces);
  }

  abort({ slot, state }: TakenSlot): void {
    if (this.part.words[this.part.word(slot)] === state) this.part.abort(slot);
  }

  /** Deletes the object of a key, wherever it lies. @returns whether there was one that had not expired */
  delete(key: KeyBuffer, now: number): boolean {
    const { part } = this;
    if (!this.#lookup.find(key)) return false;
    const slot = this.#lookup.id - part.firstId;
    const isOwn = slot >= 0 && slot < part.memory.geometry.slotsPerHost;
    const word = this.#lookup.word;
    const expiry = part.words[word + SLOT.expiryHigh]! * 2 ** 32 + part.words[word + SLOT.expiryLow]!;
    if (isOwn && (this.#isAlone || !this.#lookup.hides(key, part.words[word + SLOT.version]!)))
      part.retire(slot);
    else this.#bury(key);
    part.add('deletes', 1);
    return expiry === 0 || expiry > now;
  }

  /** Frees at least so many bytes of objects that nobody pins, whatever the policy is. @returns bytes freed */
  evictBytes(bytes: number): number {
    const { part } = this;
    const before = part.read('usedUnits');
    const freed = () => (before - part.read('usedUnits')) * part.memory.geometry.alignBytes;
    this.#expire();
    const policy = part.memory.geometry.policy === 'none' ? 'fifo' : part.memory.geometry.policy;
    if (freed() < bytes)
      evict(part, {
        policy,
        units: 0,
        retire: (slot) => this.#retire(slot),
        attempt: () => freed() >= bytes,
      });
    return freed();
  }

  /** Releases what dead members of this host left, and what nobody pins any more. @returns whether there was anything */
  reap(): boolean {
    const { part } = this;
    const hadDead = part.members.clearDead();
    let any = false;
    if (hadDead || part.read('reserved') > 0) {
      for (let slot = 0, high = part.slotHigh; slot < high; slot++)
        if (part.kind(slot) === KIND.reserved && !isReservationLive(part, slot)) {
          part.abort(slot);
          any = true;
        }
    }
    return part.sweepLimbo() || any || hadDead;
  }

  /** @throws DaxError EEXIST a committed object, not expired, has the key */
  refuseExisting(key: KeyBuffer): void {
    if (!this.#lookup.find(key)) return;
    const word = this.#lookup.word;
    const expiry =
      this.part.words[word + SLOT.expiryHigh]! * 2 ** 32 + this.part.words[word + SLOT.expiryLow]!;
    if (expiry !== 0 && expiry <= Date.now()) return;
    const { path } = this.part.memory.file;
    fail(
      'EEXIST',
      `the arena ${path} has an object of that key already: get it, or put without ifAbsent to replace it`,
      { path },
    );
  }

  /** The version of a new object of the key, and the slot of ours that it replaces. */
  #before(key: KeyBuffer): { version: number; replaces: number } {
    const lookup = this.#lookup;
    const { part } = this;
    let version = 0;
    if (!this.#isAlone && lookup.findNewest(key)) version = part.words[lookup.word + SLOT.version]!;
    if (!lookup.findIn(part.part, key)) return { version: version + 1, replaces: -1 };
    version = Math.max(version, part.words[lookup.word + SLOT.version]!);
    return { version: version + 1, replaces: lookup.id - part.firstId };
  }

  /** Hides another host's object by a tombstone, an entry without bytes in our part. */
  #bury(key: KeyBuffer): void {
    const slot = this.#takeSlot();
    this.part.reserve(slot, 0, key, 0);
    const { version, replaces } = this.#before(key);
    this.part.commit(slot, version, 0, replaces, KIND.tombstone);
  }

  /** Ends an object of ours. Where another host has an older version, a tombstone keeps that hidden. */
  #retire(slot: number): void {
    const { part } = this;
    if (this.#isAlone) {
      part.retire(slot);
      return;
    }
    if (this.#hides(slot)) part.entomb(slot);
    else part.retire(slot);
  }

  #hides(slot: number): boolean {
    const { words } = this.part;
    return this.#lookup.hides(
      this.#scratch.set(this.#keyOf(slot)),
      words[this.part.word(slot) + SLOT.version]!,
    );
  }

  #keyOf(slot: number): Uint8Array {
    const { words, memory } = this.part;
    const word = this.part.word(slot);
    return memory.bytes.slice(
      (word + SLOT.key) * 4,
      (word + SLOT.key) * 4 + (words[word + SLOT.keyBytes]! & 0xff),
    );
  }

  #takeSlot(): number {
    const { part } = this;
    let slot = part.takeSlot();
    if (slot >= 0) return slot;
    const attempt = () => {
      slot = part.takeSlot();
      return slot >= 0;
    };
    if (!this.#makeRoom(0, attempt)) this.#refuseRoom('one more object', 0);
    return slot;
  }

  /** Tries everything that may make room, the cheapest first. */
  #makeRoom(units: number, attempt: () => boolean): boolean {
    const { part } = this;
    const retire = (slot: number) => this.#retire(slot);
    const { policy } = part.memory.geometry;
    if (this.#expire() && attempt()) return true;
    if (part.sweepLimbo() && attempt()) return true;
    if (this.#shortages++ % SWEEP_EVERY === 0 && this.#sweepHidden() && attempt()) return true;
    if (evict(part, { policy, units, retire, attempt })) return true;
    if (this.#sweepHidden() && attempt()) return true;
    return this.reap() && (attempt() || evict(part, { policy, units, retire, attempt }));
  }

  #expire(): boolean {
    return expire(this.part, Date.now(), (slot) => this.#retire(slot));
  }

  /** Frees objects of ours that another host's newer version hides, and tombstones that hide nothing. */
  #sweepHidden(): boolean {
    if (this.#isAlone) return false;
    const { part } = this;
    let any = false;
    for (const slot of [...inOrder(part)]) {
      const key = this.#scratch.set(this.#keyOf(slot));
      if (!this.#lookup.findNewest(key) || this.#lookup.id === part.firstId + slot) continue;
      part.retire(slot);
      any = true;
    }
    for (let slot = 0, high = part.slotHigh; part.read('tombstones') > 0 && slot < high; slot++) {
      if (part.kind(slot) !== KIND.tombstone || this.#hides(slot)) continue;
      part.retire(slot);
      any = true;
    }
    return any;
  }

  #refuseRoom(what: string, units: number): never {
    const { part } = this;
    const { path } = part.memory.file;
    const pinned = (id: number) => {
      const slot = id - part.firstId;
      return slot >= 0 && slot < part.memory.geometry.slotsPerHost && part.kind(slot) !== KIND.free;
    };
    const pinning = part.members.list(pinned).filter(({ pins }) => pins > 0);
    if (pinning.length > 0) {
      const names = pinning
        .slice(0, MOST_NAMED)
        .map(({ host, pid, command, pins }) =>
          host === part.part
            ? `pid ${pid} (${command}) has ${pins} objects pinned`
            : `host ${host} (its pid ${pid}) has ${pins} objects pinned`,
        );
      fail(
        'EBUSY',
        `the arena ${path} has no room for ${what}: ${names.join(', ')}: release them, or make the arena larger`,
        { path },
      );
    }
    const { largest, free, pieces } = part.heap.survey();
    const { alignBytes } = part.memory.geometry;
    const why =
      units === 0
        ? 'all its slots are in use'
        : `${free * alignBytes} bytes are free in ${pieces} pieces, the largest of ${largest * alignBytes}`;
    fail(
      'ENOSPC',
      `the arena ${path} has no room for ${what}: ${why}; delete objects, or make one that evicts`,
      { path },
    );
  }

  #refuseSize(length: number): never {
    const { path } = this.part.memory.file;
    const { heapBytesPerHost } = this.part.memory.geometry;
    return fail(
      'EFBIG',
      `a value of ${length} bytes is larger than the arena ${path}: a host's part holds ${heapBytesPerHost}`,
      { path },
    );
  }

  #refuseStale(): never {
    const { path } = this.part.memory.file;
    return fail('ESTALE', `this reservation in the arena ${path} lapsed: reserve again`, { path });
  }
}

/** The lock of the writers of a part: the first byte of the line of its dirty word. */
export function writersLock(part: { control: number }, locks: ByteLocks): LockRange {
  return locks.at((part.control + CONTROL.dirty) * 4);
}
