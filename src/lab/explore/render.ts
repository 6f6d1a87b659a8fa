/** Text output: finished depths, violations with their traces, and mutants one by one. */

import { INVARIANTS } from '../../dax/index.js';
import type { Violation } from '../../mm/index.js';
import { type Mutant, mutants } from './mutants.js';
import { OPERATIONS } from './operations/index.js';
import { SCOPES, type Scope } from './scope.js';
import type { FoundViolation, SearchProgress, SearchResult } from './search.js';
import type { TraceStep } from './trace.js';

/** The parameters of a search, for the line that repeats them. */
export interface Asked {
  readonly scope: Scope;
  /** --devices and --drivers as given. */
  readonly changes: string;
  readonly mutant: string | null;
}

function renderDepths(depths: readonly SearchProgress[]): string[] {
  return [
    row('depth', 'states', 'events', 'seconds'),
    ...depths.map(({ depth, states, events, milliseconds }) =>
      row(String(depth), String(states), String(events), (milliseconds / 1000).toFixed(2)),
    ),
  ];
}

export function renderSearch(asked: Asked, depths: readonly SearchProgress[], result: SearchResult): string {
  const { scope, mutant } = asked;
  return [
    `scope ${scope.name}: ${scope.about}`,
    ...(mutant === null ? [] : [`mutant ${mutant}`]),
    ...(depths.length === 0 ? [] : renderDepths(depths)),
    summary(result),
    ...(result.found === null ? ['no invariant broken (I1-I6, I10-I12)'] : renderFound(asked, result.found)),
  ].join('\n');
}

function summary({ states, events, depth, milliseconds, ended }: SearchResult): string {
  const how = {
    exhausted: 'that is every state there is',
    depth: `every state up to depth ${depth}`,
    time: `out of time; every state up to depth ${depth}`,
    states: `out of room; every state up to depth ${depth}`,
    interrupted: `interrupted; every state up to depth ${depth}`,
    violation: `stopped at a violation; nothing is wrong up to depth ${depth}`,
  }[ended];
  return `${states} states, ${events} events, ${(milliseconds / 1000).toFixed(2)} s: ${how}`;
}

function renderFound(asked: Asked, { trace, violations }: FoundViolation): string[] {
  return [
    ...violations.map(violationText),
    trace.length === 0 ? 'in the state the search begins in' : `after ${counted(trace.length, 'event')}:`,
    ...asked.scope.setup.map((event) => `  (setup) ${event}`),
    ...trace.map((event) => `  ${event}`),
    `again: ${againText(asked, trace)}`,
  ];
}

/** The command that runs a trace again. */
export function againText({ scope, changes, mutant }: Asked, trace: readonly string[]): string {
  const with_ = mutant === null ? '' : ` --mutant ${mutant}`;
  return `udax explore --scope ${scope.name}${changes}${with_} --trace "${trace.join('; ')}"`;
}

export function renderTrace(steps: readonly TraceStep[]): string {
  const lines = steps.flatMap(({ event, errno, violations, drivers }) => [
    `${event}: ${errno ?? 'ok'}   [${driversText(drivers)}]`,
    ...violations.map((violation) => `  ${violationText(violation)}`),
  ]);
  const broken = steps.some(({ violations }) => violations.length > 0);
  return [...lines, broken ? 'invariants were broken' : 'no invariant broken'].join('\n');
}

export interface MutantOutcome {
  readonly mutant: Mutant;
  readonly result: SearchResult;
}

export function renderMutants(outcomes: readonly MutantOutcome[]): string {
  const lines = outcomes.flatMap(({ mutant, result }) => {
    const { found } = result;
    const cost = `${result.states} states, ${result.milliseconds} ms`;
    const name = mutant.flag.padEnd(29);
    if (found === null)
      return [`${name} ${result.ended === 'interrupted' ? 'interrupted' : 'SURVIVED'} (${cost})`];
    return [
      `${name} ${named(mutant, found)} (${cost})`,
      `  ${found.trace.join('; ')}`,
      `  ${firstText(mutant, found)}`,
    ];
  });
  const caught = outcomes.filter(({ result }) => result.found !== null).length;
  return [...lines, `${caught} of ${counted(outcomes.length, 'mutant')} caught`].join('\n');
}

function named({ invariant }: Mutant, { trace }: FoundViolation): string {
  return `caught by ${invariant} after ${counted(trace.length, 'event')}`;
}

/** The violation of the mutant's invariant, else the first one. */
function firstText({ invariant }: Mutant, { violations }: FoundViolation): string {
  return violationText(violations.find((violation) => violation.invariant === invariant) ?? violations[0]!);
}

/** `--list`. */
export function renderList(): string {
  return [
    'scopes:',
    ...SCOPES.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`),
    'events:',
    ...OPERATIONS.map(({ name, words }) => `  ${name} ${words}`),
    'invariants (docs/design.md):',
    ...Object.entries(INVARIANTS).map(([name, about]) => `  ${name.padEnd(4)} ${about}`),
    'mutants:',
    ...mutants().map(
      ({ flag, invariant, about, scope }) =>
        `  ${flag.padEnd(29)} ${invariant.padEnd(4)} ${about} (scope ${scope.name})`,
    ),
  ].join('\n');
}

function violationText({ invariant, text }: Violation): string {
  return `${invariant}: ${text}`;
}

function driversText(drivers: Readonly<Record<string, string | null>>): string {
  return Object.entries(drivers)
    .map(([device, driver]) => `${device}=${driver ?? 'none'}`)
    .join(' ');
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function row(...cells: readonly string[]): string {
  return cells.map((cell, at) => cell.padStart(at === 0 ? 7 : 11)).join('');
}
