import { statfsSync } from 'node:fs';
import { mountFamfsOn, type Volume } from '../../famfs/index.js';
import { mkfs } from '../../index.js';
import { fail } from '../../libc/index.js';
import type { Machine, MachineDevice } from '../../machine/index.js';
import { hasFileSystem } from '../opening.js';
import { humanSize } from '../output/human.js';

const MiB = 2 ** 20;
const defaultRegionSize = 256 * MiB;
/** A log, the superblock and some dozens of files fit. */
const leastRegionSize = 64 * MiB;
const unit = 2 * MiB;

/** What `up` made, and what was there. */
export interface ReadyVolume {
  volume: Volume;
  device: MachineDevice;
  /** One sentence an act, in order. */
  story: string[];
}

/**
 * A mounted famfs on a machine: what is missing is made, what is there is kept. The first device in
 * famfs mode serves; where there is none a region is added, because other devices may hold other people's
 * data. A file system is made only where there was never one.
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

/** The default size, or less on a small disk, of which half is left to others. */
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
