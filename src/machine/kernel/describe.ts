import {
  blocksOf,
  type DevicePlace,
  driverOf,
  findDevices,
  isStatic,
  modeOfDriver,
  numberOf,
  type ReadableTree,
  rangesOf,
  SysfsFiles,
  textOf,
} from '../../tree/index.js';
import { deviceOfNode } from '../devdax-mode.js';
import type { KernelDeviceInfo, KernelRegionInfo, RegionProvider } from './types.js';

/** Describes the devices and regions of the kernel's bus to callers: plain objects, read anew at each call. */

/**
 * Returns what sysfs says of the device behind a node (`/dev/dax0.0`); null when the node is no dax device of the running kernel.
 */
export function kernelDeviceOf(node: string): KernelDeviceInfo | null {
  const sysfs = new SysfsFiles('/sys');
  const place = deviceOfNode(sysfs, node);
  return place === null ? null : describeDevice(sysfs, place);
}

export function describeDevice(tree: ReadableTree, place: DevicePlace): KernelDeviceInfo {
  const number = (name: string) => numberOf(tree, `${place.directory}/${name}`);
  const driver = driverOf(tree, place);
  const mode = modeOfDriver(driver);
  const ranges = rangesOf(tree, place);
  const resource = number('resource');
  const isKnown = ranges.length > 0 || resource !== null;
  const providerStart = startOfProvider(tree, place.regionDirectory);
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
    numbers: textOf(tree, `${place.directory}/dev`) ?? '',
    resource,
    dataOffset: resource === null || providerStart === null ? null : resource - providerStart,
    numaNode: number('numa_node') ?? -1,
    persistent: isPersistent(place.directory),
    memory: mode === 'system-ram' && isKnown ? memoryOf(tree, place) : null,
  };
}

function memoryOf(tree: ReadableTree, place: DevicePlace): KernelDeviceInfo['memory'] {
  const blocks = blocksOf(tree, place);
  return {
    total: blocks.length,
    online: blocks.filter((block) => block.online).length,
    movable: blocks.filter((block) => block.movable).length,
  };
}

/** Treats each directory that has devices on the bus as a region. Two namespaces of one nd region share its number. */
export function findRegions(tree: ReadableTree): KernelRegionInfo[] {
  const byDirectory = new Map<string, DevicePlace[]>();
  for (const place of findDevices(tree)) {
    byDirectory.set(place.regionDirectory, [...(byDirectory.get(place.regionDirectory) ?? []), place]);
  }
  return [...byDirectory.values()].map((places) => describeRegion(tree, places));
}

function describeRegion(tree: ReadableTree, places: readonly DevicePlace[]): KernelRegionInfo {
  const { regionDirectory: directory, region: id } = places[0]!;
  const number = (name: string) => numberOf(tree, `${directory}/dax_region/${name}`);
  const devices = places.map((place) => describeDevice(tree, place));
  return {
    id,
    static: isStatic(tree, directory),
    size: number('size') ?? devices.reduce((sum, { size }) => sum + size, 0),
    availableSize: number('available_size') ?? 0,
    align: number('align') ?? devices[0]!.align,
    targetNode: devices[0]!.targetNode,
    devices: places.map(({ name }) => name),
    provider: providerOf(directory),
    path: directory,
    hpa: startOfProvider(tree, directory) ?? lowest(devices.map(({ resource }) => resource)),
    persistent: isPersistent(directory),
  };
}

function lowest(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.min(...known);
}

/** Where the memory of an NVDIMM region begins; a namespace's data is a part of it. Null for other providers. */
function startOfProvider(tree: ReadableTree, regionDirectory: string): number | null {
  const parts = regionDirectory.split('/');
  const at = parts.findIndex((part) => /^ndbus\d+$/.test(part));
  return at < 0 ? null : numberOf(tree, `${parts.slice(0, at + 2).join('/')}/resource`);
}

/** Whether a directory is below an NVDIMM bus. Such memory survives power loss; CXL and soft-reserved memory does not. */
function isPersistent(directory: string): boolean {
  return directory.split('/').some((part) => /^ndbus\d+$/.test(part));
}

function providerOf(directory: string): RegionProvider {
  if (isPersistent(directory)) return 'nvdimm';
  const parts = directory.split('/');
  if (parts.some((part) => /^(hmem|hmem_platform)\.?\d*$/.test(part))) return 'hmem';
  // The memory of a CXL region is at dax_regionN, below regionN, below a decoder.
  return parts.some((part) => /^(dax_region|decoder)\d/.test(part)) ? 'cxl' : 'other';
}
