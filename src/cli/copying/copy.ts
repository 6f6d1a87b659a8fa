import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import type { CopyOptions, Volume } from '../../famfs/index.js';
import { hasCode, throwIfAborted } from '../../libc/index.js';
import type { GivenMachine } from '../context.js';
import { describeError } from '../errors.js';
import { commandFor } from '../hints.js';
import { count } from '../output/human.js';
import { startProgress } from '../output/progress.js';
import { type Place, STANDARD_INPUT, STANDARD_OUTPUT, takesSpace } from './place.js';
import type { Step } from './plan.js';
import { noneTaken, type Taken } from './took.js';

export interface CopyJob {
  target: Place;
  /** Writes bytes to standard output. */
  bytes(view: Uint8Array): Promise<void>;
  options: CopyOptions & { uid: number; gid: number };
  signal: AbortSignal;
  /** The machine of the command line, for the commands in failure messages. */
  given: GivenMachine;
}

export interface CopyResult {
  files: number;
  directories: number;
  bytes: number;
  /** What the new files and directories took of the destination volume; null for a copy to this host. */
  took: Taken | null;
  failures: { path: string; code: string; message: string }[];
}

type FileStep = Step & { kind: 'file' };
type StreamStep = Step & { kind: 'stream' };

const STREAM_BYTES = 2 ** 20;

/**
 * Does the steps in order. A failure of one file is printed, and the copy goes on. A failure of the volume (no space, log full,
 * not the owner) or an interrupt ends the copy with that error.
 */
export async function copySteps(
  job: CopyJob,
  steps: readonly Step[],
  note: (line: string) => void,
): Promise<CopyResult> {
  const { volume } = job.target;
  const took = volume === null ? null : noneTaken(volume.statfs().allocUnit);
  const result: CopyResult = { files: 0, directories: 0, bytes: 0, took, failures: [] };
  const totalBytes = steps.reduce((total, step) => total + (step.kind === 'file' ? step.size : 0), 0);
  const progress = await startProgress(totalBytes);
  const failed = (path: string, code: string, message: string): void => {
    result.failures.push({ path, code, message });
    note(`udax: ${message} (${code})`);
  };
  try {
    for (const step of steps) {
      throwIfAborted(job.signal);
      if (step.kind === 'skip') {
        failed(step.name, step.code, `${step.name} is not copied: ${step.why}`);
      } else if (step.kind === 'directory') {
        job.target.makeDirectory(step.to, { mode: step.mode, uid: job.options.uid, gid: job.options.gid });
        result.directories++;
        if (took) took.logEntries++;
      } else {
        const name = step.kind === 'stream' ? step.source : step.from.name(step.source);
        try {
          const before = result.bytes;
          const size = step.kind === 'stream' ? Number.NaN : step.size;
          const isNew = took !== null && takesSpace(job.target, step.to, size);
          if (step.kind === 'stream') result.bytes += await copyStream(job, step);
          else {
            await copyFile(job, step, (bytes) => progress.update(before + bytes, name));
            result.bytes += step.size;
          }
          result.files++;
          if (isNew) took.add(volume!.usage(step.to));
        } catch (error) {
          if (!concernsOneFile(error)) throw error;
          failed(name, error.code, oneLine(error, name, job.given));
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

/** Whether an error concerns one file only, so that the next file may still succeed. */
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

function oneLine(error: Error, name: string, given: GivenMachine): string {
  const text = describeError(error, name).split('\n')[0] ?? '';
  const step = commandFor(error, 'cp', given);
  const what = text.replace(/^udax: /, '').replace(/ \([A-Z0-9]+\)$/, '');
  return step === undefined ? what : `${what}; try: ${step}`;
}

async function copyFile(job: CopyJob, step: FileStep, onBytes: (bytes: number) => void): Promise<void> {
  const { mode: wanted, uid, gid, ...rest } = job.options;
  const options: CopyOptions = {
    ...rest,
    replace: true,
    mode: wanted === undefined ? step.mode : wanted & ~process.umask(),
    signal: job.signal,
    onProgress: ({ bytes }) => onBytes(bytes),
  };
  const from = step.from.volume;
  const to = job.target.volume;
  // A local copy belongs to the user who makes it; only files on a volume get an explicit owner.
  if (from !== null && to === null && step.to === STANDARD_OUTPUT)
    return toStandardOutput(job, from, step.source);
  if (from !== null && to === null)
    return from.copyOut(step.source, step.to, { ...options, followLinks: step.isNamed });
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

/** Writes to the stream itself: standard output may be any kind of file, and must not be replaced. */
async function toStandardOutput(job: CopyJob, from: Volume, path: string): Promise<void> {
  const file = from.open(path);
  try {
    const piece = new Uint8Array(Math.min(STREAM_BYTES, file.size));
    for (let at = 0; at < file.size; ) {
      throwIfAborted(job.signal);
      const bytes = file.read(piece, at);
      await job.bytes(piece.subarray(0, bytes));
      at += bytes;
    }
  } finally {
    file.close();
  }
}

/** Copies from a pipe. The file grows in hidden space and becomes visible when the pipe ends. @returns its bytes */
async function copyStream(job: CopyJob, { source, to, mode }: StreamStep): Promise<number> {
  const { uid, gid, mode: wanted } = job.options;
  const growing = job.target.volume!.inodes.grow(to, { mode: wanted ?? mode, uid, gid });
  const stream = source === STANDARD_INPUT ? process.stdin : createReadStream(source);
  let bytes = 0;
  try {
    for await (const piece of addAbortSignal(job.signal, stream) as AsyncIterable<Uint8Array>) {
      growing.write(piece, bytes);
      bytes += piece.length;
    }
    growing.publish();
    return bytes;
  } catch (error) {
    growing.end();
    throw error;
  }
}
