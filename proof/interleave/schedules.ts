/** The schedules to try: all of a short protocol, all with few switches of a longer one, and random ones. */

/**
 * A, B: that process continues; S: B continues although it waits; a, b: the cache of its host writes back; c, d: it also fetches.
 */
export type Letter = 'A' | 'B' | 'S' | 'a' | 'b' | 'c' | 'd';

/** One decision of a schedule: the processes that could continue, and the choice. */
export interface Decision {
  /** Begins with the process that continued before, if it still can. */
  readonly choices: readonly ('A' | 'B')[];
  readonly chosen: Letter;
  /** Whether another choice interrupts a process that could continue. */
  readonly isPreemption: boolean;
}

/** Chooses the process that continues, among those that can. */
export type Chooser = (choices: readonly ('A' | 'B')[], at: number) => Letter;

/** Follows a schedule. After its end, the process that continued before continues. */
export function following(schedule: readonly Letter[]): Chooser {
  return (choices, at) => schedule[at] ?? choices[0]!;
}

/** Stops A after some steps, until B has ended in any way. */
export function starving(stepsOfA: number): Chooser {
  return (_choices, at) => (at < stepsOfA ? 'A' : 'S');
}

const CACHE_ACTS: readonly Letter[] = ['a', 'b', 'c', 'd'];
/** Probability that a random schedule switches, and that a cache acts by itself. */
const SWITCH = 0.3;
const CACHE_ACT = 0.1;

export function randomly(random: () => number, hasCaches: boolean): Chooser {
  return (choices) => {
    if (hasCaches && random() < CACHE_ACT) return CACHE_ACTS[Math.floor(random() * 4)]!;
    return choices.length > 1 && random() < SWITCH ? choices[1]! : choices[0]!;
  };
}

/** Enumerates all schedules with at most `switches` preemptions, depth first, using the decisions of each run. */
export class Enumeration {
  readonly #switches: number;
  #next: Letter[] | undefined = [];

  constructor(switches: number) {
    this.#switches = switches;
  }

  /** The schedule to run next; undefined when all were run. It is a prefix: after it no process is interrupted. */
  get next(): readonly Letter[] | undefined {
    return this.#next;
  }

  /** Reports the decisions of the run of `next`. */
  ran(decisions: readonly Decision[]): void {
    const before = preemptionsBefore(decisions);
    for (let at = decisions.length - 1; at >= 0; at--) {
      const { choices, chosen, isPreemption } = decisions[at]!;
      const other = choices[choices.indexOf(chosen as 'A' | 'B') + 1];
      if (other === undefined) continue;
      if (before[at]! + (isPreemption ? 1 : 0) > this.#switches) continue;
      this.#next = [...decisions.slice(0, at).map((decision) => decision.chosen), other];
      return;
    }
    this.#next = undefined;
  }
}

function preemptionsBefore(decisions: readonly Decision[]): number[] {
  let count = 0;
  return decisions.map(({ choices, chosen, isPreemption }) => {
    const before = count;
    if (isPreemption && chosen !== choices[0]) count++;
    return before;
  });
}

/**
 * The most switches that give at most `limit` schedules, estimated for runs of these lengths; Infinity when all schedules fit.
 */
export function switchesWithin(limit: number, stepsOfA: number, stepsOfB: number): number {
  if (choose(stepsOfA + stepsOfB, stepsOfA) <= limit) return Number.POSITIVE_INFINITY;
  let sum = 2;
  for (let switches = 1; ; switches++) {
    // Each switch of a process may come at any of its steps; the processes take turns.
    sum += choose(stepsOfA, Math.ceil(switches / 2)) * choose(stepsOfB, Math.floor(switches / 2)) * 2;
    if (sum > limit) return switches - 1;
  }
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) result = (result * (n - i + 1)) / i;
  return k > n ? 0 : Math.round(result);
}
