/** Signals that end a program politely: Ctrl-C, kill, the terminal that was closed. */
export const ENDING_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** One act may signal twice (timeout(1) tells the process and its group): what comes so soon after the first is not a second wish. */
const SAME_ACT_MS = 500;

/**
 * An abort signal that the first of SIGINT, SIGTERM and SIGHUP aborts. One that comes later is what it is for any program:
 * the end at once, for whoever does not want to wait until everything is taken down.
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
