/** Where things are in the tree: physical paths, without a leading slash. */
import type { DevDax } from '../../dax/index.js';

/**
 * The provider's directory of a region, below `devices/`: `platform/hmem_platform.0/hmem.0`.
 * The region's attributes are in its `dax_region/`, its devices beside that.
 */
export type RegionPlace = (region: DevDax['region']) => string;

/**
 * Where the regions of an ordinary udax machine are, in every tree of it: one directory for all of them, which can be bound over
 * another tree (/sys) as a whole, now and for later ones. daxctl prints it as the path of a region.
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
