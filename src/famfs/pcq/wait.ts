/** Waits for the other end of a queue: first a short spin, then turns of the event loop, then pauses of a millisecond. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { abortSignal, checkArguments, hasCode, optional, options, throwIfAborted } from '../../libc/index.js';
import type { WaitOptions } from './types.js';

const SPINS = 100;
/** A turn takes a microsecond or two. The other end answers within this many turns when it is running. */
const TURNS = 500;
const PAUSE_MS = 1;

/**
 * Resolves when `isReady` returns true.
 * @throws AbortError when the signal is aborted; any error that isReady throws
 */
export async function waitUntil(isReady: () => boolean, signal?: AbortSignal): Promise<void> {
  for (let spin = 0; spin < SPINS; spin++) if (isReady()) return;
  for (let turn = 0; !isReady(); turn++) {
    throwIfAborted(signal);
    if (turn < TURNS) await nextTurn();
    else await pauseUnlessAborted(signal);
  }
}

/** Pauses. It ignores an abort, because the next turn of waitUntil() throws the AbortError. */
async function pauseUnlessAborted(signal?: AbortSignal): Promise<void> {
  try {
    await pause(PAUSE_MS, undefined, signal ? { signal } : {});
  } catch (error) {
    if (!hasCode(error, 'ABORT_ERR')) throw error;
  }
}

export const waitOptions = { options: optional(options({ signal: optional(abortSignal) })) };

/** The signal of options, which are checked here, because checkMethods() costs a message half of its time again. */
export function signalOf(method: string, given: WaitOptions | undefined): AbortSignal | undefined {
  if (given === undefined) return undefined;
  checkArguments(method, [given], waitOptions);
  throwIfAborted(given.signal);
  return given.signal;
}
