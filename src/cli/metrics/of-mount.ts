import { LATENCY_BOUNDS_SECONDS } from '../../fuse/index.js';
import type { FamfsMount, FamfsMountFigures } from '../../mounts/index.js';
import type { Served } from '../../mounts/serving.js';
import type { Context } from '../context.js';
import { collect } from './collect.js';
import type { Exposition } from './exposition.js';
import { listenArgument, listenForMetrics } from './serve.js';

/**
 * Mounts, and serves the metrics of the mount and of its machine from the same process. The place to listen is taken first, so that
 * nothing is mounted where it cannot be had.
 * @param mount makes the mount, with `measure`
 * @throws DaxError EADDRINUSE, EACCES, EINVAL; and what `mount` throws
 */
export async function mountWithMetrics(
  context: Context,
  where: string,
  listen: string,
  mount: () => Promise<FamfsMount>,
): Promise<Served> {
  let mounted: FamfsMount | undefined;
  const server = await listenForMetrics(listenArgument(listen), async () =>
    mounted === undefined ? '# EOF\n' : textOf(quiet(context), where, mounted),
  );
  try {
    mounted = await mount();
  } catch (error) {
    server.close();
    throw error;
  }
  const { mountpoint, note, closed } = mounted;
  void closed.then(() => server.close());
  server.failure.catch((error: Error) => context.output.note(`udax: ${error.message}`, 'error'));
  const unmount: Served['unmount'] = (options) => mounted!.unmount(options);
  return { mountpoint, note, closed, unmount, metrics: server.address };
}

/** Volumes of a zero-copy mount are reached through the mount itself, and this process must not wait for its own answers. */
async function textOf(context: Context, where: string, mount: FamfsMount): Promise<string> {
  const devices = mount.isZeroCopy ? null : [where];
  const found = await collect(context, { devices, arenas: [] });
  const figures = await mount.figures();
  if (figures !== null) tellFigures(found, mount.mountpoint, figures);
  return found.text();
}

/** A scrape comes every few seconds: what cannot be looked at is a 0 of its `up`, and fills no log. */
function quiet(context: Context): Context {
  return { ...context, output: { ...context.output, note: () => {} } };
}

function tellFigures(found: Exposition, mountpoint: string, figures: FamfsMountFigures): void {
  const tell = (name: string, value: number) => found.add(`udax_mount_${name}`, { mountpoint }, value);
  for (const { name, errors, seconds, buckets } of figures.operations) {
    const labels = { mountpoint, operation: name.toLowerCase() };
    const histogram = { bounds: LATENCY_BOUNDS_SECONDS, buckets, sum: seconds };
    found.addHistogram('udax_mount_operation_seconds', labels, histogram);
    found.add('udax_mount_operation_errors', labels, errors);
  }
  tell('read_bytes', figures.readBytes);
  tell('written_bytes', figures.writtenBytes);
  tell('open_files', figures.openFiles);
  tell('unpublished_files', figures.unpublished);
  tell('replay_lag_entries', figures.replayLag);
  tell('look_age_seconds', figures.lookAge);
  if (figures.waiting !== null) tell('waiting_requests', figures.waiting);
}
