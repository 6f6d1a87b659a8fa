/**
 * Runs the proof's tools as a user does, in their short form: built into a directory of the test, started, and removed at the
 * end.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll } from 'vitest';

const checkout = path.resolve(import.meta.dirname, '../..');

interface Report {
  tool: string;
  rows: { what: string; figures: Record<string, number | string>; detail?: string }[];
  findings: string[];
}

export interface ToolRun {
  code: number | null;
  stdout: string;
  stderr: string;
  report: Report;
  pid: number;
}

/** Builds `src` and `proof` for one test file. @returns a function that runs the tool */
export function builtTool(tool: string): (...words: string[]) => Promise<ToolRun> {
  // Inside the checkout, so that the build finds its packages.
  const directory = path.join(checkout, 'build', `test-${tool}-${process.pid}`);
  const started = new Set<ChildProcess>();

  beforeAll(async () => {
    const entryPoints = ['src', 'proof'].flatMap((folder) =>
      fs
        .readdirSync(path.join(checkout, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => path.join(checkout, folder, name)),
    );
    await build({
      entryPoints,
      outbase: checkout,
      outdir: directory,
      format: 'esm',
      platform: 'node',
      target: 'es2022',
    });
  });

  afterAll(async () => {
    // A tool that is asked to end also ends its processes and mounts.
    for (const child of started) {
      child.kill('SIGTERM');
      await new Promise((resolve) => child.once('exit', resolve));
    }
    fs.rmSync(directory, { recursive: true, force: true });
  });

  return async (...words) => {
    const child = spawn(
      process.execPath,
      [path.join(directory, 'proof', tool, 'main.js'), ...words, '--json'],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    started.add(child);
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output.stderr += text;
    });
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    started.delete(child);
    const last = output.stdout.trimEnd().split('\n').at(-1)!;
    if (!last.startsWith('{')) throw new Error(`${tool} said no result: ${output.stdout}${output.stderr}`);
    return { code, pid: child.pid!, ...output, report: JSON.parse(last) as Report };
  };
}

/** Directories, mounts and processes that a finished tool left behind. */
export function leftovers(tool: string, { pid }: ToolRun): string[] {
  const mark = `udax-${tool}-${pid}-`;
  const names = fs.readdirSync('/dev/shm').filter((name) => name.startsWith(mark));
  const mounts = fs
    .readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(mark));
  const processes = fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(mark))
    .map((name) => `pid ${name}`);
  return [...names, ...mounts, ...processes];
}

function commandOf(pid: string): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
