import { isError } from '../../libc/index.js';
import type { DeviceInfo, HolderInfo } from '../../machine/index.js';
import { allMounts, type ShownMount } from '../commands/mounts.js';
import type { Context } from '../context.js';
import { countsOf, fetchMetrics, type MountCounts } from '../metrics/read.js';
import { withKernel, withMachineIfAny, withVolume } from '../opening.js';

export interface SeenDevice {
  name: string;
  mode: string;
  state: string;
  /** Bytes. */
  size: number;
  holders: number;
  /** Bytes known to have failed. */
  poison: number;
}

export interface SeenVolume {
  device: string;
  /** Why it cannot be mounted; null when it can. The figures are 0 then. */
  problem: string | null;
  size: number;
  used: number;
  free: number;
  files: number;
  logUsed: number;
  logSlots: number;
}

export interface SeenMount extends ShownMount {
  /** What it has done since it began; absent when it serves no metrics, or does not answer. */
  counts?: MountCounts;
}

/** What there is at one moment. */
export interface Snapshot {
  /** Milliseconds since 1970. */
  time: number;
  root: string;
  devices: SeenDevice[];
  volumes: SeenVolume[];
  holders: HolderInfo[];
  mounts: SeenMount[];
}

/** Looks at machine, volumes and mounts, and stores nothing. */
export async function snapshot(context: Context): Promise<Snapshot> {
  const { devices, holders } = machineOf(context);
  const volumes = devices
    .filter(({ mode, state }) => mode === 'famfs' && state === 'enabled' && !context.kernel)
    .map(({ name }) => volumeOf(context, name));
  const mounts = await Promise.all((await allMounts(context.root)).map(withCounts));
  return { time: Date.now(), root: context.kernel ?? context.root, devices, volumes, holders, mounts };
}

function machineOf(context: Context): { devices: SeenDevice[]; holders: HolderInfo[] } {
  const seen = (
    devices: readonly DeviceInfo[],
    holders: HolderInfo[],
    poisonOf: (name: string) => number,
  ) => ({
    devices: devices.map(({ name, mode, state, size }) => {
      const held = holders.filter(({ device }) => device === name).length;
      return { name, mode, state, size, holders: held, poison: poisonOf(name) };
    }),
    holders,
  });
  if (context.kernel)
    return withKernel(context, (machine) => {
      const { devices, holders } = machine.status();
      return seen(devices, holders, () => 0);
    });
  return withMachineIfAny(
    context,
    seen([], [], () => 0),
    (machine) => {
      const { devices, holders, poison } = machine.status();
      return seen(devices, holders, (name) =>
        poison.reduce((sum, { device, length }) => (device === name ? sum + length : sum), 0),
      );
    },
  );
}

function volumeOf(context: Context, device: string): SeenVolume {
  const unknown = { size: 0, used: 0, free: 0, files: 0, logUsed: 0, logSlots: 0 };
  try {
    return withVolume(context, device, { readOnly: true }, (volume) => {
      const { size, used, free, files, logUsed, logSlots } = volume.statfs();
      return { device, problem: null, size, used, free, files, logUsed, logSlots };
    });
  } catch (error) {
    if (!isError(error)) throw error;
    return { device, problem: error.message.split('\n')[0]!, ...unknown };
  }
}

async function withCounts(mount: ShownMount): Promise<SeenMount> {
  if (mount.metrics === undefined) return mount;
  try {
    const counts = countsOf(await fetchMetrics(mount.metrics), mount.mountpoint);
    return counts === null ? mount : { ...mount, counts };
  } catch (error) {
    if (!isError(error)) throw error;
    return mount; // it ended just now, or hangs: its state tells
  }
}
