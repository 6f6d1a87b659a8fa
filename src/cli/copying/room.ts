import { fail } from '../../libc/index.js';
import { count, humanSize } from '../output/human.js';
import type { CopyJob } from './job.js';
import { takesSpace } from './place.js';
import type { Step } from './plan.js';

/** The space that steps take on the destination volume. */
export interface Room {
  /** Bytes of whole allocation units. */
  bytes: number;
  /** Log entries. */
  entries: number;
}

/** Bytes of the units that a file of this size takes. An interleaved file takes whole chunks of every strip. */
function unitsOf(size: number, allocUnit: number, stripe: CopyJob['options']['stripe']): number {
  const whole = (bytes: number, unit: number) => Math.ceil(bytes / unit) * unit;
  if (!stripe) return whole(size, allocUnit);
  const { nstrips, chunkSize } = stripe;
  return nstrips * whole(Math.ceil(size / (nstrips * chunkSize)) * chunkSize, allocUnit);
}

/** Counts what will be new. A file that exists with the same size is written in place. */
export function roomFor({ target, options }: CopyJob, steps: readonly Step[]): Room {
  const room = { bytes: 0, entries: 0 };
  const { volume } = target;
  if (volume === null) return room;
  const { allocUnit } = volume.statfs();
  for (const step of steps) {
    if (step.kind === 'skip' || step.kind === 'stream') continue;
    if (step.kind === 'directory') room.entries++;
    else if (takesSpace(target, step.to, step.size)) {
      room.entries++;
      room.bytes += unitsOf(step.size, allocUnit, options.stripe);
    }
  }
  return room;
}

/**
 * Checks before the first byte that everything fits, because famfs cannot remove half a tree again.
 * @throws DaxError ENOSPC what is needed and what there is; nothing was made
 */
export function mustFit(job: CopyJob, { bytes, entries }: Room): void {
  const { volume } = job.target;
  if (volume === null) return;
  const { free, logFree, allocUnit } = volume.statfs();
  if (bytes > free) {
    fail(
      'ENOSPC',
      `this takes ${humanSize(bytes)} in units of ${humanSize(allocUnit)}, ${volume.device} has ${humanSize(free)} free: nothing was copied`,
      { path: volume.device },
    );
  }
  if (entries > logFree) {
    fail(
      'ENOSPC',
      `this takes ${count(entries, 'log entry', 'log entries')}, the log of ${volume.device} has room for ${logFree}: nothing was copied`,
      { path: volume.device },
    );
  }
}
