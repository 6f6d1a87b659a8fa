/**
 * The one loop that waits for a lock. A lock that is held for a moment is free within milliseconds. A lock that stays held may
 * belong to a stopped or a hostile process, so the wait is bounded. It is short by default, because it blocks the event loop.
 * Commands have no event loop to serve and ask for a longer wait. Async callers use waitForLockLater(), which does not block.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { hasCode, throwIfAborted } from './errors.js';
import type { LockRange } from './files.js';
import { describeLockHolders, lockHolders } from './lock-holders.js';
import type { LockTurns } from './lock-turns.js';

/** How long a call waits for a lock that another process has. */
export interface LockPatience {
  /** Milliseconds that a call may wait for a lock that others hold. Default 60; after that EBUSY. */
  lockWaitMs?: number;
  /** Called once, with the name of the lock, when the wait has taken a second. */
  onLockWait?: (what: string) => void;
}

/** Picks the lock options out of an options object. */
export function patienceIn({ lockWaitMs, onLockWait }: LockPatience): LockPatience {
  return { ...(lockWaitMs !== undefined && { lockWaitMs }), ...(onLockWait && { onLockWait }) };
}

/** Together with SEARCH_MS, the search for the holders, this stays below 100 ms. */
const DEFAULT_LOCK_WAIT_MS = 60;
const SEARCH_MS = 35;
const PATIENT_SEARCH_MS = 2000;
/** The default wait of waitForLockLater(). */
const LATER_WAIT_MS = 30_000;
const FIRST_PAUSE_MS = 0.05;
/** When several processes append to a log as fast as they can, its lock is free for microseconds only: pauses must be short. */
const LONGEST_PAUSE_MS = 0.3;
const LONGEST_PATIENT_PAUSE_MS = 2;
const PATIENT_AFTER_MS = 100;
const LONGEST_LATER_PAUSE_MS = 20;
const TELL_AFTER_MS = 1000;
/** A wait of more than some slices of the processor: from now on those who have the lock again and again are told. */
const ENTER_AFTER_MS = 5;
/** A lock that changes hands is no lock of a stopped process. On a busy machine each of its owners may lose the processor while having it. */
const MOST_IN_MOTION_MS = 2000;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Calls `attempt` until it returns true. Blocks this thread with short sleeps, so that signals and the deadline keep working.
 * @param what names the lock, as in "the log of dax0.0"
 * @param since when the wait began (performance.now()), for an attempt that waits itself: its time counts too
 * @param turns of a lock that processes take as fast as they can
 * @returns false when `lockWaitMs` is over, and nobody did anything under the lock in that time
 */
export function waitForLock(
  attempt: () => boolean,
  what: string,
  patience: LockPatience = {},
  { since, turns }: { since?: number; turns?: LockTurns } = {},
): boolean {
  turns?.giveWay();
  if (attempt()) return true;
  try {
    return waitLonger(attempt, what, patience, since, turns);
  } finally {
    turns?.leave();
  }
}

function waitLonger(
  attempt: () => boolean,
  what: string,
  patience: LockPatience,
  since: number | undefined,
  turns: LockTurns | undefined,
): boolean {
  const { lockWaitMs = DEFAULT_LOCK_WAIT_MS, onLockWait } = patience;
  const started = since ?? performance.now();
  let isTold = false;
  let limitMs = lockWaitMs;
  let done = turns?.progress();
  for (let pauseMs = FIRST_PAUSE_MS; ; ) {
    const waited = performance.now() - started;
    const longest = waited < PATIENT_AFTER_MS ? LONGEST_PAUSE_MS : LONGEST_PATIENT_PAUSE_MS;
    pauseMs = Math.min(pauseMs * 1.5, longest);
    if (waited + pauseMs > limitMs) {
      const now = turns?.progress();
      if (Object.is(now, done) || waited > MOST_IN_MOTION_MS) return false; // NaN: the memory is gone
      done = now;
      limitMs = waited + Math.max(lockWaitMs, pauseMs);
    }
    if (waited > ENTER_AFTER_MS) turns?.enter();
    if (!isTold && waited > TELL_AFTER_MS) {
      isTold = true;
      onLockWait?.(what);
    }
    Atomics.wait(sleeper, 0, 0, pauseMs);
    if (attempt()) return true;
  }
}

/**
 * Calls `attempt` until it returns true, without blocking the event loop.
 * @returns false when the time is over (30 s by default)
 * @throws AbortError once the signal is aborted
 */
export async function waitForLockLater(
  attempt: () => boolean,
  {
    signal,
    lockWaitMs = LATER_WAIT_MS,
    turns,
  }: { signal?: AbortSignal; lockWaitMs?: number; turns?: LockTurns | undefined } = {},
): Promise<boolean> {
  const started = performance.now();
  try {
    for (let pauseMs = 1; !attempt(); pauseMs = Math.min(pauseMs * 1.5, LONGEST_LATER_PAUSE_MS)) {
      throwIfAborted(signal);
      const waited = performance.now() - started;
      if (waited > lockWaitMs) return false;
      if (waited > ENTER_AFTER_MS) turns?.enter();
      try {
        await pause(turns ? Math.min(pauseMs, 1) : pauseMs, undefined, signal ? { signal } : {});
      } catch (error) {
        if (!hasCode(error, 'ABORT_ERR')) throw error;
      }
      throwIfAborted(signal);
    }
    return true;
  } finally {
    turns?.leave();
  }
}

/**
 * Names the processes that keep `fd` from a lock, for a message: `pid 4711 (node server.js)`. Where this process does not find
 * them, the text says how to find them.
 * @param patience bounds the search: 35 ms, or 2 s when `lockWaitMs` is above its default
 */
export function lockHoldersText(
  fd: number,
  kind: 'shared' | 'exclusive',
  range: LockRange,
  patience: LockPatience = {},
): string {
  const holders = lockHolders(fd, { kind, ...range }, searchMs(patience));
  return holders.length > 0
    ? describeLockHolders(holders)
    : 'a process that this one does not find (look as root: lslocks, lsof)';
}

/** Milliseconds that a search for the holders of a lock may take. */
export function searchMs({ lockWaitMs = 0 }: LockPatience): number {
  return lockWaitMs > DEFAULT_LOCK_WAIT_MS ? PATIENT_SEARCH_MS : SEARCH_MS;
}
