/** Signals that ask a program to end: Ctrl-C, kill, a closed terminal. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Milliseconds in which a second signal counts as part of the first: timeout(1), for example, signals the process and its group.
 */
const SAME_ACT_MS = 500;

/**
 * Returns an abort signal that the first of SIGINT, SIGTERM and SIGHUP aborts. A later signal has its default effect and ends the
 * process at once, for a user who does not want to wait for the clean-up.
 */
export function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  let abortedAt = 0;
  for (const name of ENDING_SIGNALS) {
    const handler = () => {
      if (!controller.signal.aborted) {
        abortedAt = performance.now();
        controller.abort();
      } else if (performance.now() - abortedAt > SAME_ACT_MS) {
        process.removeListener(name, handler);
        process.kill(process.pid, name);
      }
    };
    process.on(name, handler);
  }
  return controller.signal;
}
