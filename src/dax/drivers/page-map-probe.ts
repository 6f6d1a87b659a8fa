import { fail } from '../../libc/index.js';
import {
  DevPagemap,
  type MemoryDeviceType,
  PAGE_SIZE,
  type PageMapOperations,
  PMD_SIZE,
  pagesOfOrder,
} from '../../mm/index.js';
import type { DaxOperations } from '../core/operations.js';
import type { Platform } from '../core/platform.js';
import type { Binding, DevDax } from '../regions/dev-dax.js';
import { lengthOf, type Span } from '../regions/ranges.js';
import type { Devres } from './devres.js';
import type { Probed } from './driver.js';

/** The parts in which the drivers with a page map differ. */
export interface PageMapDriver {
  readonly name: string;
  readonly type: MemoryDeviceType;
  readonly file: Binding['file'];
  /** The order that its folios get at probe. */
  vmemmapShift(device: DevDax, pageMap: DevPagemap): number;
  pageMapOps: (device: DevDax) => PageMapOperations | null;
  /** The driver's own step, after the pages exist. */
  prepare?(device: DevDax, pageMap: DevPagemap, devres: Devres): void;
  /** The dax operations, when file systems can use the device. */
  daxOps?(device: DevDax, pageMap: DevPagemap): DaxOperations;
}

/**
 * The probe that device_dax and fsdev_dax share (kernel-dax.md 14): page map, ranges, type and owner, pages, the driver's
 * own step, char device, dax operations, alive. Devres undoes these in reverse.
 */
export function probePageMap(
  platform: Platform,
  driver: PageMapDriver,
  device: DevDax,
  devres: Devres,
): Probed {
  const ranges = device.ranges;
  const pageMap = devres.acquire('page map', () => takePageMap(platform, driver, device));
  for (const [at, range] of ranges.entries())
    devres.acquire(
      `range ${at}`,
      () => reserve(platform, driver.name, device, at, range),
      (resource) => platform.resources.release(resource),
    );
  devres.acquire(
    'page map owner',
    () => own(pageMap, driver, device),
    () => platform.quirks.has('pgmap-ops-left') || disown(pageMap),
  );
  devres.acquire('pages', () => comeUp(device, pageMap, ranges, driver.vmemmapShift(device, pageMap)));
  driver.prepare?.(device, pageMap, devres);
  devres.acquire('char device', () => undefined);
  const ops = driver.daxOps?.(device, pageMap);
  if (ops !== undefined)
    devres.acquire(
      'dax operations',
      () => device.dax.setOps(ops),
      () => device.dax.setOps(null),
    );
  devres.acquire(
    'alive',
    () => {
      if (!device.region.isStatic) device.pageMap = pageMap;
      device.dax.run();
    },
    () => kill(platform, device, ranges),
  );
  return { ranges, pageMap, file: driver.file };
}

function takePageMap(platform: Platform, driver: PageMapDriver, device: DevDax): DevPagemap {
  const { region } = device;
  if (region.pageMap !== null) {
    if (device.ranges.length > 1) {
      platform.log(4, `${driver.name} ${device.name}: static pgmap / multi-range device conflict`);
      fail(
        'EINVAL',
        `${device.name}: a static region has one page map, its device ${device.ranges.length} ranges`,
      );
    }
    return region.pageMap;
  }
  if (device.pageMap !== null) {
    platform.log(4, `${driver.name} ${device.name}: dynamic-dax with pre-populated page map`);
    fail('EINVAL', `${device.name} has a page map left from an earlier probe`);
  }
  const pageMap = new DevPagemap(device.ranges);
  const { quirks } = platform;
  const early =
    quirks.has('pgmap-published-early') ||
    (quirks.has('kernel72-sticky-pgmap') && driver.name === 'device_dax');
  if (early) device.pageMap = pageMap;
  return pageMap;
}

function reserve(platform: Platform, driver: string, device: DevDax, at: number, range: Span) {
  const resource = platform.resources.request(range.start, range.end, device.name);
  if (resource !== null) return resource;
  const where = `mapping${at}: 0x${range.start.toString(16)}-0x${range.end.toString(16)}`;
  platform.log(4, `${driver} ${device.name}: ${where} could not reserve range`);
  return fail('EBUSY', `${device.name} ${where} is claimed by somebody else`, { path: device.name });
}

function own(pageMap: DevPagemap, driver: PageMapDriver, device: DevDax): void {
  pageMap.type = driver.type;
  pageMap.ops = driver.pageMapOps(device);
  pageMap.owner = device;
}

function disown(pageMap: DevPagemap): void {
  pageMap.type = null;
  pageMap.ops = null;
  pageMap.owner = null;
}

/** Makes the pages folios of `order`, where a range holds whole folios; else order 0. They stay so after unbind. */
function comeUp(device: DevDax, pageMap: DevPagemap, ranges: readonly Span[], order: number): void {
  const { platform } = device;
  // A page map consists of 2 MiB sections, but `mapping` accepts any start. (For a static region the provider checks it.)
  const unit = device.region.isStatic ? PAGE_SIZE : PMD_SIZE;
  for (const [at, { start }] of ranges.entries())
    if (start % unit !== 0)
      fail('EINVAL', `${device.name} mapping${at} does not start at a multiple of ${unit} bytes`, {
        path: device.name,
      });
  pageMap.vmemmapShift = order;
  for (const other of device.region.devices) other.pagesTaken(ranges);
  if (order === 0) return;
  for (const range of ranges) {
    const pfn = range.start / PAGE_SIZE;
    const pages = lengthOf(range) / PAGE_SIZE;
    const unit = pagesOfOrder(order);
    if (pfn % unit === 0 && pages % unit === 0) platform.pages.setDefaultOrder(pfn, pages, order);
    else platform.pages.clear(pfn, pages);
  }
}

/** Kills the device: the holder is told, then every mapping is torn down, then a dynamic device's page map is dropped. */
function kill(platform: Platform, device: DevDax, ranges: readonly Span[]): void {
  device.dax.kill();
  for (const mapping of [...device.mappings]) mapping.zap();
  for (const range of ranges) platform.memory?.kill(range.start, lengthOf(range));
  if (!device.region.isStatic) device.pageMap = null;
}
