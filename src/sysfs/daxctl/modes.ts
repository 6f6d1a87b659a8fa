/** Enabling, disabling and changing modes: the sequences of writes that daxctl does (conformance/dax/daxctl-io). */
import { DaxError } from '../../libc/index.js';
import { type DeviceMode, driverOf, type FoundDevice, modeOf } from './discover.js';
import { attempt, type DaxctlHost, negative, readAttribute, writeAttribute } from './host.js';
import { autoOnlinePolicy, type MemoryChange, memoryOf, offlineMemory, onlineMemory } from './memory.js';

/** A line for stderr. */
export type Tell = (line: string) => void;

const DRIVER_OF_MODE: Record<DeviceMode, string> = {
  devdax: 'device_dax',
  famfs: 'fsdev_dax',
  'system-ram': 'kmem',
};

/** Binds an unbound device to the driver of a mode. @returns 0 or a negative errno */
export function enable(host: DaxctlHost, device: FoundDevice, mode: DeviceMode, tell: Tell): number {
  if (driverOf(host, device) !== null) return 0;
  const driver = DRIVER_OF_MODE[mode];
  const loaded = loadModule(host, device, driver, tell);
  if (loaded < 0) return loaded;
  if (!attempt(() => host.sysfs.readdir('bus/dax/drivers'), [] as string[]).includes(driver)) {
    return negative('ENXIO');
  }
  const here = `bus/dax/drivers/${driver}`;
  writeAttribute(host, `${here}/new_id`, device.name);
  // new_id has bound it already as a rule, and bind then says EBUSY. What counts is the driver link.
  writeAttribute(host, `${here}/bind`, device.name);
  if (driverOf(host, device) !== null) return 0;
  tell(`libdaxctl: daxctl_dev_enable: ${device.name}: failed to enable`);
  return negative('ENXIO');
}

function loadModule(host: DaxctlHost, device: FoundDevice, name: string, tell: Tell): number {
  if (readAttribute(host, `module/${name}/initstate`) === 'live') return 0;
  try {
    host.insertModule(name);
    return 0;
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    tell(`libdaxctl: daxctl_insert_kmod_for_mode: ${device.name}: insert failure: ${error.errno}`);
    return error.errno;
  }
}

/** Takes a device's id from its driver and unbinds it. @returns 0 or a negative errno */
export function disable(host: DaxctlHost, device: FoundDevice, tell: Tell): number {
  if (driverOf(host, device) === null) return 0;
  writeAttribute(host, `${device.directory}/driver/remove_id`, device.name);
  writeAttribute(host, `${device.directory}/driver/unbind`, device.name);
  if (driverOf(host, device) === null) return 0;
  tell(`libdaxctl: daxctl_dev_disable: ${device.name}: failed to disable`);
  tell(`${device.name}: disable failed: Device or resource busy`);
  return negative('EBUSY');
}

export interface ModeOptions {
  /** -f */
  force: boolean;
  /** False with -N. */
  online: boolean;
  /** False with -M / --no-movable. */
  movable: boolean;
}

/** @returns 0 or a negative errno */
export function changeMode(
  host: DaxctlHost,
  device: FoundDevice,
  mode: DeviceMode,
  options: ModeOptions,
  tell: Tell,
): number {
  if (mode === 'system-ram') return toSystemRam(host, device, options, tell);
  const now = modeOf(host, device);
  if (mode === 'famfs' && now === 'system-ram') {
    tell(`${device.name} is in system-ram mode; must be in devdax mode to convert to famfs`);
    return negative('EINVAL');
  }
  if (now === 'system-ram') {
    const left = leaveSystemRam(host, device, options.force, tell);
    if (left < 0) return left;
  } else if (driverOf(host, device) !== null && now === mode) {
    if (host.version < 85) tell(`${device.name} was already in ${mode} mode`);
    return 0;
  }
  return rebind(host, device, mode, tell);
}

function rebind(host: DaxctlHost, device: FoundDevice, mode: DeviceMode, tell: Tell): number {
  const disabled = disable(host, device, tell);
  return disabled < 0 ? disabled : enable(host, device, mode, tell);
}

/** The kernel would strand online memory (kernel-dax.md 9), so every block has to be offline first. */
function leaveSystemRam(host: DaxctlHost, device: FoundDevice, force: boolean, tell: Tell): number {
  if (!force) return memoryOf(host, device).some((block) => block.online) ? negative('EBUSY') : 0;
  const change = offlineMemory(host, device);
  if (change.result === 1) tell(`${device.name}: all memory sections (${change.total}) already offline`);
  // A device whose ranges hold no whole block has nothing to take offline.
  return change.total === 0 ? 0 : Math.min(change.result, 0);
}

function toSystemRam(host: DaxctlHost, device: FoundDevice, options: ModeOptions, tell: Tell): number {
  if (!options.force && autoOnlinePolicy(host) !== 'offline') {
    tell(`${device.name}: error: kernel policy will auto-online memory, aborting`);
    return negative('EBUSY');
  }
  if (modeOf(host, device) === 'system-ram') {
    if (host.version < 85) tell(`${device.name} was already in system-ram mode`);
  } else {
    const bound = rebind(host, device, 'system-ram', tell);
    if (bound < 0) return bound;
  }
  if (!options.online) return 0;
  const change = onlineMemory(host, device, options.movable);
  tellOnline(device, change, tell);
  return Math.min(change.result, 0);
}

/** Blocks that are online before daxctl got to them may be in a zone nobody asked for. */
export function tellOnline(device: FoundDevice, change: MemoryChange, tell: Tell): void {
  if (change.already > 0) {
    tell(`${device.name}:`);
    tell('  WARNING: detected a race while onlining memory');
    tell('  Some memory may not be in the expected zone. It is');
    tell('  recommended to disable any other onlining mechanisms,');
    tell('  and retry. If onlining is to be left to other agents,');
    tell('  use the --no-online option to suppress this warning');
  }
  if (change.result === 1) tell(`${device.name}: all memory sections (${change.total}) already online`);
}
