import { createHash } from 'node:crypto';
import fs from 'node:fs';
import {
  asDaxError,
  closeDescriptor,
  closing,
  fail,
  type LockHolder,
  type LockPatience,
  type LockRange,
  lockHolders,
  lockHoldersText,
  ofdLock,
  ofdLockConflict,
  searchMs,
  waitForLock,
  whenClosed,
  whenCollected,
} from '../libc/index.js';
import type { Backing } from '../memory/index.js';

/**
 * The use lock: who uses which memory, among all processes of this host and whatever name brought them there (decision 6b).
 * It lies on the memory itself, an open-file-description lock of its file or device node, far beyond any byte of it:
 *
 *     2^61 + offset    the memory's own bytes: shared by who mounts or maps them, exclusive for mkfs, take-over, system-ram
 *                      and the removal of the file. Two regions of one file lie apart, as their bytes do.
 *     2^62 + slot      one slot a device of a machine (a hash of both): shared by its users, exclusive for who changes the
 *                      device's mode, ranges or existence. Other machines over the same memory have other slots:
 *                      they may disable theirs while ours is mounted.
 *
 * A shared lock needs the right to read, an exclusive one to write. All lies in the file that is there: using
 * memory makes no file. The kernel drops the locks of a killed process.
 */
const MEMORY_BASE = 2 ** 61;
const SLOT_BASE = 2 ** 62;
/** What a double can tell apart up there; bytes of memory come in pages, slots in these. */
const SLOT_BYTES = 1024;
/** Uses last: only who changes a machine is waited for, as long as it takes to write a document. */
const WAIT_MS = 40;

export type UseKind = 'shared' | 'exclusive';
/** What must be alone: the device of this machine, or the memory under it as well. */
export type UseScope = 'device' | 'memory';

/** Bytes of a file or device that are the memory of something. */
export interface UsePlace {
  readonly name: string;
  readonly ranges: readonly LockRange[];
  /** A descriptor of the memory for locks alone, to be closed by who asked. */
  open(): number;
}

/** Where a device of a machine is marked as used; the same for everybody who has this machine open. */
export function slotOf(machine: string, device: string): LockRange {
  const hash = createHash('sha256').update(`${machine} ${device}`).digest();
  return { start: SLOT_BASE + hash.readUIntLE(0, 5) * SLOT_BYTES, length: SLOT_BYTES };
}

interface Locked {
  readonly fd: number;
  readonly ranges: readonly LockRange[];
}

/** A lock somebody else has that is in our way. */
export interface UseConflict {
  readonly fd: number;
  readonly range: LockRange;
}

/**
 * The locks of one use (of all uses of one device by one machine object: locks of one descriptor never conflict with
 * each other). Made unlocked.
 */
export class MemoryUse {
  readonly #slot: LockRange | undefined;
  readonly #locked: readonly Locked[];
  #kind: UseKind | undefined;
  #isClosed = false;

  private constructor(slot: LockRange | undefined, locked: readonly Locked[]) {
    this.#slot = slot;
    this.#locked = locked;
  }

  /** @throws DaxError as opening the memory */
  static open(places: readonly UsePlace[], slot?: LockRange): MemoryUse {
    const locked: Locked[] = [];
    try {
      for (const place of places) {
        const ranges = place.ranges.map(({ start, length }) => ({ start: MEMORY_BASE + start, length }));
        locked.push({ fd: place.open(), ranges });
      }
    } catch (error) {
      for (const { fd } of locked) closeDescriptor(fd);
      throw error;
    }
    const use = new MemoryUse(slot, locked);
    for (const { fd } of locked) whenCollected(use, `use of ${places[0]!.name}`, closing(fd));
    return use;
  }

  /**
   * Takes all of it, or nothing. Waits a moment: those who change a machine have it no longer.
   * @returns what is in the way, if anything is
   */
  take(kind: UseKind, what: string): UseConflict | undefined {
    let conflict: UseConflict | undefined;
    const attempt = (): boolean => {
      conflict = this.#set(kind, 'memory');
      return conflict === undefined;
    };
    if (waitForLock(attempt, what, { lockWaitMs: WAIT_MS })) this.#kind = kind;
    return conflict;
  }

  /** What keeps us from having it alone; nothing is locked by asking. */
  conflict(scope: UseScope, kind: UseKind = 'exclusive'): UseConflict | undefined {
    for (const { fd, range } of this.#all(scope)) {
      if (ofdLockConflict(fd, { ...range, kind })) return { fd, range };
    }
    return undefined;
  }

  /**
   * Has it alone until the returned function is called; our own uses go on.
   * @returns what is in the way instead, if anything is
   */
  takeAlone(scope: UseScope): (() => void) | UseConflict {
    const found = this.conflict(scope) ?? this.#setWhereWritable(scope);
    if (found) return found;
    return () => {
      if (!this.#isClosed) this.#set(this.#kind ?? 'unlock', scope);
    };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    whenClosed(this);
    for (const { fd } of this.#locked) closeDescriptor(fd);
  }

  /** Through a descriptor for reading nothing can be kept exclusively: then only asking is left. */
  #setWhereWritable(scope: UseScope): UseConflict | undefined {
    try {
      return this.#set('exclusive', scope);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EBADF') return undefined;
      throw error;
    }
  }

  #set(kind: UseKind | 'unlock', scope: UseScope): UseConflict | undefined {
    const done: UseConflict[] = [];
    const goBack = (): void => {
      for (const { fd, range } of done) ofdLock(fd, this.#kind ?? 'unlock', range);
    };
    try {
      for (const lock of this.#all(scope)) {
        if (!ofdLock(lock.fd, kind, lock.range)) {
          goBack();
          return lock;
        }
        done.push(lock);
      }
    } catch (error) {
      goBack();
      throw error;
    }
    return undefined;
  }

  *#all(scope: UseScope): Iterable<UseConflict> {
    for (const { fd, ranges } of this.#locked) {
      if (this.#slot) yield { fd, range: this.#slot };
      if (scope === 'memory') for (const range of ranges) yield { fd, range };
    }
  }
}

/** Memory that is open, as a place: opened once more, since such locks belong to a descriptor. */
export function placeIn(
  backing: Pick<Backing, 'fd' | 'name' | 'writable'>,
  ranges: readonly LockRange[],
): UsePlace {
  const { name } = backing;
  const open = (): number => {
    try {
      return fs.openSync(`/proc/self/fd/${backing.fd}`, backing.writable ? 'r+' : 'r');
    } catch (error) {
      throw asDaxError(error, `${name} cannot be marked as in use`, name);
    }
  };
  return { name, ranges, open };
}

/** `pid 4711 (node server.js)`. */
export function conflictText({ fd, range }: UseConflict, patience?: LockPatience): string {
  return lockHoldersText(fd, 'exclusive', range, patience);
}

/** The processes themselves, as far as they can be seen. */
export function conflictHolders({ fd, range }: UseConflict, patience: LockPatience): LockHolder[] {
  return lockHolders(fd, { kind: 'exclusive', ...range }, searchMs(patience));
}

/**
 * Somebody has these bytes in a way that excludes `kind`, under whatever name.
 * @throws DaxError EBUSY naming the process
 */
export function refuseMemoryInUse(place: UsePlace, kind: UseKind, patience: LockPatience): void {
  const use = MemoryUse.open([place]);
  try {
    const conflict = use.conflict('memory', kind);
    if (!conflict) return;
    fail(
      'EBUSY',
      `memory of ${place.name} is in use by ${conflictText(conflict, patience)}: let it end that first`,
      {
        path: place.name,
      },
    );
  } finally {
    use.close();
  }
}
