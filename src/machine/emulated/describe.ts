import type { Bus, DevDax, Region } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { modeOfDriver } from '../../tree/index.js';
import type { DeviceInfo, PoisonRange, RegionInfo } from '../types.js';
import type { RegionBacking } from './region-backing.js';

/**
 * Finds devices and regions of the model, and describes them to callers as plain copies, so that no caller refers to the model.
 */

/** @throws DaxError ENODEV */
export function deviceNamed(bus: Bus, name: string): DevDax {
  return bus.device(name) ?? fail('ENODEV', `${name}: no such device on this machine`, { path: name });
}

/** @throws DaxError ENODEV */
export function regionNumbered(bus: Bus, id: number): Region {
  return bus.region(id) ?? fail('ENODEV', `region ${id}: no such region on this machine`);
}

export function describeRegion(region: Region, backing: RegionBacking): RegionInfo {
  const { path, problem } = backing;
  const { kind, offset, sparse, ram } = backing.record;
  return {
    id: region.id,
    type: region.type,
    static: region.isStatic,
    hpa: region.start,
    size: region.size,
    availableSize: region.availableSize,
    align: region.align,
    targetNode: region.targetNode,
    backing: {
      path,
      kind,
      offset,
      ...(sparse ? { sparse } : {}),
      ...(ram ? { ram } : {}),
      ...(problem === null ? {} : { problem }),
    },
    devices: region.devices.map((device) => device.name),
  };
}

export function describeDevice(device: DevDax): DeviceInfo {
  return {
    name: device.name,
    region: device.region.id,
    size: device.size,
    align: device.align,
    targetNode: device.targetNode,
    mode: modeOfDriver(device.driver),
    driver: device.driver,
    state: device.driver === null ? 'disabled' : 'enabled',
    ranges: device.ranges.map(({ start, end, pageOffset }) => ({ start, end, pageOffset })),
  };
}

/** Poisoned ranges as offsets on the devices that own them now. */
export function describePoison(bus: Bus): PoisonRange[] {
  const found: PoisonRange[] = [];
  for (const { pfn, pages } of bus.pages.poisonedRanges()) {
    const first = pfn * PAGE_SIZE;
    const end = first + pages * PAGE_SIZE;
    for (const device of bus.devices()) {
      for (const range of device.ranges) {
        const from = Math.max(first, range.start);
        const to = Math.min(end, range.end + 1);
        if (from >= to) continue;
        const offset = range.pageOffset * PAGE_SIZE + (from - range.start);
        found.push({ device: device.name, offset, length: to - from });
      }
    }
  }
  return found;
}

/** The physical ranges of [offset, offset + length) of a device, in device order. */
export function physicalPieces(
  device: DevDax,
  offset: number,
  length: number,
): { start: number; length: number }[] {
  const pieces: { start: number; length: number }[] = [];
  for (const range of device.ranges) {
    const rangeOffset = range.pageOffset * PAGE_SIZE;
    const from = Math.max(offset, rangeOffset);
    const to = Math.min(offset + length, rangeOffset + (range.end - range.start + 1));
    if (from < to) pieces.push({ start: range.start + (from - rangeOffset), length: to - from });
  }
  return pieces;
}
