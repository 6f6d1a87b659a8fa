import { type ExecFileException, execFile } from 'node:child_process';
import { join } from 'node:path';
import { DaxError, fail, packageRoot, startFailure } from '../../libc/index.js';

/** What the second process saw. */
export interface Testimony {
  pid: number;
  path: string;
  bytes: number;
  sha256: string;
  /** Time to open the device, mount the volume and map the file, milliseconds. */
  mountAndMapMilliseconds: number;
  /** Time to map the file alone, milliseconds. */
  mapMilliseconds: number;
  hashMilliseconds: number;
}

/** Starts another process that maps a file of the volume without copying it, and hashes what it sees. */
export async function askSecondProcess(
  root: string,
  device: string,
  path: string,
  signal: AbortSignal,
): Promise<Testimony> {
  const program = join(packageRoot(), 'dist/bundle/cli/up/second-process.js');
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [program, root, device, path], { signal }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.name === 'AbortError') reject(error);
      else if (typeof error.code === 'string') reject(startFailure(process.execPath, error));
      else reject(new DaxError('EIO', `the second process ${endOf(error, stderr)}`, { path }));
    });
  });
  const testimony: unknown = JSON.parse(output);
  if (!isTestimony(testimony)) fail('EIO', `the second process answered ${output.trim()}`);
  return testimony;
}

function endOf({ signal, message }: ExecFileException, stderr: string): string {
  // The second process reads through a mapping, because that is what it has to show. Memory that is cut meanwhile ends it by
  // SIGBUS.
  if (signal === 'SIGBUS') return 'was ended by SIGBUS: was the file behind the memory cut?';
  return signal ? `was ended by ${signal}` : `failed: ${stderr.trim() || message}`;
}

function isTestimony(value: unknown): value is Testimony {
  return typeof value === 'object' && value !== null && 'sha256' in value && 'bytes' in value;
}
