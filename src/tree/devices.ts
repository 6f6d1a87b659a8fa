import { fail } from '../libc/index.js';
import { isThere, linkName, namesIn, numberOf, type ReadableTree, realPathOf } from './dax-tree.js';

/** The devices of a tree, and their attributes. A region has no entry on the bus: it is the directory that holds its devices. */

const NAME = /^dax(\d+)\.(\d+)$/;
const DEVICES = 'bus/dax/devices';

/** The place of a device in the tree. */
export interface DevicePlace {
  readonly name: string;
  /** Region id; two regions (namespaces of one nd region) may share it. */
  readonly region: number;
  readonly instance: number;
  /** Its directory, relative to the root, with links resolved. */
  readonly directory: string;
  /** The directory of its region. */
  readonly regionDirectory: string;
}

/** The devices on the bus, sorted by region and instance. A device that disappears meanwhile is left out. */
export function findDevices(tree: ReadableTree): DevicePlace[] {
  return devicesOnBus(tree).sort((a, b) => a.region - b.region || a.instance - b.instance);
}

/** The devices on the bus, in the tree's own order. */
export function devicesOnBus(tree: ReadableTree): DevicePlace[] {
  return namesIn(tree, DEVICES).flatMap((name) => placeOf(tree, name) ?? []);
}

/** The devices of one region, in the tree's own order. */
export function devicesIn(tree: ReadableTree, regionDirectory: string): DevicePlace[] {
  return namesIn(tree, regionDirectory).flatMap(
    (name) => placeAt(name, `${regionDirectory}/${name}`, regionDirectory) ?? [],
  );
}

/** The place of a device. @throws DaxError ENODEV */
export function deviceAt(tree: ReadableTree, name: string): DevicePlace {
  return placeOf(tree, name) ?? fail('ENODEV', `${name}: no such device on the dax bus`, { path: name });
}

function placeOf(tree: ReadableTree, name: string): DevicePlace | null {
  const directory = NAME.test(name) ? realPathOf(tree, `${DEVICES}/${name}`) : null;
  return directory === null ? null : placeAt(name, directory, directory.slice(0, directory.lastIndexOf('/')));
}

function placeAt(name: string, directory: string, regionDirectory: string): DevicePlace | null {
  const [, region, instance] = NAME.exec(name) ?? [];
  if (region === undefined) return null;
  return { name, region: Number(region), instance: Number(instance), directory, regionDirectory };
}

/** Name of the bound driver, or null. */
export function driverOf(tree: ReadableTree, place: DevicePlace): string | null {
  return linkName(tree, `${place.directory}/driver`);
}

export interface MappedRange {
  /** hpa of the first byte. */
  start: number;
  /** hpa of the last byte. */
  end: number;
  /** The device's pages (of 4 KiB) before this range. */
  pageOffset: number;
}

/** The ranges of mapping0, mapping1 ... up to the first one that is missing or not readable (only root may read them). */
export function rangesOf(tree: ReadableTree, place: DevicePlace): MappedRange[] {
  const ranges: MappedRange[] = [];
  for (;;) {
    const here = `${place.directory}/mapping${ranges.length}`;
    const [start, end, pageOffset] = ['start', 'end', 'page_offset'].map((name) =>
      numberOf(tree, `${here}/${name}`),
    );
    if (start == null || end == null || pageOffset == null) return ranges;
    ranges.push({ start, end, pageOffset });
  }
}

/** Physical spans of a device: its mappings; on kernels without mappings, its resource and size. */
export function spansOf(tree: ReadableTree, place: DevicePlace): { start: number; end: number }[] {
  const ranges = rangesOf(tree, place);
  if (ranges.length > 0) return ranges;
  const start = numberOf(tree, `${place.directory}/resource`);
  const size = numberOf(tree, `${place.directory}/size`) ?? 0;
  return start === null || size === 0 ? [] : [{ start, end: start + size - 1 }];
}

/** True for a static region: it has no `create`. */
export function isStatic(tree: ReadableTree, regionDirectory: string): boolean {
  return !isThere(tree, `${regionDirectory}/dax_region/create`);
}
