import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface Ended {
  status: number | null;
  /** Output on stdout and stderr. */
  output: string;
  /** The program did not end in time and was killed. */
  hung: boolean;
}

/** Runs a program and all its children, for a limited time. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, milliseconds }: { cwd: string; milliseconds: number },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let hung = false;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const timer = setTimeout(() => {
      hung = true;
      process.kill(-child.pid!, 'SIGKILL');
    }, milliseconds);
    child.once('error', reject);
    child.once('close', (status) => {
      clearTimeout(timer);
      resolve({ status, output, hung });
    });
  });
}

/** Finds a program in a directory, else in PATH; null when it is in neither. */
export function findProgram(name: string, directory: string | undefined): string | null {
  const places = directory === undefined ? [] : [directory];
  for (const place of [...places, ...(process.env.PATH ?? '').split(delimiter)]) {
    try {
      accessSync(join(place, name), constants.X_OK);
      return join(place, name);
    } catch {
      // Not in this directory.
    }
  }
  return null;
}
