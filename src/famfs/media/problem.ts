import type { ErrorHint } from '../../libc/index.js';

/**
 * One finding about a medium: an error or a note. `entry` is the log slot it concerns, `record` the record of the annex. `offset`
 * is the device byte of the field in question.
 */
export interface Problem {
  /** A stable kebab-case code that programs may test (`entry-crc`, `extent-range`, ...). */
  code: string;
  message: string;
  entry?: number;
  record?: number;
  offset?: number;
  /** The remedy, as in a DaxError about this device. */
  hint?: ErrorHint;
}

/** A bounded list of problems. It keeps the first ones and counts the rest, so a hostile log cannot make it endless. */
export class ProblemList {
  readonly kept: Problem[] = [];
  /** How many problems were added, kept or not. */
  total = 0;
  readonly #limit: number;

  constructor(limit = 1000) {
    this.#limit = limit;
  }

  add(problem: Problem): void {
    this.total++;
    if (this.kept.length < this.#limit) this.kept.push(problem);
  }

  /** The kept problems. When some were not kept, one more problem at the end tells how many. */
  toArray(): Problem[] {
    const more = this.total - this.kept.length;
    if (more === 0) return [...this.kept];
    return [...this.kept, { code: 'more', message: `and ${more} more like these` }];
  }
}
