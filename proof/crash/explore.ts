import { setImmediate as nextTurn } from 'node:timers/promises';
import { nameOf, placeOf } from '../media/caller.js';
import type { MemoryKind } from '../media/traced-backing.js';
import type { Trace, TraceEvent } from '../media/tracer.js';
import { Judge, type Known } from './judge.js';
import { exploreKills } from './kills.js';
import { explorePowerCuts } from './power-cuts.js';
import type { FailureModel, Finding, Scope } from './scope.js';

export interface ExploreOptions {
  seed: number;
  /** All combinations of dirty lines are tried where there are at most 2^lines. */
  lines: number;
  /** Number of random memories where there are more combinations. */
  samples: number;
  /** Of the places where a store may tear, every n-th is tried. */
  everyTear: number;
  /** Only this failure model. */
  model?: FailureModel;
  /** Number of findings after which to stop; 0 never stops. */
  enough: number;
  /** Only the image of this name. */
  state?: string;
}

export interface Explored {
  /** Acts of the trace plus one: a crash may come before and after each act. */
  points: number;
  stores: number;
  flushes: number;
  fences: number;
  /** Distinct memories that were replayed. */
  images: number;
  /** Memories that were checked, repeated ones included. */
  asked: number;
  /** Places with too many combinations to try all, where seeded samples were tried. */
  sampled: number;
  lost: number;
  findings: Finding[];
}

/** Explores every crash of a trace. @param known results of the right order, when the trace is a wrong one */
export async function explore(
  scope: Scope,
  memory: MemoryKind,
  trace: Trace,
  options: ExploreOptions,
  known?: Known,
): Promise<Explored & { known: Known }> {
  const judge = new Judge(scope, memory, trace, options, known);
  const { events } = trace;
  const count = (kind: TraceEvent['kind']) => events.filter((event) => event.kind === kind).length;
  try {
    if (options.model !== 'power') await inTurns(exploreKills(trace, judge, options));
    // This memory loses everything with its power, so only kills count as crashes.
    const sampled =
      memory === 'shared' || options.model === 'kill'
        ? 0
        : await inTurns(explorePowerCuts(trace, judge, options));
    return {
      points: events.length + 1,
      stores: count('store'),
      flushes: count('flush'),
      fences: count('fence'),
      images: judge.images,
      asked: judge.asked,
      sampled,
      lost: judge.lost,
      findings: judge.findings,
      known: judge.known,
    };
  } finally {
    judge.close();
  }
}

/** How many memories are judged between two turns of the event loop. */
const IMAGES_A_TURN = 20;
/** More resident memory than this is collected, but not more often than every so many memories. */
const MOST_RESIDENT_BYTES = 2 ** 30;
const IMAGES_A_COLLECTION = 300;

/**
 * Runs an exploration with turns of the event loop in between. What a weak reference was made to, or followed to, is kept until the
 * turn ends, and that is all of a mounted volume: without turns a long exploration keeps every volume it ever mounted.
 */
async function inTurns<T>(exploration: Generator<void, T>): Promise<T> {
  for (let count = 1; ; count++) {
    const { done, value } = exploration.next();
    if (done) return value;
    if (count % IMAGES_A_TURN === 0) await nextTurn();
    if (count % IMAGES_A_COLLECTION === 0 && process.memoryUsage.rss() > MOST_RESIDENT_BYTES)
      globalThis.gc?.();
  }
}

/** The name of an act in findings. */
export function nameOfAct(event: TraceEvent | undefined): string {
  if (event === undefined) return 'the end';
  if (event.kind === 'mark') return 'the return of the operation';
  if (event.kind === 'fence') return `the fence of ${placeOf(event.caller)}`;
  return `the ${event.kind} of ${event.length} bytes at ${event.at} by ${placeOf(event.caller)}`;
}

/** Flushes of lines without a store since their last flush, by caller. */
export function redundantFlushes({ events }: Trace): { caller: string; lines: number; clean: number }[] {
  const byCaller = new Map<string, { lines: number; clean: number }>();
  for (const event of events) {
    if (event.kind !== 'flush') continue;
    const name = nameOf(event.caller);
    const sum = byCaller.get(name) ?? { lines: 0, clean: 0 };
    sum.lines += event.lines;
    sum.clean += event.clean;
    byCaller.set(name, sum);
  }
  return [...byCaller].filter(([, { clean }]) => clean > 0).map(([caller, sum]) => ({ caller, ...sum }));
}
