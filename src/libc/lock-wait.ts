/**
 * The one loop that waits for a lock. A lock that is held for a moment is free within milliseconds. A lock that stays held may
 * belong to a stopped or a hostile process, so the wait is bounded. It is short by default, because it blocks the event loop.
 * Commands have no event loop to serve and ask for a longer wait. Async callers use waitForLockLater(), which does not block.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { hasCode, throwIfAborted } from './errors.js';
import type { HeldBy } from './held-by.js';
import { DEFAULT_LOCK_WAIT_MS, type LockPatience } from './lock-patience.js';
import type { LockTurns } from './lock-turns.js';

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
/** A lock that changes hands, or whose owner is at work, is no lock of a stopped process. On a busy machine each may lose the processor with it. */
const MOST_IN_MOTION_MS = 2000;
/** A thread of an owner that has just been stopped, or has gone to sleep, may run for another moment: so it is looked at again soon. */
const AT_WORK_MS = 30;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

export interface WaitOptions {
  since?: number;
  turns?: LockTurns;
  heldBy?: HeldBy;
}

/**
 * Calls `attempt` until it returns true. Blocks this thread with short sleeps, so that signals and the deadline keep working.
 * @param what names the lock, as in "the log of dax0.0"
 * @param since when the wait began (performance.now()), for an attempt that waits itself: its time counts too
 * @param turns of a lock that processes take as fast as they can
 * @param heldBy who has the lock. While they are at work the wait goes on, for 2 s at most
 * @returns false when `lockWaitMs` is over, and nobody did anything under the lock in that time
 */
export function waitForLock(
  attempt: () => boolean,
  what: string,
  patience: LockPatience = {},
  how: WaitOptions = {},
): boolean {
  const { turns } = how;
  turns?.giveWay();
  if (attempt()) return true;
  try {
    return waitLonger(attempt, what, patience, how);
  } finally {
    turns?.leave();
  }
}

function waitLonger(
  attempt: () => boolean,
  what: string,
  patience: LockPatience,
  { since, turns, heldBy }: WaitOptions,
): boolean {
  const { lockWaitMs = DEFAULT_LOCK_WAIT_MS, onLockWait } = patience;
  const started = since ?? performance.now();
  let isTold = false;
  let limitMs = lockWaitMs;
  let done = turns?.progress();
  const hasMoved = () => !Object.is(turns?.progress(), done); // NaN: the memory is gone
  let isInMotion = false;
  for (let pauseMs = FIRST_PAUSE_MS; ; ) {
    const waited = performance.now() - started;
    // Who has it again and again leaves it alone for a moment only.
    const isSoonFree = waited < PATIENT_AFTER_MS || isInMotion;
    const longest = isSoonFree ? LONGEST_PAUSE_MS : LONGEST_PATIENT_PAUSE_MS;
    pauseMs = Math.min(pauseMs * 1.5, longest);
    if (waited + pauseMs > limitMs) {
      if (waited > MOST_IN_MOTION_MS) return false;
      isInMotion = hasMoved();
      if (!isInMotion && !heldBy?.isAtWork()) {
        // The search takes time: during it the lock may have gone from hand to hand, or have become free.
        isInMotion = hasMoved();
        if (!isInMotion) return heldBy !== undefined && attempt();
      }
      if (isInMotion) heldBy?.moved();
      done = turns?.progress();
      limitMs = performance.now() - started + (isInMotion ? Math.max(lockWaitMs, pauseMs) : AT_WORK_MS);
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
