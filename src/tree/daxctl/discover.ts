/** Regions and devices in daxctl's order, its names for modes, and what its arguments select. */
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

/** Whether this version of daxctl knows a mode by that name. */
export function isMode({ version }: DaxctlLook, name: string): name is DeviceMode {
  return Object.hasOwn(driverOfMode, name) && (name !== 'famfs' || version >= 85);
}

/** In reverse readdir order, each once. */
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

/** Devices of a region, in reverse readdir order. */
export function findDevices({ tree }: DaxctlLook, region: FoundRegion): DevicePlace[] {
  return devicesIn(tree, region.directory).reverse();
}

/** An unbound device is devdax, and disabled; 76 takes fsdev_dax for devdax. */
export function modeOf({ tree, version }: DaxctlLook, device: DevicePlace): DeviceMode {
  const mode = modeOfDriver(driverOf(tree, device));
  return mode === 'famfs' && version < 85 ? 'devdax' : mode;
}

export interface Selection {
  /** Device name, or `all`; null takes all. */
  readonly device: string | null;
  /** Region id, or `all`; null takes all. */
  readonly region: string | null;
}

export function regionSelected(region: FoundRegion, wanted: string | null): boolean {
  return wanted === null || wanted === 'all' || (/^\d+$/.test(wanted) && Number(wanted) === region.id);
}

export function deviceSelected(device: DevicePlace, wanted: string | null): boolean {
  return wanted === null || wanted === 'all' || wanted === device.name;
}
