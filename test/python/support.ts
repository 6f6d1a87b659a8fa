import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

export const house = path.resolve(import.meta.dirname, '../..');
export const client = path.join(house, 'clients/python');
export const UUID = '11111111-2222-4333-8444-555555555555';
export const MIB = 2 ** 20;

/** What a program must have, to run the package: 3.9 or later. */
const PROBE = 'import sys; assert sys.version_info >= (3, 9); print(sys.executable, sys.version.split()[0])';

export interface Python {
  program: string;
  version: string;
  hasNumpy: boolean;
}

function pythonAt(program: string): Python[] {
  const found = spawnSync(program, ['-c', PROBE], { encoding: 'utf8' });
  if (found.status !== 0) return [];
  const [executable, version] = found.stdout.trim().split(' ');
  const hasNumpy = spawnSync(program, ['-c', 'import numpy']).status === 0;
  return [{ program: executable!, version: version!, hasNumpy }];
}

/** Debian's python3, and the one of this user's path when that is another. */
export const pythons: readonly Python[] = [...pythonAt('/usr/bin/python3'), ...pythonAt('python3')].filter(
  ({ program }, at, all) => all.findIndex((other) => other.program === program) === at,
);

export const noPython = pythons.length > 0 ? '' : 'there is no python3 of 3.9 or later';
/** Suffix for titles, so that skipped tests say why. */
export const because = noPython === '' ? '' : ` (skipped: ${noPython})`;

export function environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PYTHONPATH: path.join(client, 'src'),
    // Nothing is left beside the source.
    PYTHONDONTWRITEBYTECODE: '1',
    UDAX_SYSTEM_UUID: UUID,
    ...more,
  };
}

/** Runs Python code to its end. @returns what it printed */
export function run(
  program: string,
  args: readonly string[],
  more: { cwd?: string; env?: Record<string, string> } = {},
): string {
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: environment(more.env),
    cwd: more.cwd ?? client,
    maxBuffer: 2 ** 28,
  });
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')}: ${signal ?? `exit ${status}`}\n${stdout}\n${stderr}`);
  return stdout;
}

/** Python code that gets `udax`, `sys`, `json` and the arguments. @returns the JSON that it printed */
export function ask<T>(python: Python, code: string, ...args: string[]): T {
  return JSON.parse(run(python.program, ['-c', `${PREAMBLE}\n${code}`, ...args])) as T;
}

const PREAMBLE =
  'import json, os, sys, hashlib, udax\nargs = sys.argv[1:]\ndef say(x): print(json.dumps(x), flush=True)';

/** A python process that goes on. Its lines of JSON come from next(). */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #errors = '';

  constructor(python: Python, code: string, ...args: string[]) {
    this.#process = spawn(python.program, ['-c', `${PREAMBLE}\n${code}`, ...args], { env: environment() });
    this.#process.stderr!.on('data', (data: Buffer) => {
      this.#errors += String(data);
    });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#process.pid!;
  }

  async next<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the child ended: ${this.#errors}`);
    return JSON.parse(value) as T;
  }

  say(line: string): void {
    this.#process.stdin!.write(`${line}\n`);
  }

  /** Waits for its end. @returns the exit status or the signal */
  async ended(): Promise<number | string | null> {
    this.#process.stdin!.end();
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return exitCode ?? signalCode;
    return new Promise((resolve) =>
      this.#process.on('close', (code, signal) => {
        if (code !== 0 && signal === null) process.stderr.write(this.#errors);
        resolve(code ?? signal);
      }),
    );
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'udax-python-'));
}
