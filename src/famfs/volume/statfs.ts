import type { MountedFamfs } from './mounted.js';
import type { VolumeStatfs } from './types.js';

/** See Volume.statfs. */
export function statfsOf({ superblock, tree, space }: MountedFamfs): VolumeStatfs {
  const { deviceSize, allocUnit } = superblock;
  const { slots } = tree.log;
  const used = deviceSize - (deviceSize % allocUnit) - space.freeBytes;
  return {
    size: deviceSize,
    used,
    free: space.freeBytes,
    allocUnit,
    files: tree.counts.files,
    directories: tree.counts.directories,
    logSlots: slots,
    logUsed: Math.min(tree.nextIndex, slots),
    logFree: Math.max(0, slots - tree.nextIndex),
  };
}
