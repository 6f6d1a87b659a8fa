import { expect } from 'vitest';

/**
 * How often a property did what it is about. A precondition, an early return or a refusal makes a run do nothing, and a property
 * whose every run does nothing passes: so what was done is counted, and fails below a share.
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

  /** The same share for all that was counted. */
  eachMustReach(share: number): void {
    this.mustReach(Object.fromEntries([...this.#counts.keys()].map((what) => [what, share])));
  }

  /** Of all that was counted, at least its share (above 0, at most 1) was done. Names every one that was not. */
  mustReach(shares: Readonly<Record<string, number>>): void {
    if (process.env.UDAX_TALLY) console.log(this.#counts);
    expect([...this.#counts.keys()].sort(), 'what was tried').toEqual(Object.keys(shares).sort());
    const short = [...this.#counts].filter(([what, { done, tried }]) => done < tried * shares[what]!);
    expect(short.map(([what, { done, tried }]) => `${what}: ${done} of ${tried}`)).toEqual([]);
  }
}
