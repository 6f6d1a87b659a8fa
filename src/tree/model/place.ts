/** The paths of regions, devices, drivers and memory blocks in the tree: without links and without a leading slash. */
import type { DevDax } from '../../dax/index.js';

/**
 * Gives the provider's directory of a region, below `devices/`: `platform/hmem_platform.0/hmem.0`.
 * The region's attributes are in its `dax_region/`; the devices are beside that.
 */
export type RegionPlace = (region: DevDax['region']) => string;

/**
 * The place of the regions of a udax machine, in every tree of it. All of them are in one directory, which can be bind-mounted
 * over another tree (/sys) as a whole, for present and later regions. daxctl prints it as the path of a region.
 */
export const udaxPlace: RegionPlace = (region) => `udax/region${region.id}`;

export const BUS_PATH = 'bus/dax';

export function devicePath(place: RegionPlace, device: DevDax): string {
  return `devices/${place(device.region)}/${device.name}`;
}

export function driverPath(driver: string): string {
  return `${BUS_PATH}/drivers/${driver}`;
}

export function memoryBlockPath(id: number): string {
  return `devices/system/memory/memory${id}`;
}
