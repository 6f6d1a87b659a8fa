import type { ByteLocks } from '../famfs/index.js';
import { Often } from '../famfs/pcq/often.js';
import { DaxError, fail, shown } from '../libc/index.js';
import { type ArenaKey, KeyBuffer } from './key.js';
import type { Geometry } from './layout.js';
import type { Lease } from './lease.js';
import { entriesOf, referenceOf } from './listing.js';
import type { Lookup } from './lookup.js';
import type { Members } from './members.js';
import type { ArenaMemory } from './memory.js';
import { Reader } from './reader.js';
import { rebuild } from './recovery.js';
import { type CommitOptions, Reservation, type ReservationHost } from './reservation.js';
import { statsOf } from './stats.js';
import type { ArenaEntry, ArenaStats, ListOptions, PutOptions } from './types.js';
import type { ArenaValue, ValueHost } from './value.js';
import {
  checkedValue,
  entryList,
  expiryOf,
  isKeyList,
  listOptionsIn,
  MAX_PUT_UNDER_LOCK,
  putOptionsIn,
  releasedValue,
} from './values.js';
import type { TakenSlot, Writer } from './writer.js';

/** What openArena() hands to a new Arena. Without a writer it is read-only. */
export interface ArenaParts {
  memory: ArenaMemory;
  lookup: Lookup;
  writer?: Writer;
  lease?: Lease;
  locks?: ByteLocks;
}

/**
 * An open arena: objects with keys and lifetimes in one shared memory. openArena() makes it.
 * A lookup takes no lock. A change takes the lock of this host's writers for some microseconds.
 */
export class Arena {
  readonly path: string;
  readonly isReadOnly: boolean;
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #geometry: Geometry;
  readonly #lookup: Lookup;
  readonly #writer: Writer | undefined;
  readonly #members: Members | undefined;
  readonly #lease: Lease | undefined;
  readonly #locks: ByteLocks | undefined;
  readonly #keys: KeyBuffer;
  readonly #checks = new Often(64);
  readonly #reader: Reader;
  readonly #valueHost: ValueHost;
  readonly #reservationHost: ReservationHost;
  #timer: NodeJS.Timeout | undefined;
  #reservations = 0;
  #isClosed = false;
  #isLost = false;

  /** @internal openArena() makes them. */
  static over(parts: ArenaParts): Arena {
    return new Arena(parts);
  }

  private constructor({ memory, lookup, writer, lease, locks }: ArenaParts) {
    const { geometry } = memory;
    this.path = memory.file.path;
    this.#memory = memory;
    this.#words = memory.words;
    this.#geometry = geometry;
    this.#lookup = lookup;
    this.#writer = writer;
    this.#members = writer?.part.members;
    this.#lease = lease;
    this.#locks = locks;
    this.isReadOnly = writer === undefined;
    this.#keys = new KeyBuffer(this.path, geometry.maxKeyBytes, geometry.seedA, geometry.seedB);
    this.#reader = new Reader(memory, lookup, writer?.part);
    this.#valueHost = {
      path: this.path,
      unpin: (pin) => {
        if (!this.#isClosed && this.#words.length > 0) this.#members!.unpin(pin);
      },
      prove: () => this.prove(),
      referenceOf: (word, id) => referenceOf(this.#words, word, id),
    };
    this.#reservationHost = {
      path: this.path,
      commit: (key, taken, options) => this.#commit(key, taken, options),
      abort: (taken) => this.#abort(taken),
    };
    if (lease) this.#timer = heartbeat(new WeakRef(this), geometry.leaseMs);
  }

  /**
   * Reserves space for a value. Nobody sees it before commit(). It may evict.
   * @throws DaxError EINVAL; ENAMETOOLONG; EFBIG larger than the arena; EEXIST; ENOSPC full; EBUSY full, and what is in the way is pinned (by
   * whom, says the message); ESTALE lost its lease; EROFS, EBADF, ENODEV
   */
  reserve(key: ArenaKey, length: number, options?: PutOptions): Reservation {
    const { ttlMs, ifAbsent = false } = putOptionsIn(options);
    const writer = this.#checkWritable();
    if (!Number.isSafeInteger(length) || length < 1)
      fail('EINVAL', `a value has 1 byte or more, not ${shown(length)}`, { path: this.path });
    const buffer = this.#keys.set(key);
    const taken = writer.locked(() => writer.reserve(buffer, length, ifAbsent));
    this.#reservations++;
    const position = this.#reader.positionOf(writer.part.word(taken.slot), writer.part.part, length);
    const bytes = this.#memory.writeView(position, length);
    return Reservation.of(this.#reservationHost, bytes, buffer.toBytes(), taken, {
      ttlMs,
      ifAbsent,
      position,
      length,
    });
  }

  /** Stores a value under a key, visible at once and whole. It replaces what was there. @throws DaxError as reserve() */
  put(key: ArenaKey, value: Uint8Array, given?: PutOptions): void {
    const writer = this.#checkWritable();
    const options = putOptionsIn(given);
    checkedValue(this.path, value);
    if (value.length > MAX_PUT_UNDER_LOCK) this.#putLarge(key, value, options);
    else {
      const buffer = this.#keys.set(key);
      writer.locked(() => this.#putLocked(writer, buffer, value, options));
    }
  }

  /**
   * Stores many values, each visible at once, under one lock. At an error, those before it are stored.
   * @throws DaxError as reserve()
   */
  putBatch(entries: Iterable<readonly [key: ArenaKey, value: Uint8Array]>, given?: PutOptions): void {
    const writer = this.#checkWritable();
    const options = putOptionsIn(given);
    const list = entryList(this.path, entries);
    for (const [, value] of list) checkedValue(this.path, value);
    let next = 0;
    while (next < list.length) {
      writer.locked(() => {
        for (let bytes = 0; next < list.length && bytes <= MAX_PUT_UNDER_LOCK; next++) {
          const [key, value] = list[next]!;
          bytes += value.length;
          if (value.length > MAX_PUT_UNDER_LOCK) break;
          this.#putLocked(writer, this.#keys.set(key), value, options);
        }
      });
      const large = list[next];
      if (large !== undefined && large[1].length > MAX_PUT_UNDER_LOCK) {
        this.#putLarge(large[0], large[1], options);
        next++;
      }
    }
  }

  /**
   * Finds the object of a key and pins it: its bytes stay until release().
   * @param into a value that is not needed any more, to be used again: it is released first
   * @returns null when there is none
   * @throws DaxError EMFILE too many pins; EROFS on a read-only arena, which cannot pin: use read(); EBADF, ENODEV, ESTALE, EBADMSG
   */
  get(key: ArenaKey, into?: ArenaValue): ArenaValue | null {
    this.check();
    if (into !== undefined) releasedValue(this.path, into);
    return this.#reader.get(this.#valueHost, this.#keys.set(key), into);
  }

  /** get() of many keys. @returns an object or null for each */
  getBatch(keys: readonly ArenaKey[]): (ArenaValue | null)[] {
    this.check();
    isKeyList(this.path, keys);
    const found: (ArenaValue | null)[] = [];
    try {
      for (const key of keys) found.push(this.#reader.get(this.#valueHost, this.#keys.set(key), undefined));
    } catch (error) {
      for (const value of found) value?.release();
      throw error;
    }
    return found;
  }

  /** Finds the object that a reference names. @throws DaxError ESTALE it was deleted or replaced; EINVAL no reference; as get() */
  open(reference: string): ArenaValue {
    this.check();
    return this.#reader.open(this.#valueHost, reference);
  }

  /** A copy of the object of a key; null when there is none. It works on a read-only arena too. @throws DaxError EBADF, ENODEV, EBADMSG */
  read(key: ArenaKey): Uint8Array | null {
    this.check();
    return this.#reader.copy(this.#keys.set(key));
  }

  /** Whether there is an object of the key. It pins nothing. */
  has(key: ArenaKey): boolean {
    this.check();
    return this.#reader.has(this.#keys.set(key));
  }

  /** has() of many keys. */
  hasBatch(keys: readonly ArenaKey[]): boolean[] {
    this.check();
    isKeyList(this.path, keys);
    const found: boolean[] = new Array(keys.length);
    for (let i = 0; i < keys.length; i++) found[i] = this.#reader.has(this.#keys.set(keys[i]!));
    return found;
  }

  /**
   * Deletes the object of a key: nobody finds it any more. Its memory is free when the last pin on it ends.
   * @returns whether there was one
   * @throws DaxError EROFS, ESTALE, EBUSY the lock; ENOSPC no slot to note that another host's object is gone
   */
  delete(key: ArenaKey): boolean {
    const writer = this.#checkWritable();
    const buffer = this.#keys.set(key);
    return writer.locked(() => writer.delete(buffer, Date.now()));
  }

  /** Frees at least so many bytes of objects of this host that nobody pins, as the policy orders them. @returns bytes freed */
  evict(bytes: number): number {
    const writer = this.#checkWritable();
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      fail('EINVAL', `${shown(bytes)} is no number of bytes`, { path: this.path });
    return writer.locked(() => writer.evictBytes(bytes));
  }

  /** Releases what the dead left: pins and reservations of this host's killed processes, and of hosts whose lease lapsed. */
  reap(): void {
    const writer = this.#checkWritable();
    this.#reapHosts();
    writer.locked(() => writer.reap());
  }

  /** @internal Builds all that follows from the slots anew. */
  rebuild(): void {
    const writer = this.#checkWritable();
    writer.locked(() => rebuild(writer.part));
  }

  /** The objects, in no order. One that is put or deleted meanwhile may be there or not. */
  list(options: ListOptions = {}): IterableIterator<ArenaEntry> {
    this.check();
    const { prefix } = listOptionsIn(options);
    const start = prefix === undefined ? undefined : this.#keys.set(prefix).toBytes();
    return entriesOf(this.#memory, this.#lookup, start, () => this.check());
  }

  /** Space, objects and members, as they are now. */
  stats(): ArenaStats {
    this.check();
    return statsOf(this.#memory, this.#writer?.part);
  }

  /** Ends this member: its pins and open reservations too. The objects stay. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    clearInterval(this.#timer);
    const writer = this.#writer;
    try {
      if (writer && this.#words.length > 0 && !this.#isLost)
        leaveArena(writer, this.#lease!, this.#reservations > 0);
    } catch (error) {
      // The lock is kept by a stopped process, or the arena is damaged. Others clear the record: nobody locks it from now on.
      if (!(error instanceof DaxError)) throw error;
    } finally {
      this.#isClosed = true;
      this.#locks?.close();
      this.#memory.file.close();
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Throws what any call would throw now. @throws DaxError EBADF closed; ENODEV the memory is gone; ESTALE the lease was lost */
  check(): void {
    if (this.#isClosed) fail('EBADF', `the arena ${this.path} is closed: open it again`, { path: this.path });
    const isHere = this.#words.length > 0;
    if (isHere && !this.#isLost && this.#lease?.isHeld !== false && !this.#checks.isDue()) return;
    this.prove();
  }

  /** @internal check() without sparing anything. */
  prove(): void {
    if (this.#isClosed) this.check();
    this.#memory.file.check();
    if (this.#words.length === 0)
      fail('ENODEV', `the memory of the arena ${this.path} was taken away: mount the volume again`, {
        path: this.path,
      });
    this.#memory.file.memoryBehind.check();
    this.#lease?.check();
    this.#checks.passed();
  }

  /** @internal */
  tick(): void {
    if (this.#isClosed || this.#words.length === 0) return;
    if (!this.#lease!.tick()) this.#isLost = true;
    else this.#lease!.watch();
  }

  #commit(key: Uint8Array, taken: TakenSlot, options: CommitOptions): void {
    const writer = this.#checkWritable();
    if (this.#memory.flushes) this.#memory.file.writeBack(options.position, options.length);
    const buffer = this.#keys.set(key);
    writer.locked(() => {
      writer.commit(buffer, taken, expiryOf(options.ttlMs), options.ifAbsent);
      writer.part.add('puts', 1);
    });
    this.#reservations--;
  }

  #abort(taken: TakenSlot): void {
    if (this.#isClosed || this.#words.length === 0 || this.#isLost) return;
    this.#reservations--;
    const writer = this.#writer!;
    writer.locked(() => writer.abort(taken));
  }

  #putLocked(
    writer: Writer,
    key: KeyBuffer,
    value: Uint8Array,
    { ttlMs, ifAbsent = false }: PutOptions,
  ): void {
    const { length } = value;
    const taken = writer.reserve(key, length, ifAbsent);
    const position = this.#reader.positionOf(writer.part.word(taken.slot), writer.part.part, length);
    this.#memory.writeView(position, length).set(value);
    if (this.#memory.flushes) this.#memory.file.writeBack(position, length);
    writer.commit(key, taken, expiryOf(ttlMs), false);
    writer.part.add('puts', 1);
  }

  /** A large value is copied without the lock. */
  #putLarge(key: ArenaKey, value: Uint8Array, options: PutOptions): void {
    const reservation = this.reserve(key, value.length, options);
    try {
      reservation.bytes.set(value);
      reservation.commit();
    } finally {
      reservation.abort();
    }
  }

  #checkWritable(): Writer {
    this.check();
    return (
      this.#writer ??
      fail('EROFS', `the arena ${this.path} is open read-only: open it without readOnly`, { path: this.path })
    );
  }

  #reapHosts(): void {
    const lease = this.#lease!;
    for (let part = 0; part < this.#geometry.hosts; part++)
      if (part !== lease.part && lease.hasLapsed(part)) lease.evictOwner(part);
  }
}

/** Four beats a lease. The timer does not keep a handle that was dropped, nor the process. */
function heartbeat(handle: WeakRef<Arena>, leaseMs: number): NodeJS.Timeout {
  const timer = setInterval(() => {
    const arena = handle.deref();
    if (arena) arena.tick();
    else clearInterval(timer);
  }, leaseMs / 4);
  return timer.unref();
}

/** Ends a member: what it reserved is free, and the last one of a host gives the host's part back. */
function leaveArena(writer: Writer, lease: Lease, hasReservations: boolean): void {
  if (!lease.tick()) return;
  writer.locked(() => {
    const { members } = writer.part;
    members.leave();
    if (hasReservations) writer.reap();
    if (!members.list().some(({ host }) => host === writer.part.part)) lease.release();
  });
}
