/**
 * Breadth-first search: finds every state within a number of events, and the shortest way to each.
 *
 * The model consists of live objects with private parts, so a state cannot be copied. To reach a state again, its events run on a
 * new world (a few microseconds each). After an event that changes nothing, the same world serves for the next event, so only
 * events with an effect cost a new world.
 */

import { fail } from '../../libc/index.js';
import type { Violation } from '../../mm/index.js';
import { applyEvent, type ExploreEvent } from './operation.js';
import { Events, operationsOf } from './operations/index.js';
import { checkWorld } from './oracle.js';
import { permutationsOf, type Scope } from './scope.js';
import { type StateKey, StateKeys } from './state-key.js';
import { failedButChanged, unseen } from './trace.js';
import { describe, World } from './world.js';

export interface SearchOptions {
  /** Quirk flags (src/dax/quirks.ts). Default: none. */
  readonly quirks?: readonly string[];
  /** Most events in a row. Default 64. */
  readonly maxDepth?: number;
  /** Most milliseconds. Default 60 000. */
  readonly timeBudget?: number;
  /** Most states. Default 16 million (the capacity of a Map). */
  readonly maxStates?: number;
  /** Called after each complete depth. */
  readonly onDepth?: (progress: SearchProgress) => void;
  /** Ends a search by turns at its next turn. */
  readonly signal?: AbortSignal;
  /** Keeps the edges, for graphs of small scopes. Default false. */
  readonly keepEdges?: boolean;
}

export interface SearchProgress {
  /** Every state at most this many events away has been reached and checked. */
  readonly depth: number;
  readonly states: number;
  /** Number of events run. */
  readonly events: number;
  readonly milliseconds: number;
}

export interface FoundViolation {
  /** The shortest event list, without the setup. */
  readonly trace: readonly string[];
  readonly violations: readonly Violation[];
}

export interface Edge {
  readonly from: number;
  readonly to: number;
  readonly event: string;
}

export interface SearchResult extends SearchProgress {
  /** All states were explored. */
  readonly exhausted: boolean;
  /** Why the search ended: all explored, depth reached, out of time or states, a violation, or interrupted. */
  readonly ended: 'exhausted' | 'depth' | 'time' | 'states' | 'violation' | 'interrupted';
  readonly found: FoundViolation | null;
  /** With keepEdges: the state each event led to, without self loops. */
  readonly edges: readonly Edge[];
  /** With keepEdges: a one-line description of each state, by number. */
  readonly labels: readonly string[];
}

const NOBODY = -1;

/** How long a search works before it yields, ms. */
const TURN_MS = 50;

export function search(scope: Scope, options: SearchOptions = {}): SearchResult {
  const steps = searchByTurns(scope, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Like search(), but yields now and then, so that the caller can handle signals. */
export function* searchByTurns(scope: Scope, options: SearchOptions): Generator<void, SearchResult> {
  const steps = new Search(scope, options).run();
  for (;;) {
    const step = withoutStacks(() => steps.next());
    if (step.done) return step.value;
    yield;
  }
}

/** Runs without stack traces. Errors are answers here, a million a minute, and need none. */
function withoutStacks<T>(act: () => T): T {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return act();
  } finally {
    Error.stackTraceLimit = before;
  }
}

class Search {
  readonly #events: Events;
  readonly #setup: readonly ExploreEvent[];
  readonly #quirks: readonly string[];
  readonly #keys = new StateKeys();
  readonly #permutations: readonly (readonly number[])[];
  readonly #seen = new Map<string, number>();
  /** For each state: the state it was reached from, and by which event. */
  readonly #parents: number[] = [];
  readonly #byEvents: number[] = [];
  readonly #edges: Edge[] = [];
  readonly #labels: string[] = [];
  readonly #started = performance.now();
  readonly #deadline: number;
  readonly #maxStates: number;
  #eventsRun = 0;
  #found: FoundViolation | null = null;

  constructor(
    readonly scope: Scope,
    readonly options: SearchOptions,
  ) {
    this.#events = new Events(operationsOf(scope.groups));
    const all = new Events();
    this.#setup = scope.setup.map((text) => all.parse(text));
    this.#quirks = options.quirks ?? [];
    this.#permutations = permutationsOf(scope);
    this.#deadline = this.#started + (options.timeBudget ?? 60_000);
    this.#maxStates = options.maxStates ?? 16_000_000;
  }

  *run(): Generator<void, SearchResult> {
    const maxDepth = this.options.maxDepth ?? 64;
    const root = this.#root();
    this.#label(root);
    let frontier = [this.#record(this.#key(root).whole, NOBODY, 0)];
    const wrong = [...root.takeViolations(), ...checkWorld(root)];
    if (wrong.length > 0) this.#found = { trace: [], violations: wrong };
    let depth = 0;
    let turnEnds = performance.now() + TURN_MS;
    while (this.#found === null && frontier.length > 0 && depth < maxDepth) {
      const next: number[] = [];
      for (const state of frontier) {
        const now = performance.now();
        if (now > this.#deadline) return this.#result(depth, 'time');
        if (now > turnEnds) {
          yield;
          if (this.options.signal?.aborted) return this.#result(depth, 'interrupted');
          turnEnds = performance.now() + TURN_MS;
        }
        if (this.#parents.length > this.#maxStates) return this.#result(depth, 'states');
        this.#expand(state, next);
        if (this.#found !== null) return this.#result(depth, 'violation');
      }
      depth++;
      frontier = next;
      this.options.onDepth?.(this.#progress(depth));
    }
    if (this.#found !== null) return this.#result(depth, 'violation');
    return this.#result(depth, frontier.length === 0 ? 'exhausted' : 'depth');
  }

  /** Runs every event that is possible in a state. New states are checked and added to `next`. */
  #expand(state: number, next: number[]): void {
    const path = this.#path(state);
    let world: World | null = this.#world(path);
    const here = this.#key(world);
    const offered = this.#events.offered(world);
    for (const event of offered) {
      world ??= this.#world(path);
      const errno = applyEvent(world, event);
      this.#eventsRun++;
      const there = this.#key(world);
      const wrong = world.takeViolations();
      if (errno !== null && there.control !== here.control) wrong.push(failedButChanged(event.text, errno));
      if (there.whole !== here.whole) {
        this.#meet(world, there, state, event, wrong, next);
        world = null;
      }
      if (wrong.length > 0) {
        this.#found ??= {
          trace: [...path.map(({ text }) => text), event.text],
          violations: unseen(wrong, new Set()),
        };
        return;
      }
    }
  }

  #meet(
    world: World,
    key: StateKey,
    from: number,
    event: ExploreEvent,
    wrong: Violation[],
    next: number[],
  ): void {
    let to = this.#seen.get(key.whole);
    if (to === undefined) {
      to = this.#record(key.whole, from, event.id);
      this.#label(world);
      wrong.push(...checkWorld(world));
      if (wrong.length === 0) next.push(to);
    }
    if (this.options.keepEdges) this.#edges.push({ from, to, event: event.text });
  }

  #label(world: World): void {
    if (this.options.keepEdges) this.#labels.push(describe(world));
  }

  #record(key: string, parent: number, event: number): number {
    const state = this.#parents.length;
    this.#seen.set(key, state);
    this.#parents.push(parent);
    this.#byEvents.push(event);
    return state;
  }

  /** The world in which the search begins. @throws DaxError EINVAL the scope's setup does not work */
  #root(): World {
    const world = new World(this.scope, this.#quirks);
    for (const event of this.#setup) {
      const errno = applyEvent(world, event);
      if (errno !== null)
        fail('EINVAL', `scope ${this.scope.name}: its setup fails at "${event.text}" (${errno})`);
    }
    return world;
  }

  /** Makes a new world and runs the events of a path on it. */
  #world(path: readonly ExploreEvent[]): World {
    const world = new World(this.scope, this.#quirks);
    for (const event of this.#setup) applyEvent(world, event);
    for (const event of path) applyEvent(world, event);
    if (path.length > 0) world.takeViolations();
    return world;
  }

  #path(state: number): ExploreEvent[] {
    const path: ExploreEvent[] = [];
    for (let at = state; at > 0; at = this.#parents[at]!) path.push(this.#events.byId(this.#byEvents[at]!));
    return path.reverse();
  }

  /**
   * The key of a world. whole: the least over all ways to swap regions that are alike. control: without swapping, so that two
   * moments can be compared.
   */
  #key(world: World): StateKey {
    const { control, whole } = this.#keys.keyOf(world, this.#permutations[0]!);
    let least = whole;
    for (let at = 1; at < this.#permutations.length; at++) {
      const swapped = this.#keys.keyOf(world, this.#permutations[at]!).whole;
      if (swapped < least) least = swapped;
    }
    return { control, whole: least };
  }

  #progress(depth: number): SearchProgress {
    return {
      depth,
      states: this.#parents.length,
      events: this.#eventsRun,
      milliseconds: Math.round(performance.now() - this.#started),
    };
  }

  #result(depth: number, ended: SearchResult['ended']): SearchResult {
    return {
      ...this.#progress(depth),
      exhausted: ended === 'exhausted',
      ended,
      found: this.#found,
      edges: this.#edges,
      labels: this.#labels,
    };
  }
}
