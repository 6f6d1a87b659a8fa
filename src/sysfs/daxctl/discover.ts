/** Regions and devices as daxctl finds them: by the links of the bus, the region being the parent directory. */
import { attempt, type DaxctlHost, readAttribute, readNumber } from './host.js';

export interface FoundRegion {
  /** The provider's directory, relative to /sys: `devices/platform/...`. */
  readonly directory: string;
  readonly id: number;
  readonly size: number | null;
  readonly align: number | null;
  readonly availableSize: number | null;
}

export interface FoundDevice {
  readonly name: string;
  readonly region: FoundRegion;
  /** Relative to /sys. */
  readonly directory: string;
  readonly instance: number;
}

export type DeviceMode = 'devdax' | 'famfs' | 'system-ram';

/** Whether this version of daxctl knows a mode by that name. */
export function isMode(host: DaxctlHost, name: string): name is DeviceMode {
  return name === 'devdax' || name === 'system-ram' || (name === 'famfs' && host.version >= 85);
}

const NAME = /^dax(\d+)\.(\d+)$/;

/** In reverse readdir order, each once. */
export function findRegions(host: DaxctlHost): FoundRegion[] {
  const regions = new Map<string, FoundRegion>();
  for (const name of attempt(() => host.sysfs.readdir('bus/dax/devices'), [])) {
    const id = NAME.exec(name)?.[1];
    if (id === undefined) continue;
    const physical = attempt(() => host.sysfs.realpath(`bus/dax/devices/${name}`), null);
    if (physical === null) continue;
    const directory = physical.slice(0, physical.lastIndexOf('/'));
    if (!regions.has(directory)) regions.set(directory, regionAt(host, directory, Number(id)));
  }
  return [...regions.values()].reverse();
}

function regionAt(host: DaxctlHost, directory: string, id: number): FoundRegion {
  const attribute = (name: string) => readNumber(host, `${directory}/dax_region/${name}`);
  return {
    directory,
    id,
    size: attribute('size'),
    align: attribute('align'),
    availableSize: attribute('available_size'),
  };
}

/** Devices of a region, in reverse readdir order. */
export function findDevices(host: DaxctlHost, region: FoundRegion): FoundDevice[] {
  const devices: FoundDevice[] = [];
  for (const name of attempt(() => host.sysfs.readdir(region.directory), [])) {
    const instance = NAME.exec(name)?.[2];
    if (instance === undefined) continue;
    devices.push({ name, region, directory: `${region.directory}/${name}`, instance: Number(instance) });
  }
  return devices.reverse();
}

/** Name of the bound driver, or null. */
export function driverOf(host: DaxctlHost, device: FoundDevice): string | null {
  const target = attempt(() => host.sysfs.readlink(`${device.directory}/driver`), null);
  return target === null ? null : target.slice(target.lastIndexOf('/') + 1);
}

/** An unbound device is devdax, and disabled; 76 takes fsdev_dax for devdax. */
export function modeOf(host: DaxctlHost, device: FoundDevice): DeviceMode {
  const driver = driverOf(host, device);
  if (driver === 'kmem') return 'system-ram';
  return driver === 'fsdev_dax' && host.version >= 85 ? 'famfs' : 'devdax';
}

export function deviceNumber(host: DaxctlHost, device: FoundDevice, attribute: string): number | null {
  return readNumber(host, `${device.directory}/${attribute}`);
}

export interface FoundMapping {
  readonly pageOffset: number;
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/** mapping0, mapping1 ... until one is missing or may not be read. */
export function mappingsOf(host: DaxctlHost, device: FoundDevice): FoundMapping[] {
  const mappings: FoundMapping[] = [];
  for (;;) {
    const here = `${device.directory}/mapping${mappings.length}`;
    const [start, end, pageOffset] = ['start', 'end', 'page_offset'].map((name) =>
      readAttribute(host, `${here}/${name}`),
    );
    if (start == null || end == null || pageOffset == null) return mappings;
    mappings.push({ start: Number(start), end: Number(end), pageOffset: Number(pageOffset) });
  }
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

export function deviceSelected(device: FoundDevice, wanted: string | null): boolean {
  return wanted === null || wanted === 'all' || wanted === device.name;
}
