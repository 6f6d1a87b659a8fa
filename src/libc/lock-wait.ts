/**
 * The one loop that waits for a lock. A lock that is held for a moment is had within milliseconds; one that is not may be held
 * by somebody who was stopped, or who means harm. So the wait is bounded, and short by default: it blocks the
 * event loop. Commands, which have no event loop to keep, ask for more; what can wait without blocking does (waitForLockLater).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { hasCode, throwIfAborted } from './errors.js';
import { describeLockHolders, lockHolders } from './lock-holders.js';

export interface LockPatience {
  /** How long a call may wait for a lock that others hold for a moment, milliseconds. Default 60; then EBUSY. */
  lockWaitMs?: number;
  /** Told once, with what is waited for, when it has taken a second. */
  onLockWait?: (what: string) => void;
}

/** The patience among other options. */
export function patienceIn({ lockWaitMs, onLockWait }: LockPatience): LockPatience {
  return { ...(lockWaitMs !== undefined && { lockWaitMs }), ...(onLockWait && { onLockWait }) };
}

/** With the search for who has the lock this stays below 100 ms. */
const DEFAULT_LOCK_WAIT_MS = 60;
const SEARCH_MS = 35;
const PATIENT_SEARCH_MS = 2000;
/** Of work that waits without blocking. */
const LATER_WAIT_MS = 30_000;
const FIRST_PAUSE_MS = 0.05;
/** A log that several processes append to as fast as they can is free for microseconds only: it wants many looks. */
const LONGEST_PAUSE_MS = 0.3;
const LONGEST_PATIENT_PAUSE_MS = 2;
const PATIENT_AFTER_MS = 100;
const LONGEST_LATER_PAUSE_MS = 20;
const TELL_AFTER_MS = 1000;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Calls `attempt` until it says true. Blocks this thread with short sleeps, so that signals and the deadline keep working.
 * @param what is waited for, as in "the log of dax0.0"
 * @param since when the waiting began, of an attempt that may itself wait: all of it counts
 * @returns false when the time is over
 */
export function waitForLock(
  attempt: () => boolean,
  what: string,
  patience: LockPatience = {},
  since?: number,
): boolean {
  if (attempt()) return true;
  const { lockWaitMs = DEFAULT_LOCK_WAIT_MS, onLockWait } = patience;
  const started = since ?? performance.now();
  let isTold = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; ) {
    const waited = performance.now() - started;
    const longest = waited < PATIENT_AFTER_MS ? LONGEST_PAUSE_MS : LONGEST_PATIENT_PAUSE_MS;
    pauseMs = Math.min(pauseMs * 1.5, longest);
    if (waited + pauseMs > lockWaitMs) return false;
    if (!isTold && waited > TELL_AFTER_MS) {
      isTold = true;
      onLockWait?.(what);
    }
    Atomics.wait(sleeper, 0, 0, pauseMs);
    if (attempt()) return true;
  }
}

/**
 * The same without blocking the event loop.
 * @returns false when the time is over (30 s by default)
 * @throws AbortError once the signal is aborted
 */
export async function waitForLockLater(
  attempt: () => boolean,
  { signal, lockWaitMs = LATER_WAIT_MS }: { signal?: AbortSignal; lockWaitMs?: number } = {},
): Promise<boolean> {
  const deadline = performance.now() + lockWaitMs;
  for (let pauseMs = 1; !attempt(); pauseMs = Math.min(pauseMs * 1.5, LONGEST_LATER_PAUSE_MS)) {
    throwIfAborted(signal);
    if (performance.now() > deadline) return false;
    try {
      await pause(pauseMs, undefined, signal ? { signal } : {});
    } catch (error) {
      if (!hasCode(error, 'ABORT_ERR')) throw error;
    }
    throwIfAborted(signal);
  }
  return true;
}

/** Bytes of a file, for locks: 0 and 0 are all of it. */
export interface LockRange {
  start: number;
  length: number;
}

/**
 * Who keeps `fd` from a lock, for a message: `pid 4711 (node server.js)`; how to find out where this process cannot.
 * @param patience of who asks: the search takes as long as that allows, 35 ms at least
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
    : 'a process that this one cannot see (look as root: lslocks, lsof)';
}

/** How long a search for who has a lock may take. */
export function searchMs({ lockWaitMs = 0 }: LockPatience): number {
  return lockWaitMs > DEFAULT_LOCK_WAIT_MS ? PATIENT_SEARCH_MS : SEARCH_MS;
}
