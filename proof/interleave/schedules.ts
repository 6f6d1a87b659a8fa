/** Which schedules are tried: all of a short protocol, all with few switches of a longer one, and random ones. */

/** A and B go on; S: B does, though it waits; a, b: the cache of its host writes back; c, d: it also fetches. */
export type Letter = 'A' | 'B' | 'S' | 'a' | 'b' | 'c' | 'd';

/** One decision of a schedule: who could go on, and who did. */
export interface Decision {
  /** First the one that went on before, when it can. */
  readonly choices: readonly ('A' | 'B')[];
  readonly chosen: Letter;
  /** Whether another choice takes the processor from one that could go on. */
  readonly isPreemption: boolean;
}

/** Says who goes on, given who can. */
export type Chooser = (choices: readonly ('A' | 'B')[], at: number) => Letter;

/** Follows a schedule; behind its end whoever went on before goes on. */
export function following(schedule: readonly Letter[]): Chooser {
  return (choices, at) => schedule[at] ?? choices[0]!;
}

/** A stops after some steps, and stays so until B is done, however it ends. */
export function starving(stepsOfA: number): Chooser {
  return (_choices, at) => (at < stepsOfA ? 'A' : 'S');
}

const CACHE_ACTS: readonly Letter[] = ['a', 'b', 'c', 'd'];
/** How often a random schedule switches, and how often a cache acts by itself. */
const SWITCH = 0.3;
const CACHE_ACT = 0.1;

export function randomly(random: () => number, hasCaches: boolean): Chooser {
  return (choices) => {
    if (hasCaches && random() < CACHE_ACT) return CACHE_ACTS[Math.floor(random() * 4)]!;
    return choices.length > 1 && random() < SWITCH ? choices[1]! : choices[0]!;
  };
}

/** Depth first over all schedules with at most `switches` preemptions, given what each run met. */
export class Enumeration {
  readonly #switches: number;
  #next: Letter[] | undefined = [];

  constructor(switches: number) {
    this.#switches = switches;
  }

  /** The schedule to run next (a prefix: behind it nobody is interrupted); undefined: all were run. */
  get next(): readonly Letter[] | undefined {
    return this.#next;
  }

  /** What the run of `next` met. */
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

/** The most switches whose schedules are no more than `limit`, as a run of these lengths makes expect; Infinity: all of them. */
export function switchesWithin(limit: number, stepsOfA: number, stepsOfB: number): number {
  if (choose(stepsOfA + stepsOfB, stepsOfA) <= limit) return Number.POSITIVE_INFINITY;
  let sum = 2;
  for (let switches = 1; ; switches++) {
    // A switch of one is at any of its steps: they take turns.
    sum += choose(stepsOfA, Math.ceil(switches / 2)) * choose(stepsOfB, Math.floor(switches / 2)) * 2;
    if (sum > limit) return switches - 1;
  }
}

function choose(n: number, k: number): number {
  let result = 1;
  for (let i = 1; i <= Math.min(k, n - k); i++) result = (result * (n - i + 1)) / i;
  return k > n ? 0 : Math.round(result);
}
