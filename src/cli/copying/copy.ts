import type { CopyOptions, Volume } from '../../famfs/index.js';
import { hasCode } from '../../libc/index.js';
import { describeError } from '../errors.js';
import { count } from '../output/human.js';
import { startProgress } from '../output/progress.js';
import type { Place } from './place.js';
import type { Step } from './plan.js';

export interface CopyJob {
  target: Place;
  options: CopyOptions & { uid: number; gid: number };
  signal: AbortSignal;
}

export interface CopyResult {
  files: number;
  directories: number;
  bytes: number;
  failures: { path: string; code: string; message: string }[];
}

type FileStep = Step & { kind: 'file' };

/**
 * Does the steps in order. What is wrong with one file is told and the others go on; what is wrong with
 * the volume (no space, log full, not the owner) or an interrupt ends the copy with that error.
 */
export async function copySteps(
  job: CopyJob,
  steps: readonly Step[],
  note: (line: string) => void,
): Promise<CopyResult> {
  const result: CopyResult = { files: 0, directories: 0, bytes: 0, failures: [] };
  const totalBytes = steps.reduce((total, step) => total + (step.kind === 'file' ? step.size : 0), 0);
  const progress = await startProgress(totalBytes);
  const failed = (path: string, code: string, message: string): void => {
    result.failures.push({ path, code, message });
    note(`udax: ${message} (${code})`);
  };
  try {
    for (const step of steps) {
      job.signal.throwIfAborted();
      if (step.kind === 'skip') {
        failed(step.name, step.code, `${step.name} is not copied: ${step.why}`);
      } else if (step.kind === 'directory') {
        job.target.makeDirectory(step.to, { mode: step.mode, uid: job.options.uid, gid: job.options.gid });
        result.directories++;
      } else {
        const name = step.from.name(step.source);
        try {
          const before = result.bytes;
          await copyFile(job, step, (bytes) => progress.update(before + bytes, name));
          result.files++;
          result.bytes += step.size;
        } catch (error) {
          if (!concernsOneFile(error)) throw error;
          failed(name, error.code, oneLine(error, name));
        }
      }
    }
  } catch (error) {
    progress.stop();
    if (result.files > 0) note(`udax: ${count(result.files, 'file')} had been copied when it ended`);
    throw error;
  }
  progress.stop();
  return result;
}

/** Errors that say nothing about the next file. */
function concernsOneFile(error: unknown): error is Error & { code: string } {
  return hasCode(
    error,
    'EEXIST',
    'ENAMETOOLONG',
    'EINVAL',
    'EISDIR',
    'EACCES',
    'ENOENT',
    'EILSEQ',
    'ENOTDIR',
    'EIO',
  );
}

function oneLine(error: Error, name: string): string {
  const text = describeError(error, name).split('\n')[0] ?? '';
  return text.replace(/^udax: /, '').replace(/ \([A-Z0-9]+\)$/, '');
}

async function copyFile(job: CopyJob, step: FileStep, onBytes: (bytes: number) => void): Promise<void> {
  const { mode: wanted, uid, gid, ...rest } = job.options;
  const options: CopyOptions = {
    ...rest,
    mode: wanted === undefined ? step.mode : wanted & ~process.umask(),
    signal: job.signal,
    onProgress: ({ bytes }) => onBytes(bytes),
  };
  const from = step.from.volume;
  const to = job.target.volume;
  // A local copy is its maker's; only files on a volume carry an owner of their own.
  if (from !== null && to === null) return from.copyOut(step.source, step.to, options);
  if (from === null && to !== null) return to.copyIn(step.source, step.to, { ...options, uid, gid });
  return betweenVolumes(from!, to!, step, { ...options, uid, gid });
}

async function betweenVolumes(from: Volume, to: Volume, step: FileStep, options: CopyOptions): Promise<void> {
  const source = from.open(step.source);
  try {
    await to.copyIn(source, step.to, options);
  } finally {
    source.close();
  }
}
