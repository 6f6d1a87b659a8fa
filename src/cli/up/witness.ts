import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DaxError, fail } from '../../libc/index.js';

/** What the second process saw. */
export interface Testimony {
  pid: number;
  path: string;
  bytes: number;
  sha256: string;
  /** Opening the device, mounting the volume and mapping the file, milliseconds. */
  mountAndMapMilliseconds: number;
  /** Mapping the file alone, milliseconds. */
  mapMilliseconds: number;
  hashMilliseconds: number;
}

/** Has another process map a file of the volume without copying it, and hash what it sees. */
export async function askSecondProcess(
  root: string,
  device: string,
  path: string,
  signal: AbortSignal,
): Promise<Testimony> {
  const program = fileURLToPath(new URL('./second-process.js', import.meta.url));
  const output = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, [program, root, device, path], { signal }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.name === 'AbortError') reject(error);
      else
        reject(new DaxError('EIO', `the second process failed: ${stderr.trim() || error.message}`, { path }));
    });
  });
  const testimony: unknown = JSON.parse(output);
  if (!isTestimony(testimony)) fail('EIO', `the second process answered ${output.trim()}`);
  return testimony;
}

function isTestimony(value: unknown): value is Testimony {
  return typeof value === 'object' && value !== null && 'sha256' in value && 'bytes' in value;
}
