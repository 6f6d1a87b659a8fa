/** Waiting for the other side of a queue: a short spin, then turns of the event loop, then a millisecond at a time. */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { abortSignal, checkArguments, hasCode, optional, options, throwIfAborted } from '../../libc/index.js';
import type { WaitOptions } from './types.js';

const SPINS = 100;
/** Turns that take a microsecond or two each: the other side answers within them when it is awake. */
const TURNS = 500;
const PAUSE_MS = 1;

/**
 * Resolves when `isReady` answers true.
 * @throws AbortError when the signal is aborted; whatever isReady throws
 */
export async function waitUntil(isReady: () => boolean, signal?: AbortSignal): Promise<void> {
  for (let spin = 0; spin < SPINS; spin++) if (isReady()) return;
  for (let turn = 0; !isReady(); turn++) {
    throwIfAborted(signal);
    if (turn < TURNS) await nextTurn();
    else await pauseUnlessAborted(signal);
  }
}

/** The next turn of the loop says that it was aborted. */
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
