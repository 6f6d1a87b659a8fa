/** bench/history.jsonl: a line for each saved run. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import os from 'node:os';
import type { Row } from './harness.js';

export function saveHistory(rows: readonly Row[]): void {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  const line = {
    date: new Date().toISOString().slice(0, 10),
    version,
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    machine: `${os.cpus()[0]?.model ?? 'unknown'} x ${os.availableParallelism()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    kernel: os.release(),
    node: process.version,
    load: Number(os.loadavg()[0]!.toFixed(1)),
    rows: rows.map(({ id, name, value, unit, goal, ok, spread, p90 }) => ({
      id,
      name,
      value,
      unit,
      goal,
      ok,
      spread,
      p90,
    })),
  };
  appendFileSync('bench/history.jsonl', `${JSON.stringify(line)}\n`);
}
