/** `udax explore` as a function: it returns the output and the exit status. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fail } from '../../libc/index.js';
import { drawGraph, type GraphFormat, MOST_GRAPH_STATES } from './graph.js';
import { type Mutant, mutantsNamed } from './mutants.js';
import {
  type Asked,
  againText,
  type MutantOutcome,
  renderList,
  renderMutants,
  renderSearch,
  renderTrace,
} from './render.js';
import { changedScope, type Scope, type ScopeChanges, scopeNamed } from './scope.js';
import { type SearchProgress, type SearchResult, search, searchByTurns } from './search.js';
import { emitShell } from './shell/emit.js';
import { parseTrace, runTrace } from './trace.js';

export interface ExploreOptions {
  /** --scope: a named scope (`--list` shows them). Default: `default`, or the scope in which the mutant shows. */
  scope?: string;
  /** --devices: number of regions with one device each, 1 to 8. Default: the scope's. */
  devices?: number;
  /** --drivers: modules that can be loaded (device_dax, fsdev_dax, kmem). Default: the scope's. */
  drivers?: readonly string[];
  /** --depth: most events in a row. Default: as many as the time allows. */
  depth?: number;
  /** --time: most seconds to search (for each mutant). Default 60. */
  time?: number;
  /** --mutant: turn on one bug of real code, or with `all` each of them in turn. */
  mutant?: string;
  /** --trace: run these events ("insmod fsdev_dax; unbind ...") instead of a search. */
  trace?: string;
  /** --emit-shell: print the trace (given, or found) as a shell script for a real /sys. */
  emitShell?: boolean;
  /** --dot or --mermaid: draw the states and events up to --depth (default 2). */
  graph?: GraphFormat;
  /** --list: scopes, events and mutants. */
  list?: boolean;
  /** --json: one JSON document instead of text. */
  json?: boolean;
  /** Called after each complete depth, for a progress line on stderr. */
  onProgress?: (progress: SearchProgress) => void;
  /** Ends an exploreLater() early. The result is what was found so far. */
  signal?: AbortSignal;
}

export interface ExploreCommandResult {
  /**
   * Status 0: no violation; with --mutant: every mutant was caught; --emit-shell, graph, list: printed.
   * Status 1: a violation; with --mutant: one was not caught; --emit-shell: there was nothing to print. Status 130: interrupted.
   */
  exitCode: 0 | 1 | 130;
  /** Text for stdout, without the last newline. */
  output: string;
}

/**
 * Searches the bus model for broken invariants, or runs one trace.
 * @throws DaxError EINVAL for an unknown scope, mutant, driver or event, numbers out of range, options that exclude each other
 */
export function exploreCommand(options: ExploreOptions = {}): ExploreCommandResult {
  const steps = exploring(options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Like exploreCommand(), but lets the event loop run in between, so that a signal is noticed. */
export async function exploreLater(options: ExploreOptions): Promise<ExploreCommandResult> {
  const steps = exploring(options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await nextTurn();
  }
}

type Exploring<T = ExploreCommandResult> = Generator<void, T>;

function* exploring(options: ExploreOptions): Exploring {
  if (options.list) return { exitCode: 0, output: renderList() };
  checkNumbers(options);
  if (options.mutant !== undefined) return yield* exploreMutants(options, mutantsNamed(options.mutant));
  const asked = { scope: scopeOf(options), changes: changesText(options), mutant: null };
  if (options.trace !== undefined) return traceCommand(options, asked);
  if (options.graph !== undefined) return graphCommand(options, asked, options.graph);
  return yield* searchCommand(options, asked);
}

function* searchCommand(options: ExploreOptions, asked: Asked): Exploring {
  const { depths, result } = yield* searched(options, asked);
  if (options.emitShell) return shellCommand(asked, result);
  const exitCode = result.ended === 'interrupted' ? 130 : result.found === null ? 0 : 1;
  if (!options.json) return { exitCode, output: renderSearch(asked, depths, result) };
  return { exitCode, output: json({ ...describeAsked(asked), depths, ...resultJson(asked, result) }) };
}

function* exploreMutants(options: ExploreOptions, chosen: readonly Mutant[]): Exploring {
  const one = chosen.length === 1 ? chosen[0]! : null;
  if (one !== null && options.trace !== undefined) return traceCommand(options, askedFor(options, one));
  if (one !== null && options.graph !== undefined)
    return graphCommand(options, askedFor(options, one), options.graph);
  if (one === null && (options.trace !== undefined || options.graph !== undefined || options.emitShell))
    fail(
      'EINVAL',
      "mutant 'all' can only be searched for: name one mutant for a trace, a shell script or a graph",
    );
  const outcomes: (MutantOutcome & { depths: SearchProgress[] })[] = [];
  for (const mutant of chosen) {
    outcomes.push({ mutant, ...(yield* searched(options, askedFor(options, mutant))) });
    if (options.signal?.aborted) break;
  }
  if (one !== null && options.emitShell) return shellCommand(askedFor(options, one), outcomes[0]!.result);
  const isCut = outcomes.at(-1)!.result.ended === 'interrupted';
  const exitCode = isCut ? 130 : outcomes.every(({ result }) => result.found !== null) ? 0 : 1;
  if (options.json)
    return { exitCode, output: json(outcomes.map((outcome) => mutantJson(options, outcome))) };
  if (one === null) return { exitCode, output: renderMutants(outcomes) };
  const { depths, result } = outcomes[0]!;
  return { exitCode, output: renderSearch(askedFor(options, one), depths, result) };
}

function traceCommand(options: ExploreOptions, asked: Asked): ExploreCommandResult {
  const events = parseTrace(options.trace ?? '');
  const steps = runTrace(asked.scope, quirksOf(asked), events);
  const violations = steps.flatMap((step) => step.violations);
  if (options.emitShell) {
    const about = [headline(asked), ...violations.map(({ invariant, text }) => `${invariant}: ${text}`)];
    return { exitCode: 0, output: emitShell(asked.scope, events, { about }).trimEnd() };
  }
  const exitCode = violations.length === 0 ? 0 : 1;
  return { exitCode, output: options.json ? json({ ...describeAsked(asked), steps }) : renderTrace(steps) };
}

function shellCommand(asked: Asked, { found }: SearchResult): ExploreCommandResult {
  if (found === null) return { exitCode: 1, output: '# nothing was found: there is no trace to print' };
  const about = [headline(asked), ...found.violations.map(({ invariant, text }) => `${invariant}: ${text}`)];
  return { exitCode: 0, output: emitShell(asked.scope, found.trace, { about }).trimEnd() };
}

function graphCommand(options: ExploreOptions, asked: Asked, format: GraphFormat): ExploreCommandResult {
  const result = search(asked.scope, {
    quirks: quirksOf(asked),
    maxDepth: options.depth ?? 2,
    maxStates: MOST_GRAPH_STATES,
    keepEdges: true,
  });
  return { exitCode: 0, output: drawGraph(result, format) };
}

function* searched(
  options: ExploreOptions,
  asked: Asked,
): Exploring<{ depths: SearchProgress[]; result: SearchResult }> {
  const depths: SearchProgress[] = [];
  const result = yield* searchByTurns(asked.scope, {
    quirks: quirksOf(asked),
    ...(options.depth === undefined ? {} : { maxDepth: options.depth }),
    ...(options.time === undefined ? {} : { timeBudget: options.time * 1000 }),
    ...(options.signal && { signal: options.signal }),
    onDepth: (progress) => {
      depths.push(progress);
      options.onProgress?.(progress);
    },
  });
  return { depths, result };
}

function askedFor(options: ExploreOptions, mutant: Mutant): Asked {
  const scope = options.scope === undefined ? mutant.scope : scopeNamed(options.scope);
  return {
    scope: changedScope(scope, changesOf(options)),
    changes: changesText(options),
    mutant: mutant.flag,
  };
}

function scopeOf(options: ExploreOptions): Scope {
  return changedScope(scopeNamed(options.scope ?? 'default'), changesOf(options));
}

function changesOf({ devices, drivers }: ExploreOptions): ScopeChanges {
  return { ...(devices === undefined ? {} : { devices }), ...(drivers === undefined ? {} : { drivers }) };
}

function changesText({ devices, drivers }: ExploreOptions): string {
  const first = devices === undefined ? '' : ` --devices ${devices}`;
  return `${first}${drivers === undefined ? '' : ` --drivers ${drivers.join(',')}`}`;
}

function quirksOf({ mutant }: Asked): string[] {
  return mutant === null ? [] : [mutant];
}

function headline({ scope, mutant }: Asked): string {
  return `udax explore: scope ${scope.name}${mutant === null ? '' : `, mutant ${mutant}`}`;
}

function checkNumbers({ depth, time }: ExploreOptions): void {
  if (depth !== undefined && !(Number.isInteger(depth) && depth >= 0))
    fail('EINVAL', `depth ${depth} is no number of events`);
  if (time !== undefined && !(time > 0)) fail('EINVAL', `time ${time} is no number of seconds`);
}

function describeAsked({ scope, mutant }: Asked) {
  return {
    scope: scope.name,
    devices: scope.regions.length,
    drivers: scope.drivers,
    setup: scope.setup,
    mutant,
  };
}

function resultJson(asked: Asked, { edges: _, labels: __, ...result }: SearchResult) {
  return { ...result, ...(result.found === null ? {} : { again: againText(asked, result.found.trace) }) };
}

function mutantJson(options: ExploreOptions, { mutant, result }: MutantOutcome) {
  const asked = askedFor(options, mutant);
  const { flag, kind, invariant, about } = mutant;
  return {
    flag,
    kind,
    invariant,
    about,
    caught: result.found !== null,
    ...describeAsked(asked),
    ...resultJson(asked, result),
  };
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
