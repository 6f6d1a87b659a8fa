/** `npm run bench -- --compare REV`: this tree and another revision, in turns, so that the drift of the machine meets both. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { median, type Row, significant } from './harness.js';

const TURNS = 5;

export async function compareWith(revision: string, rows: readonly string[]): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'udax-bench-compare-'));
  const tree = join(place, 'tree');
  const git = (...words: string[]) => execFileSync('git', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  git('worktree', 'add', '--detach', tree, revision);
  try {
    symlinkSync(resolve('node_modules'), join(tree, 'node_modules'));
    process.stderr.write(`building ${revision} ...\n`);
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: tree, stdio: 'inherit' });
    execFileSync('npx', ['tsc', '-p', 'bench/tsconfig.json'], { cwd: tree, stdio: 'inherit' });
    for (const id of rows) compareRow(id, tree, revision);
  } finally {
    git('worktree', 'remove', '--force', tree);
    rmSync(place, { recursive: true, force: true });
  }
}

function compareRow(id: string, tree: string, revision: string): void {
  const here: Row[][] = [];
  const there: Row[][] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    process.stderr.write(`${id}, turn ${turn + 1} of ${TURNS} ...\n`);
    here.push(measuredIn('.', id));
    there.push(measuredIn(tree, id));
  }
  for (const { name, unit } of here[0]!) {
    const values = (runs: Row[][]) =>
      runs.flatMap((run) => run.filter((row) => row.name === name).map(({ value }) => value));
    const [now, before] = [values(here), values(there)];
    if (before.length === 0) {
      console.log(`${id}  ${name}: ${significant(median(now))} ${unit}; ${revision} does not have it`);
      continue;
    }
    const ratio = significant(median(now) / median(before));
    const span = (list: number[]) => `${Math.min(...list)} to ${Math.max(...list)}`;
    console.log(
      `${id}  ${name}: ${significant(median(now))} ${unit} (${span(now)}), ${revision} ${significant(median(before))} (${span(before)}): ${ratio} x`,
    );
  }
}

function measuredIn(tree: string, id: string): Row[] {
  const words = ['--expose-gc', 'build/bench/main.js', '--json', id];
  return JSON.parse(
    execFileSync(process.execPath, words, { cwd: tree, encoding: 'utf8', maxBuffer: 1 << 26 }),
  );
}
