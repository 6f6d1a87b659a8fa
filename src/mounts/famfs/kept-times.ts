import type { Volume } from '../../famfs/index.js';
import type { Attributes } from './attributes.js';
import type { Names } from './names.js';

/** How long one tick may write times. Requests to the mount wait meanwhile. */
const BURST_MILLISECONDS = 10;

/**
 * Keeps times in the volume. A program that sets times (utimes(2)) wants them kept, so they are. The times of writes and changed
 * directories are kept as soon as the volume has an annex anyway: they alone are no reason to make one. They change with every write,
 * so all wait until an inode has been quiet for as long as new files settle.
 */
export class KeptTimes {
  readonly #volume: Volume;
  readonly #attributes: Attributes;
  readonly #milliseconds: number;
  readonly #report: (error: unknown) => void;
  readonly #caughtUp: () => void;

  constructor(volume: Volume, names: Names, milliseconds: number, report: (error: unknown) => void) {
    this.#volume = volume;
    this.#attributes = names.attributes;
    this.#milliseconds = milliseconds;
    this.#report = report;
    this.#caughtUp = () => names.wrote();
  }

  /** Must be called regularly. */
  tick(): void {
    this.#keepThose((changedAt, now) => now - changedAt >= this.#milliseconds, BURST_MILLISECONDS);
  }

  /** Keeps all of them now. */
  flush(): void {
    this.#keepThose(() => true, Number.POSITIVE_INFINITY);
  }

  /** Keeps those of one inode now, if they are to be kept. */
  keep(ino: number): void {
    const overrides = this.#attributes.knownOf(ino);
    const isWanted = overrides?.areTimesSet === true || this.#volume.inodes.hasAnnex;
    const isKept = isWanted && this.#write(ino);
    this.#attributes.said(ino, isKept);
  }

  #keepThose(isDue: (changedAt: number, now: number) => boolean, milliseconds: number): void {
    const { unsaid } = this.#attributes;
    if (unsaid.size === 0) return;
    const now = Date.now();
    const end = performance.now() + milliseconds;
    for (const [ino, changedAt] of unsaid) {
      if (isDue(changedAt, now)) this.keep(ino);
      if (performance.now() > end) return;
    }
  }

  #write(ino: number): boolean {
    try {
      const shown = this.#volume.inodes.stat(ino);
      if (shown.nlink === 0) return true;
      const { atime, mtime, ctime } = this.#attributes.of(ino, ino, shown);
      this.#volume.inodes.setTimes(ino, { atime, mtime, ctime });
      this.#caughtUp();
      return true;
    } catch (error) {
      this.#report(error);
      return false;
    }
  }
}
