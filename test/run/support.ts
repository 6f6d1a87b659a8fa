import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary, have, type Outcome, Place } from '../mounts/support.js';

export const checkout = path.resolve(import.meta.dirname, '../..');
export const hasCompiler = have('cc');
export const withoutCompiler = hasCompiler ? '' : ' (skipped: there is no C compiler)';
const library = `linux-${process.arch}/udax-run.so`;
/** The library that came with the package, and the one that was built here from the source. */
export const PREBUILT = path.join(checkout, 'native/prebuilt', library);
export const BUILT = path.join(checkout, 'dist/native', library);

/** What programs under `udax run` printed, and what --explain said. */
export interface Ran extends Outcome {
  readonly explained: string[];
}

/** A machine with a mounted volume, for programs that run under `udax run`. */
export class RunPlace extends Place {
  #runs = 0;

  /** Runs a command under `udax run --explain=FILE`. */
  run(command: readonly string[], options: { input?: string; env?: NodeJS.ProcessEnv } = {}): Ran {
    const explain = path.join(this.directory, `explained-${this.#runs++}`);
    const words = ['run', `--explain=${explain}`, '--', ...command];
    const env = { ...process.env, ...options.env };
    const limited = ['-k', '1', '120', process.execPath, binary, '--root', this.root, ...words];
    const { status, stdout, stderr } = spawnSync('timeout', limited, {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      env,
      ...(options.input !== undefined && { input: options.input }),
    });
    const explained = fs.readFileSync(explain, 'utf8').split('\n').slice(0, -1);
    return { status, stdout, stderr, explained };
  }

  /** The stdout of a command that must succeed under `udax run`. */
  output(
    command: readonly string[],
    options: { input?: string } = {},
  ): { stdout: string; explained: string[] } {
    const { status, stdout, stderr, explained } = this.run(command, options);
    if (status !== 0) throw new Error(`${command.join(' ')}: exit ${status}\n${stdout}\n${stderr}`);
    return { stdout, explained };
  }

  /** Compiles a program of test/run/c. @param flags options, and more sources */
  compile(name: string, compiler = 'cc', ...flags: string[]): string {
    const made = path.join(this.directory, `${name}-${path.basename(compiler)}`);
    const source = path.join(import.meta.dirname, 'c', `${name}.c`);
    const { status, stderr } = spawnSync(compiler, ['-O1', '-o', made, source, '-pthread', ...flags], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${compiler}: ${stderr}`);
    return made;
  }
}

/** Bytes that differ from place to place, so that a wrong page shows. */
export function patterned(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  const words = new Uint32Array(bytes.buffer, 0, length >> 2);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed * 0x9e3779b9, 2654435761);
  return bytes;
}

/** The Python to use: the system's, which has Debian's numpy, before others. */
export const python = ['/usr/bin/python3', 'python3'].find((each) => have(each)) ?? '';
export const withoutPython = python === '' ? ' (skipped: there is no python3)' : '';

export function hasPythonModule(name: string): boolean {
  return python !== '' && spawnSync(python, ['-c', `import ${name}`]).status === 0;
}
