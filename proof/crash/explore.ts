import { nameOf, placeOf } from '../media/caller.js';
import type { MemoryKind } from '../media/traced-backing.js';
import type { Trace, TraceEvent } from '../media/tracer.js';
import { Judge, type Known } from './judge.js';
import { exploreKills } from './kills.js';
import { explorePowerCuts } from './power-cuts.js';
import type { FailureModel, Finding, Scope } from './scope.js';

export interface ExploreOptions {
  seed: number;
  /** Dirty lines up to which every combination is tried. */
  lines: number;
  /** Random memories where there are more. */
  samples: number;
  /** Of the places where a store may tear, every so many-th is tried. */
  everyTear: number;
  /** One failure model alone. */
  model?: FailureModel;
  /** Findings after which to stop; 0 never. */
  enough: number;
  /** Only the image of this name. */
  state?: string;
}

export interface Explored {
  /** Acts of the trace: a crash may come before and after each. */
  points: number;
  stores: number;
  flushes: number;
  fences: number;
  /** Distinct memories that were replayed. */
  images: number;
  /** Memories that were asked for, the same ones again included. */
  asked: number;
  /** Places with more lines than can be tried in every combination: seeded samples there. */
  sampled: number;
  lost: number;
  findings: Finding[];
}

/** Plays every crash of a trace. @param known from the right order, where the trace is a wrong one */
export function explore(
  scope: Scope,
  memory: MemoryKind,
  trace: Trace,
  options: ExploreOptions,
  known?: Known,
): Explored & { known: Known } {
  const judge = new Judge(scope, memory, trace, options, known);
  const { events } = trace;
  const count = (kind: TraceEvent['kind']) => events.filter((event) => event.kind === kind).length;
  try {
    if (options.model !== 'power') exploreKills(trace, judge, options);
    // Memory without power has nothing: there only kills are crashes.
    const sampled =
      memory === 'shared' || options.model === 'kill' ? 0 : explorePowerCuts(trace, judge, options);
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

/** What an act is called in findings. */
export function nameOfAct(event: TraceEvent | undefined): string {
  if (event === undefined) return 'the end';
  if (event.kind === 'mark') return 'the return of the operation';
  if (event.kind === 'fence') return `the fence of ${placeOf(event.caller)}`;
  return `the ${event.kind} of ${event.length} bytes at ${event.at} by ${placeOf(event.caller)}`;
}

/** Flushes of lines that nobody had stored to, by caller. */
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
