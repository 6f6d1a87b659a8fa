import type { RewriteChanges, RewriteResult, Volume } from '../../famfs/index.js';
import { DaxError } from '../../libc/index.js';
import { deviceArgument, volumeAddress } from '../arguments/address.js';
import { sizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withVolume } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { type Progress, startProgress } from '../output/progress.js';

interface RewriteFlags {
  othersAreGone?: boolean;
  dryRun?: boolean;
}

/** `udax rm` */
export async function rm(
  context: Context,
  args: string[],
  flags: RewriteFlags & { recursive?: boolean },
): Promise<void> {
  for (const [device, paths] of byDevice(args)) {
    const changes = { remove: paths, recursive: flags.recursive ?? false };
    await rewrite(
      context,
      device,
      () => changes,
      flags,
      ({ removed }) => whatWent(removed, flags),
    );
  }
}

function whatWent({ files, directories }: RewriteResult['removed'], { dryRun }: RewriteFlags): string {
  const parts = [
    ...(files > 0 || directories === 0 ? [count(files, 'file')] : []),
    ...(directories > 0 ? [count(directories, 'directory', 'directories')] : []),
  ];
  return `${parts.join(' and ')} ${dryRun ? 'would be removed' : 'removed'}`;
}

/** `udax mv` */
export async function mv(context: Context, args: string[], flags: RewriteFlags): Promise<void> {
  if (args.length < 2) throw new UsageError('mv wants SRC... DST, like: udax mv dax0.0:/a dax0.0:/b');
  const sources = args.map((text) => volumeAddress(text));
  const destination = sources.pop()!;
  if (sources.some(({ device }) => device !== destination.device)) {
    throw new UsageError('mv stays on one device: udax cp copies to another one, udax rm removes there');
  }
  const paths = sources.map(({ path }) => path);
  const move = (volume: Volume): RewriteChanges => ({ move: movesInto(volume, paths, destination.path) });
  await rewrite(context, destination.device, move, flags, ({ moved }) => {
    return `${count(moved, 'name')} ${flags.dryRun ? 'would be moved' : 'moved'}`;
  });
}

/** As mv(1): into the destination when that is a directory. */
function movesInto(volume: Volume, sources: readonly string[], destination: string): [string, string][] {
  const isDirectory = volume.exists(destination) && volume.stat(destination).isDirectory();
  if (!isDirectory && sources.length > 1) {
    throw new DaxError('ENOTDIR', `${destination} is no directory: several sources need one to go into`, {
      path: destination,
    });
  }
  const inside = `${destination.replace(/\/+$/, '')}/`;
  return sources.map((source) => {
    const name = source.replace(/\/+$/, '').split('/').at(-1)!;
    return [source, isDirectory ? `${inside}${name}` : destination];
  });
}

/** `udax truncate` */
export async function truncate(
  context: Context,
  args: string[],
  flags: RewriteFlags & { size?: string },
): Promise<void> {
  if (flags.size === undefined) throw new UsageError('truncate needs -s SIZE, like -s 64M');
  const size = sizeArgument(flags.size, '-s SIZE');
  for (const [device, paths] of byDevice(args)) {
    const changes = { resize: paths.map((path): [string, number] => [path, size]) };
    await rewrite(
      context,
      device,
      () => changes,
      flags,
      ({ resized }) => {
        const had = paths.length - resized;
        const same = had > 0 ? `, ${had} had that size` : '';
        return `${count(resized, 'file')} ${flags.dryRun ? 'would have' : 'of'} ${humanSize(size)} now${same}`;
      },
    );
  }
}

/** `udax compact` */
export async function compact(
  context: Context,
  [text = '']: string[],
  flags: RewriteFlags & { defragment?: boolean; dropDamaged?: boolean },
): Promise<void> {
  const { defragment = false, dropDamaged = false } = flags;
  await rewrite(
    context,
    deviceArgument(text),
    () => ({ defragment, dropDamaged }),
    flags,
    (result) => {
      if (!result.changed) return 'nothing to take back';
      const damaged =
        result.damaged > 0
          ? `${count(result.damaged, 'damaged log entry', 'damaged log entries')} left out, `
          : '';
      return `${damaged}${humanSize(result.movedBytes)} of data ${flags.dryRun ? 'would be moved' : 'moved'}`;
    },
  );
}

/** The paths of each device, in the order given. */
function byDevice(args: readonly string[]): Map<string, string[]> {
  const devices = new Map<string, string[]>();
  for (const { device, path } of args.map((text) => volumeAddress(text))) {
    devices.set(device, [...(devices.get(device) ?? []), path]);
  }
  return devices;
}

async function rewrite(
  context: Context,
  device: string,
  changesOn: (volume: Volume) => RewriteChanges,
  { othersAreGone = false, dryRun = false }: RewriteFlags,
  summary: (result: RewriteResult) => string,
): Promise<void> {
  let bar: Promise<Progress> | undefined;
  try {
    const result = await withVolume(context, device, { readOnly: false }, (volume) =>
      volume.rewrite(changesOn(volume), {
        othersAreGone,
        dryRun,
        signal: context.interruptible(),
        onProgress: ({ bytes, totalBytes, path }) => {
          bar ??= startProgress(totalBytes);
          void bar.then((shown) => shown.update(bytes, path));
        },
      }),
    );
    const { freedBytes, after } = result;
    const freed =
      freedBytes === 0
        ? ''
        : `, ${humanSize(Math.abs(freedBytes))} ${freedBytes > 0 ? 'freed' : 'more in use'}`;
    context.show({ device, dryRun, ...result }, () => {
      return `${device}: ${summary(result)}${freed}; ${humanSize(after.free)} and ${count(after.logFree, 'log slot')} free`;
    });
  } finally {
    (await bar)?.stop();
  }
}
