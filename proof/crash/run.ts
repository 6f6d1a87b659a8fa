/** Runs operations with all their crashes and mutants, one row each. */
import { exploreFiles, type FileScope, traceFiles } from '../files/explore-files.js';
import { type MemoryKind, memoryKinds } from '../media/traced-backing.js';
import { type Explored, type ExploreOptions, explore, redundantFlushes } from './explore.js';
import { seedOf } from './random.js';
import type { Finding, Scope, Trace } from './scope.js';
import { scopes } from './scopes/index.js';
import { machineScopes } from './scopes/machines.js';
import { traceScope } from './trace-scope.js';

/** What an operation works on: memory of a kind, or the files of a state directory. */
export type Under = MemoryKind | 'files';

export interface RunOptions extends Omit<ExploreOptions, 'enough'> {
  /** How many initial volumes to try. */
  variants: number;
  under?: Under;
  /** Run this mutant instead of the right order, and report all its findings. */
  mutant?: string;
}

export const longRun = { lines: 12, samples: 300, everyTear: 1, variants: 2 };
export const shortRun = { lines: 4, samples: 4, everyTear: 12, variants: 1 };

export interface MutantRow {
  name: string;
  about: string;
  caught: boolean;
  /** Memories that were replayed until it was caught. */
  states: number;
  finding: Finding | null;
}

export interface Row {
  operation: string;
  under: Under;
  about: string;
  points: number;
  stores: number;
  flushes: number;
  fences: number;
  states: number;
  sampled: number;
  lost: number;
  findings: Finding[];
  mutants: MutantRow[];
  redundant: { caller: string; lines: number; clean: number }[];
}

export interface Operation {
  name: string;
  about: string;
  under: readonly Under[];
  mutants: readonly { name: string; about: string; under: Under }[];
  run(under: Under, options: RunOptions): Promise<Row>;
}

export const operations: readonly Operation[] = [...scopes.map(onMemory), ...machineScopes.map(onFiles)];

function onMemory(scope: Scope): Operation {
  return {
    name: scope.name,
    about: scope.about,
    under: memoryKinds.filter((kind) => scope.memories.includes(kind)),
    mutants: scope.mutants.map(({ name, about, memory }) => ({ name, about, under: memory })),
    async run(under, options) {
      const memory = under as MemoryKind;
      const seed = seedOf(options.seed, `${scope.name} ${under}`);
      if (options.mutant !== undefined) return oneMutant(scope, memory, { ...options, seed });
      const parts: Awaited<ReturnType<typeof explore>>[] = [];
      let first: Trace | undefined;
      for (let variant = 0; variant < options.variants; variant++) {
        const trace = await traceScope(scope, memory, variant);
        first ??= trace;
        parts.push(await explore(scope, memory, trace, { ...options, seed: seed + variant, enough: 0 }));
      }
      const mutants: MutantRow[] = [];
      for (const mutant of scope.mutants) {
        if (mutant.memory !== memory || options.state !== undefined) continue;
        const changed = { base: first!.base, events: mutant.change(first!.events) };
        const found = await explore(scope, memory, changed, { ...options, seed, enough: 1 }, parts[0]!.known);
        mutants.push(mutantRow(mutant, found));
      }
      return rowOf(scope, under, parts, mutants, redundantFlushes(first!));
    },
  };
}

async function oneMutant(scope: Scope, memory: MemoryKind, options: RunOptions): Promise<Row> {
  const mutant = scope.mutants.find(({ name }) => name === options.mutant)!;
  const trace = await traceScope(scope, memory, 0);
  const right = await explore(scope, memory, trace, {
    ...options,
    enough: 1,
    lines: 0,
    samples: 0,
    everyTear: 1e9,
  });
  const changed = { base: trace.base, events: mutant.change(trace.events) };
  return rowOf(
    scope,
    memory,
    [await explore(scope, memory, changed, { ...options, enough: 0 }, right.known)],
    [],
    [],
  );
}

function onFiles(scope: FileScope): Operation {
  return {
    name: scope.name,
    about: scope.about,
    under: ['files'],
    mutants: scope.mutants.map(({ name, about }) => ({ name, about, under: 'files' as const })),
    run(under, options) {
      const trace = traceFiles(scope);
      const seed = seedOf(options.seed, scope.name);
      const found = exploreFiles(scope, trace, { ...options, seed, enough: 0 });
      const run = (mutant: FileScope['mutants'][number], enough: number) =>
        exploreFiles(
          scope,
          { ...trace, events: mutant.change(trace.events) },
          { ...options, seed, enough },
          found.known,
        );
      if (options.mutant !== undefined) {
        const mutant = scope.mutants.find(({ name }) => name === options.mutant)!;
        return Promise.resolve(rowOf(scope, under, [run(mutant, 0)], [], []));
      }
      const mutants =
        options.state === undefined ? scope.mutants.map((mutant) => mutantRow(mutant, run(mutant, 1))) : [];
      return Promise.resolve(rowOf(scope, under, [found], mutants, []));
    },
  };
}

function mutantRow({ name, about }: { name: string; about: string }, found: Explored): MutantRow {
  return { name, about, caught: found.lost > 0, states: found.images, finding: found.findings[0] ?? null };
}

function rowOf(
  { name, about }: { name: string; about: string },
  under: Under,
  parts: readonly Explored[],
  mutants: MutantRow[],
  redundant: Row['redundant'],
): Row {
  const sum = (key: 'images' | 'sampled' | 'lost') => parts.reduce((total, part) => total + part[key], 0);
  const { points, stores, flushes, fences } = parts[0]!;
  return {
    operation: name,
    under,
    about,
    points,
    stores,
    flushes,
    fences,
    states: sum('images'),
    sampled: sum('sampled'),
    lost: sum('lost'),
    findings: parts.flatMap(({ findings }) => findings).slice(0, 5),
    mutants,
    redundant,
  };
}

export function isGood(row: Row): boolean {
  return row.lost === 0 && row.mutants.every(({ caught }) => caught);
}
