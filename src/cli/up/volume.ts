import { statfsSync } from 'node:fs';
import { hasFileSystem, mountFamfsOn, type Volume } from '../../famfs/index.js';
import { mkfs } from '../../index.js';
import { fail } from '../../libc/index.js';
import type { Machine, MachineDevice } from '../../machine/index.js';
import { humanSize } from '../output/human.js';

const MiB = 2 ** 20;
const defaultRegionSize = 256 * MiB;
/** Enough for the superblock, a log and some dozens of files. */
const leastRegionSize = 64 * MiB;
const unit = 2 * MiB;

/** What `up` made, and what it found. */
export interface ReadyVolume {
  volume: Volume;
  device: MachineDevice;
  /** One sentence for each step, in order. */
  story: string[];
}

/**
 * Mounts a famfs on a machine. It makes what is missing and keeps what is there. It uses the first device in famfs mode. Without
 * one it adds a region, because the other devices may have data of somebody else. It makes a file system only where there never
 * was one.
 */
export function readyVolume(machine: Machine, size: number | null): ReadyVolume {
  const story: string[] = [];
  const device = machine.device(famfsDevice(machine, size, story));
  if (hasFileSystem(device)) story.push(`kept the famfs on ${device.name}`);
  else {
    mkfs(device);
    story.push(`made a famfs on ${device.name} (mkfs)`);
  }
  const volume = mountFamfsOn(device, { purpose: 'up' });
  story.push(`mounted it as ${volume.role}`);
  return { volume, device, story };
}

function famfsDevice(machine: Machine, size: number | null, story: string[]): string {
  const ready = machine.devices().find((device) => device.mode === 'famfs' && device.state === 'enabled');
  if (ready) {
    story.push(`found ${ready.name}: ${humanSize(ready.size)} in famfs mode`);
    return ready.name;
  }
  const region = machine.createRegion({ size: size ?? sizeThatFits(machine.root) });
  const name = region.devices[0]!;
  story.push(`made region ${region.id}: ${humanSize(region.size)} in ${region.backing.path}`);
  machine.reconfigure(name, 'famfs');
  story.push(`put ${name} into famfs mode (driver fsdev_dax)`);
  return name;
}

/** The default size, or less on a small disk: half of the free space is left to others. */
function sizeThatFits(root: string): number {
  const { bavail, bsize } = statfsSync(root);
  const half = Math.floor((bavail * bsize) / 2 / unit) * unit;
  if (half < leastRegionSize) {
    fail(
      'ENOSPC',
      `${root} has ${humanSize(bavail * bsize)} free: udax up wants twice ${humanSize(leastRegionSize)}; choose another --root, or -s SIZE`,
    );
  }
  return Math.min(defaultRegionSize, half);
}
