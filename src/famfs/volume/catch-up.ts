/** Who was in a session lately is not far behind. */
const LATELY_MS = 5;

/**
 * Replays what others have published before the log is locked. A process that was idle for long, or is new, would else do it under the lock,
 * for tens of milliseconds, while the others wait and may give up.
 */
export class CatchUp {
  readonly #mounted: { refresh(): void };
  #at = 0;

  constructor(mounted: { refresh(): void }) {
    this.#mounted = mounted;
  }

  /** Before the log is taken. @throws DaxError as MountedFamfs.refresh() */
  before(): void {
    const now = performance.now();
    if (now - this.#at > LATELY_MS) this.#mounted.refresh();
    this.#at = now;
  }
}
