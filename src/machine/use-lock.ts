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
 * The use lock: tells which process uses which memory, for all processes of this host and whatever name they opened it by
 * (decision 6b).
 * It is an open-file-description lock on the memory's own file or device node, at offsets far beyond its bytes:
 *
 *     2^61 + offset    the memory's own bytes. Mounts and mappings lock them shared; mkfs, take-over, system-ram and the
 *                      removal of the file lock them exclusively. Two regions of one file do not overlap here either.
 *     2^62 + slot      one slot for each device of a machine (a hash of both). Users of the device lock it shared; a change
 *                      of the device's mode, ranges or existence locks it exclusively. Another machine over the same
 *                      memory has other slots: it may disable its device while this machine's is mounted.
 *
 * A shared lock needs read permission, an exclusive lock write permission. The locks lie on the file that is there: using memory
 * makes no file. The kernel drops the locks of a killed process.
 */
const MEMORY_BASE = 2 ** 61;
const SLOT_BASE = 2 ** 62;
/** Offsets this high are doubles, which step by up to 1 KiB: slots have this size, and ranges of memory come in whole pages. */
const SLOT_BYTES = 1024;
/**
 * Milliseconds to wait. A use lasts long, so waiting for its end is pointless. A change lasts only as long as writing
 * machine.json.
 */
const WAIT_MS = 40;

export type UseKind = 'shared' | 'exclusive';
/** What must be unused by others: the device of this machine, or also the memory under it. */
export type UseScope = 'device' | 'memory';

/** The bytes of a file or device that are the memory of a device or region. */
export interface UsePlace {
  readonly name: string;
  readonly ranges: readonly LockRange[];
  /** Opens a descriptor of the memory, used for locks only. The caller closes it. */
  open(): number;
}

/** The lock range that marks a device of a machine as used. It is the same in every process that has this machine open. */
export function slotOf(machine: string, device: string): LockRange {
  const hash = createHash('sha256').update(`${machine} ${device}`).digest();
  return { start: SLOT_BASE + hash.readUIntLE(0, 5) * SLOT_BYTES, length: SLOT_BYTES };
}

interface Locked {
  readonly fd: number;
  readonly ranges: readonly LockRange[];
}

/** A lock of another process that is in the way. */
export interface UseConflict {
  readonly fd: number;
  readonly range: LockRange;
}

/**
 * The locks of one use. One machine object has one of these for all its uses of a device, because locks of one descriptor never
 * conflict with each other. A new object holds no lock.
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

  /** Opens the memory at all places. @throws DaxError as opening the memory */
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
   * Takes all locks or none. Waits up to 40 ms, so that a change by another process can end.
   * @returns the lock that is in the way, if there is one
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

  /** Returns the lock that prevents exclusive use, if there is one. Takes no lock. */
  conflict(scope: UseScope, kind: UseKind = 'exclusive'): UseConflict | undefined {
    for (const { fd, range } of this.#all(scope)) {
      if (ofdLockConflict(fd, { ...range, kind })) return { fd, range };
    }
    return undefined;
  }

  /**
   * Excludes other users until the returned function is called. Uses of this machine object go on.
   * @returns the lock that is in the way, if there is one
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

  /** A descriptor opened for reading cannot take an exclusive lock; then the earlier check for conflicts has to do. */
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

/** A place in memory that is already open. Each use opens it once more, because the locks belong to a descriptor. */
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

/** The processes that have the lock, as far as this process can see them. */
export function conflictHolders({ fd, range }: UseConflict, patience: LockPatience): LockHolder[] {
  return lockHolders(fd, { kind: 'exclusive', ...range }, searchMs(patience));
}

/**
 * Refuses bytes that another process uses in a way that excludes `kind`, whatever name it opened them by.
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
