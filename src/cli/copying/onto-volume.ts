import type { FileCopy, Volume } from '../../famfs/index.js';
import type { CopyJob } from './job.js';
import type { Step } from './plan.js';
import type { CopyTally } from './tally.js';

interface StepCopy extends FileCopy {
  readonly name: string;
  readonly isNew: boolean;
}

/** Whether a step can be one of many: a host file onto a volume, or what is done at once. */
export function isOneOfMany(step: Step): boolean {
  return step.kind === 'file' ? step.from.volume === null : step.kind !== 'stream';
}

/** Copies host files onto a volume, small ones by the batch. Directories are made as they come, before their content. */
export async function copyOntoVolume(
  job: CopyJob,
  volume: Volume,
  steps: readonly Step[],
  tally: CopyTally,
): Promise<void> {
  const { mode: wanted, ...options } = job.options;
  let current = '';
  await volume.copyManyIn(copiesOf(job, steps, tally, wanted), {
    ...options,
    replace: true,
    signal: job.signal,
    onProgress: ({ bytes }) => tally.within(bytes, current),
    onCopied: (copy, bytes) => {
      const { destination, name, isNew } = copy as StepCopy;
      current = name;
      tally.copied(destination, bytes, isNew);
      tally.within(0, name);
    },
    onFailure: (copy, error) => tally.failed((copy as StepCopy).name, error),
  });
}

function* copiesOf(
  job: CopyJob,
  steps: readonly Step[],
  tally: CopyTally,
  wanted: number | undefined,
): Generator<StepCopy> {
  const umask = process.umask();
  for (const step of steps) {
    if (step.kind === 'skip') tally.skipped(step);
    else if (step.kind === 'directory') makeDirectory(job, step, tally);
    else if (step.kind === 'file') {
      yield {
        source: step.source,
        destination: step.to,
        mode: wanted === undefined ? step.mode : wanted & ~umask,
        name: step.from.name(step.source),
        isNew: tally.takesSpace(step.to, step.size),
      };
    }
  }
}

export function makeDirectory(job: CopyJob, step: Step & { kind: 'directory' }, tally: CopyTally): void {
  job.target.makeDirectory(step.to, { mode: step.mode, uid: job.options.uid, gid: job.options.gid });
  tally.madeDirectory();
}
