import type { FileTree } from '../media/tree.js';

/** Who was in a session lately is not far behind. */
const LATELY_MS = 5;
/** So many entries are replayed in no time by those who hold the log. */
const FEW_ENTRIES = 100;

/**
 * Replays what others have published before the log is locked. A process that was idle for long, or is new, would else do it under the lock,
 * for tens of milliseconds, while the others wait and may give up.
 */
export class CatchUp {
  readonly #mounted: { readonly tree: FileTree; refresh(): void };
  #at = 0;

  constructor(mounted: { readonly tree: FileTree; refresh(): void }) {
    this.#mounted = mounted;
  }

  /** Before the log is taken. @throws DaxError as MountedFamfs.refresh() */
  before(): void {
    const now = performance.now();
    const { tree } = this.#mounted;
    if (now - this.#at > LATELY_MS && tree.log.nextIndex() - tree.nextIndex > FEW_ENTRIES)
      this.#mounted.refresh();
    this.#at = now;
  }
}
