/** How often a mounted famfs is checked even without calls: its views must end when it is formatted anew or its device is gone. */
const WATCH_MS = 50;

/** Ends the use of a dropped volume. The reference is weak, so that a dropped machine is collected with its volumes. */
export function leaving(mounted: { leave(): void }): () => void {
  const weak = new WeakRef(mounted);
  return () => weak.deref()?.leave();
}

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
