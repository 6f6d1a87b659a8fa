import type { Bus, DevDax, Region } from '../dax/index.js';
import { fail, hasCode } from '../libc/index.js';
import type { MemoryBlock } from '../mm/index.js';
import { sizeText } from './sizes.js';
import type { DeviceMode } from './types.js';

/** daxctl's verbs as acts on the bus (kernel-dax.md 4, 11). Each throws half-way at will: Machine.change() undoes. */

const driverOfMode: Record<DeviceMode, string> = {
  devdax: 'device_dax',
  famfs: 'fsdev_dax',
  'system-ram': 'kmem',
};

/** An unbound device counts as devdax, as daxctl lists it. */
export function modeOf(device: DevDax): DeviceMode {
  if (device.driver === 'fsdev_dax') return 'famfs';
  return device.driver === 'kmem' ? 'system-ram' : 'devdax';
}

/** @throws ENODEV */
export function deviceNamed(bus: Bus, name: string): DevDax {
  return (
    bus.device(name) ??
    fail('ENODEV', `${name}: no such device on this machine (see "udax list")`, { path: name })
  );
}

/** @throws ENODEV */
export function regionNumbered(bus: Bus, id: number): Region {
  return (
    bus.region(id) ?? fail('ENODEV', `region ${id}: no such region on this machine (see "udax list -R")`)
  );
}

/** enable-device: whatever it was before, to device_dax. Enabled devices stay as they are. */
export function enable(bus: Bus, device: DevDax): void {
  if (device.driver === null) bindTo(bus, device, 'device_dax');
}

/** disable-device: id dropped, unbound; system-ram goes offline first (only with force when it is online). */
export function disable(bus: Bus, device: DevDax, force: boolean): void {
  if (device.driver === null) return;
  if (device.driver === 'kmem') leaveMemory(bus, device, force);
  release(bus, device);
}

/** reconfigure-device. @throws EINVAL (a change daxctl refuses), EBUSY (memory online, policy), the probe's error */
export function reconfigure(
  bus: Bus,
  device: DevDax,
  mode: DeviceMode,
  { force = false, online = true }: { force?: boolean; online?: boolean },
): void {
  const driver = driverOfMode[mode];
  if (driver === undefined) fail('EINVAL', `mode ${mode} is unknown: devdax, famfs or system-ram`);
  if (mode === 'famfs' && !online) fail('EINVAL', '--no-online is about system-ram: leave it out with famfs');
  if (device.driver !== driver) change(bus, device, mode, force);
  if (mode === 'system-ram' && online) onlineMemory(bus, device, true);
}

function change(bus: Bus, device: DevDax, mode: DeviceMode, force: boolean): void {
  if (mode === 'famfs' && device.driver === 'kmem') {
    fail(
      'EINVAL',
      `${device.name} is in system-ram mode and must be in devdax mode first: reconfigure it to devdax`,
    );
  }
  if (mode === 'system-ram' && bus.memoryBlocks.autoOnline !== 'offline' && !force) {
    fail(
      'EBUSY',
      'kernel policy (auto_online_blocks) will online the memory by itself: set it to offline, or use -f',
    );
  }
  disable(bus, device, force);
  bindTo(bus, device, driverOfMode[mode]);
}

/** new_id (which may bind already), then bind (EBUSY tolerated): exactly daxctl's order. */
function bindTo(bus: Bus, device: DevDax, driver: string): void {
  if (!bus.driver(driver)) bus.insmod(driver);
  bus.newId(driver, device.name);
  try {
    bus.bind(driver, device.name);
  } catch (error) {
    if (!hasCode(error, 'EBUSY') || device.driver !== driver) throw error;
  }
}

function release(bus: Bus, device: DevDax): void {
  const driver = device.driver!;
  bus.removeId(driver, device.name);
  bus.unbind(driver, device.name);
}

/** Memory blocks of a kmem device, by address. */
export function blocksOf(bus: Bus, device: DevDax): MemoryBlock[] {
  return bus.memoryBlocks.list.filter((block) => block.device === device.name);
}

/** Returns how many blocks went online. @throws EINVAL not in system-ram mode */
export function onlineMemory(bus: Bus, device: DevDax, movable: boolean): number {
  const offline = memoryOf(bus, device).filter((block) => block.state === 'offline');
  for (const block of offline)
    bus.memoryBlocks.setState(block.id, movable ? 'online_movable' : 'online_kernel');
  return offline.length;
}

/** Returns how many blocks went offline. @throws EBUSY buffers are in use there */
export function offlineMemory(bus: Bus, device: DevDax): number {
  const online = memoryOf(bus, device).filter((block) => block.state === 'online');
  for (const block of online) bus.memoryBlocks.setState(block.id, 'offline');
  return online.length;
}

function memoryOf(bus: Bus, device: DevDax): MemoryBlock[] {
  if (device.driver !== 'kmem') {
    fail(
      'EINVAL',
      `${device.name} is in ${modeOf(device)} mode and has no memory blocks: reconfigure it to system-ram first`,
    );
  }
  return blocksOf(bus, device);
}

function leaveMemory(bus: Bus, device: DevDax, force: boolean): void {
  const online = blocksOf(bus, device).filter((block) => block.state === 'online');
  if (online.length > 0 && !force) {
    fail(
      'EBUSY',
      `${device.name} has ${online.length} memory blocks online: offline-memory first, or use -f`,
    );
  }
  offlineMemory(bus, device);
}

/** create-device: the new device gets `size` (default: all that is free) and goes to device_dax, as daxctl does it. */
export function createDevice(
  bus: Bus,
  region: Region,
  { size, align }: { size: number | undefined; align: number | undefined },
): DevDax {
  if (region.isStatic) {
    fail(
      'EOPNOTSUPP',
      `region ${region.id} is static: it has exactly one device; create-device needs a dynamic region`,
    );
  }
  const wanted = size ?? region.availableSize;
  if (wanted > region.availableSize || region.availableSize === 0) {
    fail(
      'ENOSPC',
      `region ${region.id} has ${sizeText(region.availableSize)} free, ${sizeText(wanted)} asked: disable and destroy a device of it first`,
    );
  }
  if (wanted === 0) fail('EINVAL', 'a device of 0 bytes is of no use: choose a size');
  const device = region.createDevice();
  if (align !== undefined) device.setAlign(align);
  device.resize(wanted);
  bindTo(bus, device, 'device_dax');
  return device;
}

/** destroy-device: instance 0 stays, at size 0 (the kernel keeps it). @throws EBUSY enabled */
export function destroyDevice(bus: Bus, device: DevDax, force: boolean): void {
  if (device.region.isStatic) {
    fail(
      'EOPNOTSUPP',
      `${device.name} is the one device of static region ${device.region.id}: destroy the region`,
    );
  }
  if (device.driver !== null && !force) {
    fail('EBUSY', `${device.name} is enabled (${modeOf(device)}): disable-device it first`);
  }
  disable(bus, device, force);
  device.resize(0);
  if (device.instance !== 0) device.region.deleteDevice(device.name);
}
