/** Regions and devices in daxctl's order, daxctl's names for modes, and the selection by its arguments. */
import { numberOf } from '../dax-tree.js';
import { type DevicePlace, devicesIn, devicesOnBus, driverOf } from '../devices.js';
import { type DeviceMode, driverOfMode, modeOfDriver } from '../drivers.js';
import type { DaxctlLook } from './host.js';

export interface FoundRegion {
  /** The provider's directory, relative to /sys: `devices/platform/...`. */
  readonly directory: string;
  readonly id: number;
  readonly size: number | null;
  readonly align: number | null;
  readonly availableSize: number | null;
}

/** True when this version of daxctl has a mode of that name. */
export function isMode({ version }: DaxctlLook, name: string): name is DeviceMode {
  return Object.hasOwn(driverOfMode, name) && (name !== 'famfs' || version >= 85);
}

/** The regions of the devices on the bus, each once, in reverse readdir order. */
export function findRegions({ tree }: DaxctlLook): FoundRegion[] {
  const regions = new Map<string, FoundRegion>();
  for (const { regionDirectory: directory, region: id } of devicesOnBus(tree)) {
    if (regions.has(directory)) continue;
    const attribute = (name: string) => numberOf(tree, `${directory}/dax_region/${name}`);
    regions.set(directory, {
      directory,
      id,
      size: attribute('size'),
      align: attribute('align'),
      availableSize: attribute('available_size'),
    });
  }
  return [...regions.values()].reverse();
}

/** The devices of a region, in reverse readdir order. */
export function findDevices({ tree }: DaxctlLook, region: FoundRegion): DevicePlace[] {
  return devicesIn(tree, region.directory).reverse();
}

/** The mode of a device. An unbound device is devdax (and disabled). Version 76 shows fsdev_dax as devdax. */
export function modeOf({ tree, version }: DaxctlLook, device: DevicePlace): DeviceMode {
  const mode = modeOfDriver(driverOf(tree, device));
  return mode === 'famfs' && version < 85 ? 'devdax' : mode;
}

export interface Selection {
  /** A device name, or `all`; null selects all. */
  readonly device: string | null;
  /** A region id, or `all`; null selects all. */
  readonly region: string | null;
}

export function regionSelected(region: FoundRegion, wanted: string | null): boolean {
  return wanted === null || wanted === 'all' || (/^\d+$/.test(wanted) && Number(wanted) === region.id);
}

export function deviceSelected(device: DevicePlace, wanted: string | null): boolean {
  return wanted === null || wanted === 'all' || wanted === device.name;
}
