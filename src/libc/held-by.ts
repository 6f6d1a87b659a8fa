import fs from 'node:fs';
import { hasCode } from './errors.js';
import {
  describeLockHolders,
  holdsLock,
  type LockHolder,
  lockHolders,
  type WantedLock,
} from './lock-holders.js';
import { DEFAULT_LOCK_WAIT_MS, type LockPatience } from './lock-patience.js';

const SEARCH_MS = 35;
const PATIENT_SEARCH_MS = 2000;
/** An error that follows a wait names those whom the end of the wait has found. */
const FRESH_MS = 100;
/** A lock that changes hands during the search is nobody's who is found. So it is looked at again, so often in one wait. */
const MOST_MISSES = 3;
/** Looks of one wait follow each other sooner than that. */
const SAME_WAIT_MS = 1000;

/** Milliseconds that a search for the holders of a lock may take. */
export function searchMs({ lockWaitMs = 0 }: LockPatience): number {
  return lockWaitMs > DEFAULT_LOCK_WAIT_MS ? PATIENT_SEARCH_MS : SEARCH_MS;
}

/**
 * Those who keep `fd` from one lock: what a wait for it asks when its time is over, and its error names.
 * They are searched for 35 ms, or 2 s where `lockWaitMs` is above its default.
 */
export class HeldBy {
  readonly #fd: number;
  readonly #wanted: WantedLock;
  readonly #patience: () => LockPatience;
  #found: LockHolder[] = [];
  #foundAt = Number.NEGATIVE_INFINITY;
  #misses = 0;

  constructor(fd: number, wanted: WantedLock, patience: () => LockPatience = () => ({})) {
    this.#fd = fd;
    this.#wanted = wanted;
    this.#patience = patience;
  }

  /**
   * Whether one of them is at work at this moment: runs, waits for a processor, or for a disk. Then the lock belongs to nobody who is
   * stopped or sleeps, however long it takes. Where nobody is found, or who sleeps has the lock no more, that may be so too: three times.
   */
  isAtWork(): boolean {
    if (performance.now() - this.#foundAt > SAME_WAIT_MS) this.#misses = 0;
    this.#search();
    if (this.#found.some(({ pid }) => isAtWork(pid))) return true;
    // Who takes a lock again and again is found with it, and sleeps a moment later, because another has it.
    if (this.#found.some(({ pid }) => holdsLock(pid, this.#fd, this.#wanted))) return false;
    return ++this.#misses <= MOST_MISSES;
  }

  /** The lock has changed hands meanwhile: that nobody was found before says nothing about who has it now. */
  moved(): void {
    this.#misses = 0;
  }

  /** `pid 4711 (node server.js)`. Where this process finds nobody, the text says how to find them. */
  text(): string {
    if (this.#found.length === 0 || performance.now() - this.#foundAt > FRESH_MS) this.#search();
    return this.#found.length > 0
      ? describeLockHolders(this.#found)
      : 'a process that this one does not find (look as root: lslocks, lsof)';
  }

  #search(): void {
    this.#found = lockHolders(this.#fd, this.#wanted, searchMs(this.#patience()));
    this.#foundAt = performance.now();
  }
}

/** Whether a thread of a process, other than the one that asks, is in state R or D (proc(5)). */
function isAtWork(pid: number): boolean {
  try {
    const asking = pid === process.pid ? fs.readlinkSync('/proc/thread-self').split('/').at(-1) : undefined;
    return fs.readdirSync(`/proc/${pid}/task`).some((thread) => {
      if (thread === asking) return false;
      const stat = fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // The command may hold spaces and parentheses: look behind the last one.
      return /^[RD]/.test(stat.slice(stat.lastIndexOf(')') + 2));
    });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EMFILE', 'ENFILE')) return false;
    throw error;
  }
}

/** Names the processes that keep `fd` from a lock, for a message. */
export function lockHoldersText(
  fd: number,
  kind: 'shared' | 'exclusive',
  range: Omit<WantedLock, 'kind'>,
  patience: LockPatience = {},
): string {
  return new HeldBy(fd, { kind, ...range }, () => patience).text();
}
