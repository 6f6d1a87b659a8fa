/**
 * The output of a run: a table for people, JSON lines for the report. It contains no times, so that two runs give the same bytes.
 */
import type { Row } from './run.js';

const heads = ['operation', 'under', 'points', 'states', 'lost', 'mutants caught', 'redundant flushes'];

/** The first line of the results: see ../README.md for its shape. */
export const resultHead = {
  tool: 'crash',
  title: 'Crashes',
  about:
    'Every crash of an operation between two of its acts (points), every memory or disk that it may leave (states, each replayed and checked), how many ' +
    'lost something, and how many wrong orders of the same operation were found out.',
  command: 'npm run -s crash -- --json > proof/results/crash.json',
  columns: {
    operation: 'operation',
    under: 'under it',
    run: 'run',
    points: 'crash points',
    states: 'states explored',
    lost: 'lost',
    mutants: 'mutants caught',
    redundant: 'redundant flushes, lines',
    command: 'again with',
  },
};

export function jsonOf(row: Row, run: 'long' | 'short'): string {
  const { operation, under, points, states, lost } = row;
  return JSON.stringify({
    operation,
    under,
    run,
    points,
    states,
    lost,
    mutants: caughtOf(row),
    redundant: redundantOf(row),
    command: `npm run crash -- ${operation} --under ${under}`,
    detail: {
      about: row.about,
      stores: row.stores,
      flushes: row.flushes,
      fences: row.fences,
      sampled: row.sampled,
      findings: row.findings,
      mutants: row.mutants.map(({ name, about, caught, states: tried }) => ({
        name,
        about,
        caught,
        states: tried,
      })),
      redundant: row.redundant,
    },
  });
}

function caughtOf({ mutants }: Row): string {
  return mutants.length === 0 ? '-' : `${mutants.filter(({ caught }) => caught).length} of ${mutants.length}`;
}

function redundantOf({ redundant }: Row): number {
  return redundant.reduce((sum, { clean }) => sum + clean, 0);
}

const widths = [16, 7, 7, 8, 6, 15, 18];
const line = (cells: readonly (string | number)[]) =>
  cells
    .map((cell, i) => (i < 2 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!)))
    .join(' ')
    .trimEnd();

export const tableHead = line(heads);

export function tableRow(row: Row): string {
  return line([row.operation, row.under, row.points, row.states, row.lost, caughtOf(row), redundantOf(row)]);
}

/** What a person has to look at: findings, mutants that were not caught, redundant flushes. */
export function remarks(row: Row, mutant?: string): string[] {
  const which = `${row.operation} --under ${row.under}${mutant === undefined ? '' : ` --mutant ${mutant}`}`;
  const found = row.findings.map(
    ({ where, model, state, lines, said }) =>
      `  FINDING in ${row.operation} on ${row.under} (${model}): a crash ${where}\n    ${lines}\n    ${said}\n` +
      `    again: npm run crash -- ${which} --state ${state}`,
  );
  const missed = row.mutants
    .filter(({ caught }) => !caught)
    .map(
      ({ name, about }) =>
        `  MISSED in ${row.operation} on ${row.under}: the mutant ${name} (${about}) was not found out`,
    );
  const flushes = row.redundant.map(
    ({ caller, lines, clean }) =>
      `  slow: ${caller} flushes ${lines} lines, ${clean} of which nobody had stored to (${row.operation}, ${row.under})`,
  );
  return [...found, ...missed, ...flushes];
}
