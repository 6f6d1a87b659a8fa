/** How often a mounted famfs is checked even without calls: its views must end when it is formatted anew or its device is gone. */
const WATCH_MS = 50;

/**
 * Starts the timer that checks a mounted famfs. The reference is weak: a dropped one is collected, and its timer stops. The
 * timer does not keep the process alive.
 */
export function watching(mounted: { look(): void }): NodeJS.Timeout {
  const weak = new WeakRef(mounted);
  const timer = setInterval(() => {
    const found = weak.deref();
    if (found) found.look();
    else clearInterval(timer);
  }, WATCH_MS);
  return timer.unref();
}
