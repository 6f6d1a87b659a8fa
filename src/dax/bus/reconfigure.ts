import { fail } from '../../libc/index.js';
import type { DevDax } from '../regions/dev-dax.js';
import type { Bus } from './bus.js';

/**
 * Moves a device to another driver: id out of the old, unbind, id into the new, bind. Unlike a write to new_id it touches
 * no other device. When the new driver does not take it, everything is as it was before, driver and ids (I12).
 * @throws ENODEV unknown device or driver; EBUSY kmem memory is online (it could not come back); the probe's error
 */
export function reconfigure(bus: Bus, deviceName: string, driverName: string): void {
  const device = bus.device(deviceName);
  if (device === undefined) fail('ENODEV', `there is no device ${deviceName}`, { path: deviceName });
  const next = bus.driver(driverName);
  if (next === undefined) fail('ENODEV', `driver ${driverName} is not loaded`, { path: deviceName });
  const old = device.driver;
  if (old === driverName) return;
  mustBeOffline(bus, deviceName, old);
  const idsBefore = bus.drivers.map((driver) => ({ driver, ids: driver.ids }));
  try {
    if (old !== null) {
      bus.removeId(old, deviceName);
      bus.unbind(old, deviceName);
    }
    next.addId(deviceName);
    bus.bind(driverName, deviceName);
  } catch (error) {
    if (bus.quirks.has('mode-not-restored')) throw error;
    for (const { driver, ids } of idsBefore) driver.setIds(ids);
    if (old !== null && device.driver === null) bindAgain(bus, device, old);
    throw error;
  }
}

/** Back to the driver it had. Memory of kmem was offline (mustBeOffline) and stays so, whatever the policy. */
function bindAgain(bus: Bus, device: DevDax, driver: string): void {
  const { memoryBlocks } = bus;
  const { autoOnline } = memoryBlocks;
  memoryBlocks.autoOnline = 'offline';
  try {
    bus.parts.binder.probe(bus.driver(driver)!, device);
  } finally {
    memoryBlocks.autoOnline = autoOnline;
  }
}

function mustBeOffline(bus: Bus, deviceName: string, driver: string | null): void {
  if (driver !== 'kmem') return;
  const online = bus.memoryBlocks.list.find(
    (block) => block.device === deviceName && block.state === 'online',
  );
  if (online !== undefined)
    fail('EBUSY', `memory${online.id} of ${deviceName} is online: offline its memory first`, {
      path: deviceName,
    });
}
