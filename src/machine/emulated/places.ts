import { gapsOf } from '../../dax/index.js';
import type { LockRange } from '../../libc/index.js';
import { placeIn, type UsePlace } from '../use-lock.js';
import type { MachineDocument, RegionDocument } from './document.js';
import { nodeHolderName, restOfRegion } from './held-changes.js';
import type { RegionBacking } from './region-backing.js';

/**
 * Where memory lies: that of a device, of a memory node (`node1`: all its system-ram), or the part of a region that no device
 * has.
 * @param how use: the memory is opened in order to use it; look: only in order to see who uses it
 */
export function placesIn(
  document: MachineDocument,
  name: string,
  backingOf: (region: number) => RegionBacking | undefined,
  how: 'use' | 'look',
): UsePlace[] {
  return document.regions.flatMap((region) => {
    const addresses = rangesOf(region, name);
    const backing = backingOf(region.id);
    if (!addresses || !backing) return [];
    const ranges = addresses.map(({ start, end }) => ({
      start: region.backing.offset + start - region.start,
      length: end - start + 1,
    }));
    return [how === 'use' ? placeIn(backing, ranges) : placeSeen(backing, ranges)];
  });
}

function placeSeen(backing: RegionBacking, ranges: readonly LockRange[]): UsePlace {
  return { name: backing.name, ranges, open: () => backing.openToLook() };
}

/** Physical addresses, `end` inclusive; undefined when the region has nothing of that name. */
function rangesOf(region: RegionDocument, name: string): { start: number; end: number }[] | undefined {
  if (name === restOfRegion(region.id)) {
    const whole = { start: region.start, end: region.start + region.size - 1 };
    return gapsOf(
      whole,
      region.devices.flatMap(({ ranges }) => ranges),
    );
  }
  const devices = region.devices.filter(
    (device) =>
      device.name === name || (device.driver === 'kmem' && nodeHolderName(region.targetNode) === name),
  );
  return devices.length === 0 ? undefined : devices.flatMap(({ ranges }) => ranges);
}
