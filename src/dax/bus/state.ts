import type { OnlinePolicy } from '../../mm/index.js';
import type { DevDax, RegionType } from '../regions/dev-dax.js';
import type { Region } from '../regions/region.js';
import type { BusParts } from './parts.js';

/** A bus as plain JSON, as machine/ stores it. Open files, holders and folio state belong to processes and are not in it. */
export interface BusState {
  autoprobe: boolean;
  autoOnline: OnlinePolicy;
  /** In load order. */
  modules: { name: string; ids: string[] }[];
  /** In the order they were added. */
  regions: RegionState[];
  memoryBlocks: { id: number; state: OnlinePolicy }[];
  /** Memory that a kmem unbind could not take back. `end` is inclusive. */
  stranded: { device: string; start: number; end: number; node: number }[];
  poison: { pfn: number; pages: number }[];
}

export interface RegionState {
  id: number;
  type: RegionType;
  isStatic: boolean;
  start: number;
  size: number;
  align: number;
  targetNode: number;
  numaNode: number;
  seed: string | null;
  youngest: string | null;
  /** Oldest first. */
  devices: DeviceState[];
}

export interface DeviceState {
  name: string;
  instance: number;
  minor: number;
  align: number;
  memmapOnMemory: boolean;
  /** `end` is inclusive. */
  ranges: { start: number; end: number }[];
  driver: string | null;
  /** The number of ranges at probe. The ranges after these were added while the driver was bound. */
  boundRanges: number;
}

export function snapshot(bus: BusParts): BusState {
  return {
    autoprobe: bus.autoprobe.on,
    autoOnline: bus.memoryBlocks.autoOnline,
    modules: bus.modules.list.map(({ name, driver }) => ({ name, ids: [...(driver?.ids ?? [])] })),
    regions: bus.regions.map(regionState),
    memoryBlocks: bus.memoryBlocks.list.map((block) => ({ id: block.id, state: block.policy })),
    stranded: bus.platform.stranded.map(({ device, start, end, node }) => ({ device, start, end, node })),
    poison: bus.pages.poisonedRanges(),
  };
}

/** The properties of a region, without its devices, as text to compare. */
export function regionFacts(region: Region | RegionState): string {
  const { id, type, isStatic, start, size, align, targetNode, numaNode } = region;
  return JSON.stringify([id, type, isStatic, start, size, align, targetNode, numaNode]);
}

function regionState(region: Region): RegionState {
  const { id, type, isStatic, start, size, align, targetNode, numaNode } = region;
  return {
    id,
    type,
    isStatic,
    start,
    size,
    align,
    targetNode,
    numaNode,
    seed: region.seed?.name ?? null,
    youngest: region.youngest?.name ?? null,
    devices: region.devices.map(deviceState),
  };
}

export function deviceState(device: DevDax): DeviceState {
  return {
    name: device.name,
    instance: device.instance,
    minor: device.minor,
    align: device.align,
    memmapOnMemory: device.memmapOnMemory,
    ranges: device.ranges.map(({ start, end }) => ({ start, end })),
    driver: device.driver,
    boundRanges: device.binding?.ranges.length ?? 0,
  };
}
