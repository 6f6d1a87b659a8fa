import { DaxError, fail } from '../../libc/index.js';
import type { DevDax, DeviceRegion } from '../regions/dev-dax.js';
import { parseBoolean, parseNumber, parseRange, seenByStore, withoutNewline } from '../regions/parse.js';

/** The methods that stores to bus and driver attributes need. Bus implements it. */
export interface StoreBus {
  autoprobe: boolean;
  newId(driver: string, id: string): void;
  removeId(driver: string, id: string): void;
  bind(driver: string, device: string): void;
  unbind(driver: string, device: string): void;
  probe(device: string): void;
}

/*
 * One function for each writable attribute. It takes the written text up to the first NUL, parses it, and calls the typed
 * method. All throw the kernel's errno. An empty write never reaches them: sysfs returns 0 for it.
 */

export const deviceStores = {
  size: (device: DevDax, text: string): void => device.resize(parseNumber(seenByStore(text))),
  mapping: (device: DevDax, text: string): void => {
    const { start, end } = parseRange(seenByStore(text));
    device.addMapping(start, end);
  },
  align: (device: DevDax, text: string): void => device.setAlign(parseAlign(seenByStore(text))),
  memmap_on_memory: (device: DevDax, text: string): void => {
    const on = parseBoolean(seenByStore(text));
    if (on === null) fail('EINVAL', `${JSON.stringify(text)} is not a boolean`);
    device.setMemmapOnMemory(on);
  },
} as const;

export const regionStores = {
  create: (region: DeviceRegion, text: string): void => {
    if (parseNumber(seenByStore(text)) !== 1) fail('EINVAL', 'create takes 1: one device');
    region.createDevice();
  },
  delete: (region: DeviceRegion, text: string): void => region.deleteDevice(name(text)),
} as const;

export const driverStores = {
  bind: (bus: StoreBus, driver: string, text: string): void => bus.bind(driver, name(text)),
  unbind: (bus: StoreBus, driver: string, text: string): void => bus.unbind(driver, name(text)),
  new_id: (bus: StoreBus, driver: string, text: string): void => bus.newId(driver, seenByStore(text)),
  remove_id: (bus: StoreBus, driver: string, text: string): void => bus.removeId(driver, seenByStore(text)),
} as const;

export const busStores = {
  /** Text that is no boolean changes nothing, and succeeds. */
  drivers_autoprobe: (bus: StoreBus, text: string): void => {
    bus.autoprobe = parseBoolean(seenByStore(text)) ?? bus.autoprobe;
  },
  drivers_probe: (bus: StoreBus, text: string): void => bus.probe(name(text)),
} as const;

function name(text: string): string {
  return withoutNewline(seenByStore(text));
}

/** Parses `align`, the one attribute that answers ENXIO to text that is no number. */
function parseAlign(text: string): number {
  try {
    return parseNumber(text);
  } catch (error) {
    if (error instanceof DaxError && error.code === 'EINVAL')
      return fail('ENXIO', `${JSON.stringify(text)} is not a number`);
    throw error;
  }
}
