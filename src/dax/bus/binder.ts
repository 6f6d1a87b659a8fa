import { fail, isError } from '../../libc/index.js';
import type { Platform } from '../core/platform.js';
import { Devres } from '../drivers/devres.js';
import type { DaxDriver } from '../drivers/driver.js';
import type { DevDax } from '../regions/dev-dax.js';
import type { Region } from '../regions/region.js';
import type { DeviceList } from './device-list.js';
import type { FileTable } from './file-table.js';
import type { Uevents } from './journal.js';
import type { Modules } from './modules.js';

/** Binds drivers to devices and unbinds them. The Bus has checked the request. */
export class Binder {
  /** Bound devices, oldest binding first. */
  #bound: DevDax[] = [];
  readonly #platform: Platform;
  readonly #modules: Modules;
  readonly #devices: DeviceList;
  readonly #regions: readonly Region[];
  readonly #files: FileTable;
  readonly #uevents: Uevents;

  constructor(
    platform: Platform,
    modules: Modules,
    devices: DeviceList,
    regions: readonly Region[],
    files: FileTable,
    uevents: Uevents,
  ) {
    this.#platform = platform;
    this.#modules = modules;
    this.#devices = devices;
    this.#regions = regions;
    this.#files = files;
    this.#uevents = uevents;
  }

  /** Devices bound to a driver, oldest binding first. */
  boundTo(driver: string): DevDax[] {
    return this.#bound.filter((device) => device.driver === driver);
  }

  /** Offers a device to the drivers in registration order. The first driver whose probe succeeds is bound. */
  attach(device: DevDax): void {
    for (const driver of this.#modules.drivers) {
      if (device.binding !== null) return;
      if (driver.matches(device)) this.#tryProbe(driver, device);
    }
  }

  /** Offers all unbound devices to one driver. */
  attachAll(driver: DaxDriver): void {
    for (const device of [...this.#devices.all])
      if (device.binding === null && driver.matches(device)) this.#tryProbe(driver, device);
  }

  /**
   * Binds a driver. On an error of its probe, undoes everything and throws that error.
   * @param matchedById restore gives true: the id may have been removed since the device was bound
   */
  probe(driver: DaxDriver, device: DevDax, matchedById = driver.matchesId(device)): void {
    if (device.size === 0)
      fail('ENXIO', `${device.name} has size 0: give it memory first`, { path: device.name });
    const devres = new Devres(this.#platform.failProbeAtStep);
    this.#platform.failProbeAtStep = null;
    device.lastDevres = devres;
    try {
      const probed = driver.probe(device, devres);
      device.binding = { ...probed, driver: driver.name, matchedById, devres };
    } catch (error) {
      devres.releaseAll();
      this.#logProbeFailure(driver, device, error);
      throw error;
    }
    if (this.#platform.quirks.has('kernel72-rebind-open-file') && this.#files.isOpen(device))
      device.nodeCorrupt = true;
    this.#bound.push(device);
    for (const region of this.#regions) region.deviceBound(device);
    this.#uevents.emit('bind', device);
  }

  /** Unbinds a device. The caller has checked that no call is inside it. */
  unbind(device: DevDax): void {
    const binding = device.binding!;
    try {
      binding.devres.releaseAll();
    } finally {
      device.binding = null;
      device.cleared = binding.driver === 'fsdev_dax' ? binding.ranges : [];
      this.#bound = this.#bound.filter((other) => other !== device);
    }
    this.#uevents.emit('unbind', device);
  }

  /** Probes, and ignores a failure: probe() has logged it, but for a device without memory. */
  #tryProbe(driver: DaxDriver, device: DevDax): void {
    try {
      this.probe(driver, device);
    } catch (error) {
      if (!(isError(error) && 'code' in error)) throw error;
    }
  }

  #logProbeFailure(driver: DaxDriver, device: DevDax, error: unknown): void {
    const number = isError(error) && 'errno' in error ? String(error.errno) : String(error);
    this.#platform.log(
      3,
      `${driver.name} ${device.name}: probe with driver ${driver.name} failed with error ${number}`,
    );
  }
}
