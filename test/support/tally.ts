import { expect } from 'vitest';

/**
 * Counts how often a property really did something. A precondition, an early return or a refusal can make a run do nothing, and a
 * property passes when every run does nothing. So the runs that did something are counted, and the test fails when they are too
 * few.
 */
export class Tally {
  readonly #counts = new Map<string, { done: number; tried: number }>();

  /** @returns `isDone` */
  count(what: string, isDone: boolean): boolean {
    const counts = this.#counts.get(what) ?? { done: 0, tried: 0 };
    counts.tried++;
    if (isDone) counts.done++;
    this.#counts.set(what, counts);
    return isDone;
  }

  /** Requires the same share for everything that was counted. */
  eachMustReach(share: number): void {
    this.mustReach(Object.fromEntries([...this.#counts.keys()].map((what) => [what, share])));
  }

  /** Requires that at least the given share (above 0, at most 1) was done. Names everything that fell short. */
  mustReach(shares: Readonly<Record<string, number>>): void {
    if (process.env.UDAX_TALLY) console.log(this.#counts);
    expect([...this.#counts.keys()].sort(), 'what was tried').toEqual(Object.keys(shares).sort());
    const short = [...this.#counts].filter(([what, { done, tried }]) => done < tried * shares[what]!);
    expect(short.map(([what, { done, tried }]) => `${what}: ${done} of ${tried}`)).toEqual([]);
  }
}
