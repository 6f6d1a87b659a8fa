import { whenClosed, whenCollected } from '../../libc/index.js';

/** Keeps a view mapped over close() of its file and volume. Made by VolumeFile.pin(); `using` releases it. */
export class ViewPin {
  #release: (() => void) | undefined;

  /** @param release must not reach the pin: one that is dropped is released by the collector */
  constructor(what: string, release: () => void) {
    this.#release = release;
    whenCollected(this, what, release);
  }

  /** False once it was released. */
  get held(): boolean {
    return this.#release !== undefined;
  }

  /** The view may end from now on. Idempotent. */
  release(): void {
    const release = this.#release;
    if (release === undefined) return;
    this.#release = undefined;
    whenClosed(this);
    release();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
