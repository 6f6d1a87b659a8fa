import path from 'node:path';
import { fail } from '../../libc/index.js';
import type { DeviceMode } from '../types.js';
import { blocksIn, type MemoryBlockFile } from './memory-blocks.js';
import type { SysfsFiles } from './sysfs-files.js';
import type { KernelDeviceInfo, KernelRegionInfo, RegionProvider } from './types.js';

/** Regions and devices of a sysfs tree. A region has no entry on the bus: it is the directory its devices are in. */

const NAME = /^dax(\d+)\.(\d+)$/;
export const DEVICES = 'bus/dax/devices';
export const DRIVERS = 'bus/dax/drivers';

/** Where a device is in the tree. */
export interface DevicePlace {
  name: string;
  region: number;
  instance: number;
  /** Its directory, relative to the root, without links. */
  directory: string;
  /** Its region's. */
  regionDirectory: string;
}

/** Devices on the bus, by region and instance. One that goes away meanwhile is left out. */
export function findDevices(sysfs: SysfsFiles): DevicePlace[] {
  const places = sysfs.names(DEVICES).map((name) => placeOf(sysfs, name));
  return places
    .filter((place) => place !== null)
    .sort((a, b) => a.region - b.region || a.instance - b.instance);
}

/** @throws DaxError ENODEV */
export function deviceAt(sysfs: SysfsFiles, name: string): DevicePlace {
  return (
    placeOf(sysfs, name) ??
    fail('ENODEV', `${name}: no such device on the kernel's dax bus (see "udax --kernel list")`, {
      path: name,
    })
  );
}

function placeOf(sysfs: SysfsFiles, name: string): DevicePlace | null {
  const [, region, instance] = NAME.exec(name) ?? [];
  if (region === undefined || !sysfs.exists(`${DEVICES}/${name}`)) return null;
  const directory = sysfs.realpath(`${DEVICES}/${name}`);
  return {
    name,
    region: Number(region),
    instance: Number(instance),
    directory,
    regionDirectory: path.dirname(directory),
  };
}

/** Name of the bound driver, or null. */
export function driverOf(sysfs: SysfsFiles, place: DevicePlace): string | null {
  return sysfs.linkName(`${place.directory}/driver`);
}

/** An unbound device counts as devdax, as daxctl lists it. */
export function modeOfDriver(driver: string | null): DeviceMode {
  if (driver === 'fsdev_dax') return 'famfs';
  return driver === 'kmem' ? 'system-ram' : 'devdax';
}

export function describeDevice(sysfs: SysfsFiles, place: DevicePlace): KernelDeviceInfo {
  const number = (name: string) => sysfs.number(`${place.directory}/${name}`);
  const driver = driverOf(sysfs, place);
  const mode = modeOfDriver(driver);
  const ranges = rangesOf(sysfs, place);
  const resource = number('resource');
  const providerStart = startOfProvider(sysfs, place.regionDirectory);
  return {
    name: place.name,
    region: place.region,
    size: number('size') ?? 0,
    align: number('align') ?? 0,
    targetNode: number('target_node') ?? -1,
    mode,
    driver,
    state: driver === null ? 'disabled' : 'enabled',
    ranges,
    node: `/dev/${place.name}`,
    numbers: sysfs.text(`${place.directory}/dev`) ?? '',
    resource,
    dataOffset: resource === null || providerStart === null ? null : resource - providerStart,
    numaNode: number('numa_node') ?? -1,
    persistent: isPersistent(place.directory),
    memory: mode === 'system-ram' ? memoryOf(sysfs, place) : null,
  };
}

function memoryOf(sysfs: SysfsFiles, place: DevicePlace): KernelDeviceInfo['memory'] {
  const spans = spansOf(sysfs, place);
  if (spans.length === 0) return null;
  const blocks = blocksIn(sysfs, spans);
  return {
    total: blocks.length,
    online: blocks.filter((block) => block.online).length,
    movable: blocks.filter((block) => block.movable).length,
  };
}

/** The memory blocks a device in system-ram mode gave to the kernel; none where its addresses may not be read. */
export function deviceBlocks(sysfs: SysfsFiles, place: DevicePlace): MemoryBlockFile[] {
  return blocksIn(sysfs, spansOf(sysfs, place));
}

/** Physical spans of a device: its mappings; on kernels before they were there, its resource and size. */
function spansOf(sysfs: SysfsFiles, place: DevicePlace): { start: number; end: number }[] {
  const ranges = rangesOf(sysfs, place);
  if (ranges.length > 0) return ranges;
  const start = sysfs.number(`${place.directory}/resource`);
  const size = sysfs.number(`${place.directory}/size`) ?? 0;
  return start === null || size === 0 ? [] : [{ start, end: start + size - 1 }];
}

/** mapping0, mapping1 ... until one is missing or may not be read (they are root's). */
function rangesOf(sysfs: SysfsFiles, place: DevicePlace): KernelDeviceInfo['ranges'] {
  const ranges: KernelDeviceInfo['ranges'] = [];
  for (;;) {
    const here = `${place.directory}/mapping${ranges.length}`;
    const [start, end, pageOffset] = ['start', 'end', 'page_offset'].map((name) =>
      sysfs.number(`${here}/${name}`),
    );
    if (start == null || end == null || pageOffset == null) return ranges;
    ranges.push({ start, end, pageOffset });
  }
}

/** Each directory that has devices on the bus is a region; two namespaces of one nd region share its number. */
export function findRegions(sysfs: SysfsFiles): KernelRegionInfo[] {
  const byDirectory = new Map<string, DevicePlace[]>();
  for (const place of findDevices(sysfs)) {
    byDirectory.set(place.regionDirectory, [...(byDirectory.get(place.regionDirectory) ?? []), place]);
  }
  return [...byDirectory.values()].map((places) => describeRegion(sysfs, places));
}

function describeRegion(sysfs: SysfsFiles, places: readonly DevicePlace[]): KernelRegionInfo {
  const { regionDirectory: directory, region: id } = places[0]!;
  const number = (name: string) => sysfs.number(`${directory}/dax_region/${name}`);
  const devices = places.map((place) => describeDevice(sysfs, place));
  return {
    id,
    static: isStatic(sysfs, directory),
    size: number('size') ?? devices.reduce((sum, { size }) => sum + size, 0),
    availableSize: number('available_size') ?? 0,
    align: number('align') ?? devices[0]!.align,
    targetNode: devices[0]!.targetNode,
    devices: places.map(({ name }) => name),
    provider: providerOf(directory),
    path: directory,
    hpa: startOfProvider(sysfs, directory) ?? lowest(devices.map(({ resource }) => resource)),
    persistent: isPersistent(directory),
  };
}

/** A region whose devices can neither be made nor resized has no `create`. */
export function isStatic(sysfs: SysfsFiles, regionDirectory: string): boolean {
  return !sysfs.exists(`${regionDirectory}/dax_region/create`);
}

function lowest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Where the memory of an NVDIMM region begins, of which a namespace's data is a part; null for other providers. */
function startOfProvider(sysfs: SysfsFiles, regionDirectory: string): number | null {
  const parts = regionDirectory.split('/');
  const at = parts.findIndex((part) => /^ndbus\d+$/.test(part));
  return at < 0 ? null : sysfs.number(`${parts.slice(0, at + 2).join('/')}/resource`);
}

/** A directory below an NVDIMM bus: what survives power loss. CXL and soft-reserved memory does not. */
function isPersistent(directory: string): boolean {
  return directory.split('/').some((part) => /^ndbus\d+$/.test(part));
}

function providerOf(directory: string): RegionProvider {
  if (isPersistent(directory)) return 'nvdimm';
  const parts = directory.split('/');
  if (parts.some((part) => /^(hmem|hmem_platform)\.?\d*$/.test(part))) return 'hmem';
  // A CXL region's memory comes as dax_regionN below regionN below a decoder.
  return parts.some((part) => /^(dax_region|decoder)\d/.test(part)) ? 'cxl' : 'other';
}
