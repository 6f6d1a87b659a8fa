import { fail } from '../../libc/index.js';
import { count, humanSize } from '../output/human.js';
import type { CopyJob } from './copy.js';
import type { Step } from './plan.js';

/** What steps take of the volume they go to. */
export interface Room {
  /** Bytes of whole allocation units. */
  bytes: number;
  /** Log entries. */
  entries: number;
}

/** Bytes of units that a file of this size takes; interleaved ones take whole chunks of every strip. */
function unitsOf(size: number, allocUnit: number, stripe: CopyJob['options']['stripe']): number {
  const whole = (bytes: number, unit: number) => Math.ceil(bytes / unit) * unit;
  if (!stripe) return whole(size, allocUnit);
  const { nstrips, chunkSize } = stripe;
  return nstrips * whole(Math.ceil(size / (nstrips * chunkSize)) * chunkSize, allocUnit);
}

/** What will be new; a file that is there already, of the same size, is written in its place. */
export function roomFor({ target, options }: CopyJob, steps: readonly Step[]): Room {
  const room = { bytes: 0, entries: 0 };
  const { volume } = target;
  if (volume === null) return room;
  const { allocUnit } = volume.statfs();
  for (const step of steps) {
    if (step.kind === 'skip' || step.kind === 'stream') continue;
    if (step.kind === 'directory') room.entries++;
    else if (!isThere(target, step.to)) {
      room.entries++;
      room.bytes += unitsOf(step.size, allocUnit, options.stripe);
    }
  }
  return room;
}

/** A name that cannot be is told when its turn comes. */
function isThere(target: CopyJob['target'], path: string): boolean {
  try {
    return target.stat(path) !== null;
  } catch {
    return false;
  }
}

/**
 * Before the first byte: famfs cannot take half a tree back.
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
