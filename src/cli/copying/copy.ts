import { createReadStream } from 'node:fs';
import { addAbortSignal } from 'node:stream';
import type { CopyOptions, Volume } from '../../famfs/index.js';
import { throwIfAborted } from '../../libc/index.js';
import { count } from '../output/human.js';
import { startProgress } from '../output/progress.js';
import type { CopyJob } from './job.js';
import { copyOntoVolume, isOneOfMany, makeDirectory } from './onto-volume.js';
import { STANDARD_INPUT, STANDARD_OUTPUT } from './place.js';
import type { Step } from './plan.js';
import { type CopyResult, CopyTally } from './tally.js';

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
  const totalBytes = steps.reduce((total, step) => total + (step.kind === 'file' ? step.size : 0), 0);
  const progress = await startProgress(totalBytes);
  const tally = new CopyTally(job.target, { progress, note, given: job.given });
  const { volume } = job.target;
  try {
    for (let next = 0; next < steps.length; ) {
      throwIfAborted(job.signal);
      let end = next;
      while (volume !== null && end < steps.length && isOneOfMany(steps[end]!)) end++;
      if (end > next) await copyOntoVolume(job, volume!, steps.slice(next, end), tally);
      else await copyStep(job, steps[end++]!, tally);
      next = end;
    }
  } catch (error) {
    progress.stop();
    const { files } = tally.result;
    if (files > 0) note(`udax: ${count(files, 'file')} had been copied when it ended`);
    throw error;
  }
  progress.stop();
  return tally.result;
}

async function copyStep(job: CopyJob, step: Step, tally: CopyTally): Promise<void> {
  if (step.kind === 'skip') tally.skipped(step);
  else if (step.kind === 'directory') makeDirectory(job, step, tally);
  else {
    const name = step.kind === 'stream' ? step.source : step.from.name(step.source);
    try {
      const isNew = tally.takesSpace(step.to, step.kind === 'stream' ? Number.NaN : step.size);
      const bytes =
        step.kind === 'stream' ? await copyStream(job, step) : await copyFile(job, step, name, tally);
      tally.copied(step.to, bytes, isNew);
    } catch (error) {
      tally.failed(name, error);
    }
  }
}

/** @returns its bytes */
async function copyFile(job: CopyJob, step: FileStep, name: string, tally: CopyTally): Promise<number> {
  const { mode: wanted, uid, gid, ...rest } = job.options;
  const options: CopyOptions = {
    ...rest,
    replace: true,
    mode: wanted === undefined ? step.mode : wanted & ~process.umask(),
    signal: job.signal,
    onProgress: ({ bytes }) => tally.within(bytes, name),
  };
  const from = step.from.volume!;
  const to = job.target.volume;
  // A local copy belongs to the user who makes it; only files on a volume get an explicit owner.
  if (to !== null) await betweenVolumes(from, to, step, { ...options, uid, gid });
  else if (step.to === STANDARD_OUTPUT) await toStandardOutput(job, from, step.source);
  else await from.copyOut(step.source, step.to, { ...options, followLinks: step.isNamed });
  return step.size;
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
