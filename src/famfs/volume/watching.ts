/** How often a mounted file system is looked at when nobody calls: views of one that is no more must end. */
const WATCH_MS = 50;

/** Weak: a mounted file system that was dropped is collected, and its clock stops. Keeps no process alive. */
export function watching(mounted: { look(): void }): NodeJS.Timeout {
  const weak = new WeakRef(mounted);
  const timer = setInterval(() => {
    const found = weak.deref();
    if (found) found.look();
    else clearInterval(timer);
  }, WATCH_MS);
  return timer.unref();
}
