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
  /** How far the middle half of the rounds lie apart, as a part of the median: the worst of the times behind the value. */
  spread?: number;
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

/**
 * Runs the variants in turn (A B A B ...), `rounds` times after one warm-up, and returns each variant's median time in
 * milliseconds. Taking turns spreads the drift of a shared machine over all variants.
 */
export async function interleave(
  rounds: number,
  variants: Record<string, () => number | Promise<number>>,
): Promise<Record<string, number>> {
  const times: Record<string, number[]> = {};
  for (let round = -1; round < rounds; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const taken = await run();
      if (round < 0) continue;
      times[name] ??= [];
      times[name].push(taken);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, settled(list)]));
}

const spreads: number[] = [];

/** The median of repeated times of one thing. How far they spread is remembered for the row. */
export function settled(list: number[]): number {
  const middle = median(list);
  const sorted = [...list].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.round(part * (sorted.length - 1))]!;
  spreads.push((at(0.75) - at(0.25)) / middle);
  return middle;
}

/** The worst spread since the last call; undefined when no times were repeated. */
export function takeSpread(): number | undefined {
  const worst = spreads.length === 0 ? undefined : Math.max(...spreads);
  spreads.length = 0;
  return worst;
}

export function median(list: number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Rounds to three significant digits: more would be noise. */
export function significant(value: number): number {
  return Number(value.toPrecision(3));
}

export function atLeast(value: number, goal: number): Pick<Row, 'value' | 'goal' | 'ok'> {
  return { value: significant(value), goal: `>= ${goal}`, ok: significant(value) >= goal };
}

export function atMost(value: number, goal: number): Pick<Row, 'value' | 'goal' | 'ok'> {
  return { value: significant(value), goal: `<= ${goal}`, ok: significant(value) <= goal };
}

/** GB/s (10^9 bytes) of `bytes` in `ms`. */
export function gigabytesPerSecond(bytes: number, ms: number): number {
  return significant(bytes / ms / 1e6);
}
