/** What the command line tells the inspector of: the mounts of this host, and what those count that serve their metrics. */
import type { InspectorOptions } from '../inspector/index.js';
import { hasCode } from '../libc/index.js';
import { allMounts } from './commands/mounts.js';
import type { Context } from './context.js';
import { countsOf, fetchMetrics } from './metrics/read.js';

export function sourcesOf(
  context: Context,
): Required<Pick<InspectorOptions, 'mounts' | 'mountCounters' | 'onProblem'>> {
  return {
    mounts: () => allMounts(context.root),
    mountCounters: () => countersOfMounts(context.root),
    onProblem: (message) => context.output.note(`udax: ${message}`),
  };
}

/** Counters of all mounts that serve metrics, by the names of docs/metrics.md. A mount that does not answer is left out. */
async function countersOfMounts(root: string): Promise<Record<string, number>> {
  const values: Record<string, number> = {};
  for (const { mountpoint, metrics } of await allMounts(root)) {
    if (metrics === undefined) continue;
    const counts = await textAt(metrics).then((text) => countsOf(text, mountpoint));
    if (counts === null) continue;
    const told: Record<string, number | null> = {
      operation_seconds_count: counts.requests,
      operation_seconds_sum: counts.seconds,
      operation_errors: counts.errors,
      read_bytes: counts.readBytes,
      written_bytes: counts.writtenBytes,
      open_files: counts.openFiles,
      unpublished_files: counts.unpublished,
      replay_lag_entries: counts.replayLag,
      waiting_requests: counts.waiting,
    };
    for (const [name, value] of Object.entries(told))
      if (value !== null) values[`udax_mount_${name}{${mountpoint}}`] = value;
  }
  return values;
}

async function textAt(address: string): Promise<string> {
  try {
    return await fetchMetrics(address);
  } catch (error) {
    if (hasCode(error, 'ETIMEDOUT', 'ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EACCES', 'EIO')) return '';
    throw error;
  }
}
