import type { ErrorHint } from '../../libc/index.js';

/**
 * One thing wrong (or worth saying) about a medium. `entry` is the log slot it is about, `offset` the
 * device byte where the offending field lies.
 */
export interface Problem {
  /** Stable, kebab-case: programs may test it (`entry-crc`, `extent-range`, ...). */
  code: string;
  message: string;
  entry?: number;
  offset?: number;
  /** What helps against it, as of a DaxError about this device. */
  hint?: ErrorHint;
}

/** A list that a hostile log cannot make endless: the first ones are kept, the rest counted. */
export class ProblemList {
  readonly kept: Problem[] = [];
  /** All that were added, kept or not. */
  total = 0;
  readonly #limit: number;

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  add(problem: Problem): void {
    this.total++;
    if (this.kept.length < this.#limit) this.kept.push(problem);
  }

  /** What was kept, with a last one that counts what was not. */
  toArray(): Problem[] {
    const more = this.total - this.kept.length;
    if (more === 0) return [...this.kept];
    return [...this.kept, { code: 'more', message: `and ${more} more like these` }];
  }
}
