import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One row of the table: what was measured, against what, and whether the goal is met. */
export interface Row {
  id: string;
  name: string;
  value: number;
  unit: string;
  /** What the value is compared with, and its own figure. */
  reference: string;
  /** The goal as text, e.g. `>= 0.98`. */
  goal: string;
  ok: boolean;
  /** The kind of memory under the measurement. */
  backing: string;
  /** How far the middle half of the rounds lie apart, as a part of the median; absent where nothing was repeated, or a count is exact. */
  spread?: number;
  /** What nine of ten rounds keep to: no more than this of a cost, no less of a speed. Absent where a row has no figure a round. */
  p90?: number;
}

const TMPFS_MAGIC = 0x01021994;

/** A directory on tmpfs when there is one (shared memory), else in the system's temporary directory. */
export function withBenchDirectory<T>(use: (directory: string, kind: string) => T): T {
  const base = isTmpfs('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = mkdtempSync(join(base, 'udax-bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  const kind = isTmpfs(base) ? 'tmpfs' : 'disk file';
  process.once('exit', remove);
  const result = use(directory, kind);
  const end = () => {
    process.off('exit', remove);
    remove();
  };
  if (result instanceof Promise) return result.finally(end) as T;
  end();
  return result;
}

function isTmpfs(path: string): boolean {
  try {
    return Number(statfsSync(path).type) === TMPFS_MAGIC;
  } catch {
    return false;
  }
}

/** Milliseconds one call takes. */
export function timeMs(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** What a child process says next. @throws Error it ended instead */
export async function answerOf(child: ChildProcess): Promise<unknown> {
  const over = new AbortController();
  const { signal } = over;
  const ended = async (): Promise<never> => {
    const [code, by] = await once(child, 'exit', { signal });
    throw new Error(`a process of the bench ended: exit ${code ?? by}`);
  };
  try {
    return ((await Promise.race([once(child, 'message', { signal }), ended()])) as unknown[])[0];
  } finally {
    over.abort();
  }
}

/** Milliseconds one asynchronous call takes. */
export async function timeMsAsync(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** A figure of repeated times. */
export interface Measured {
  readonly value: number;
  /** How far the middle half of them lie apart, as a part of it. */
  readonly spread: number;
  /** Nine of ten are no less than the first, and nine of ten no more than the second; absent where no round has a figure of its own. */
  readonly tenths?: readonly [number, number];
}

/** The median of repeated times of one thing, or of what was worked out of each. */
export function settled(list: readonly number[], scale = 1): Measured {
  const middle = median(list);
  const sorted = [...list].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))]!;
  return scaled({ value: middle, spread: (at(0.75) - at(0.25)) / middle, tenths: [at(0.1), at(0.9)] }, scale);
}

/** The same figure in another unit. */
export function scaled({ value, spread, tenths }: Measured, scale: number): Measured {
  return { value: value * scale, spread, ...(tenths && { tenths: [tenths[0] * scale, tenths[1] * scale] }) };
}

/** Two figures of one list each, worked into one: as unsure as the less sure of them. */
export function quotient(above: Measured, below: Measured): Measured {
  return { value: above.value / below.value, spread: Math.max(above.spread, below.spread) };
}

/** The milliseconds of each variant in each round. */
export class Rounds<Name extends string> {
  constructor(private readonly times: Readonly<Record<Name, readonly number[]>>) {}

  /** Median milliseconds of one variant: for the text. */
  ms(name: Name): number {
    return median(this.times[name]);
  }

  /** The same as a figure of its own. */
  settled(name: Name, scale = 1): Measured {
    return settled(this.times[name], scale);
  }

  /**
   * How many times as long one variant takes as another: the median of what each round says. A machine that is slow for a second is
   * slow for both, so this stands still where the times do not.
   */
  ratio(above: Name, below: Name): Measured {
    return settled(this.times[above].map((time, round) => time / this.times[below][round]!));
  }
}

/**
 * Runs the variants in turn, `rounds` times after one warm-up, each round in the other order (A B, B A ...). Taking turns spreads the
 * drift of a shared machine over all variants; turning round takes away what the second has of the first. `fixed`: each needs the one before.
 */
export async function interleave<Name extends string>(
  rounds: number,
  variants: Record<Name, () => number | Promise<number>>,
  order: 'turning' | 'fixed' = 'turning',
): Promise<Rounds<Name>> {
  const names = Object.keys(variants) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = -1; round < rounds; round++) {
    for (const name of order === 'fixed' || round % 2 === 0 ? names : names.toReversed()) {
      const taken = await variants[name]();
      if (round >= 0) times[name].push(taken);
    }
  }
  return new Rounds(times);
}

export function median(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Rounds to three significant digits: more would be noise. */
export function significant(value: number): number {
  return Number(value.toPrecision(3));
}

type Figure = Pick<Row, 'value' | 'goal' | 'ok' | 'spread' | 'p90'>;

export function atLeast(figure: number | Measured, goal: number): Figure {
  const measured = measuredOf(figure, 0);
  return { ...measured, goal: `>= ${goal}`, ok: measured.value >= goal };
}

export function atMost(figure: number | Measured, goal: number): Figure {
  const measured = measuredOf(figure, 1);
  return { ...measured, goal: `<= ${goal}`, ok: measured.value <= goal };
}

function measuredOf(figure: number | Measured, worse: 0 | 1): Pick<Row, 'value' | 'spread' | 'p90'> {
  if (typeof figure === 'number') return { value: significant(figure) };
  const { value, spread, tenths } = figure;
  return { value: significant(value), spread, ...(tenths && { p90: significant(tenths[worse]) }) };
}

/** GB/s (10^9 bytes) of `bytes` in `ms`. */
export function gigabytesPerSecond(bytes: number, ms: number): number {
  return significant(bytes / ms / 1e6);
}
