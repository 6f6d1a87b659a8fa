/** Together with the search for the holders (held-by.ts) this stays below 100 ms. */
export const DEFAULT_LOCK_WAIT_MS = 60;

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
