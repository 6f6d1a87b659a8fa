/** Enable, disable and change of mode, by daxctl's own sequences of writes (conformance/dax/daxctl-io). */
import { isThere, textOf } from '../dax-tree.js';
import { type DevicePlace, driverOf } from '../devices.js';
import { type DeviceMode, driverOfMode } from '../drivers.js';
import { autoOnlinePolicy, blocksOf, setBlockState } from '../memory-blocks.js';
import { modeOf } from './discover.js';
import { type DaxctlHost, negative, resultOf, writeAttribute } from './host.js';

/** Writes a line to stderr. */
export type Tell = (line: string) => void;

/** Binds an unbound device to the driver of a mode. @returns 0 or a negative errno */
export function enable(host: DaxctlHost, device: DevicePlace, mode: DeviceMode, tell: Tell): number {
  if (driverOf(host.tree, device) !== null) return 0;
  const driver = driverOfMode[mode];
  const loaded = loadModule(host, device, driver, tell);
  if (loaded < 0) return loaded;
  const here = `bus/dax/drivers/${driver}`;
  if (!isThere(host.tree, here)) return negative('ENXIO');
  writeAttribute(host, `${here}/new_id`, device.name);
  // As a rule new_id has bound it already, and bind is EBUSY. The driver link tells.
  writeAttribute(host, `${here}/bind`, device.name);
  if (driverOf(host.tree, device) !== null) return 0;
  tell(`libdaxctl: daxctl_dev_enable: ${device.name}: failed to enable`);
  return negative('ENXIO');
}

function loadModule({ tree }: DaxctlHost, device: DevicePlace, name: string, tell: Tell): number {
  if (textOf(tree, `module/${name}/initstate`) === 'live') return 0;
  const result = resultOf(() => tree.loadDriver(name));
  if (result < 0) tell(`libdaxctl: daxctl_insert_kmod_for_mode: ${device.name}: insert failure: ${result}`);
  return result;
}

/** Removes a device's id from its driver and unbinds it. @returns 0 or a negative errno */
export function disable(host: DaxctlHost, device: DevicePlace, tell: Tell): number {
  if (driverOf(host.tree, device) === null) return 0;
  writeAttribute(host, `${device.directory}/driver/remove_id`, device.name);
  writeAttribute(host, `${device.directory}/driver/unbind`, device.name);
  if (driverOf(host.tree, device) === null) return 0;
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

/** Changes the mode of a device. @returns 0 or a negative errno */
export function changeMode(
  host: DaxctlHost,
  device: DevicePlace,
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
  } else if (driverOf(host.tree, device) !== null && now === mode) {
    if (host.version < 85) tell(`${device.name} was already in ${mode} mode`);
    return 0;
  }
  return rebind(host, device, mode, tell);
}

function rebind(host: DaxctlHost, device: DevicePlace, mode: DeviceMode, tell: Tell): number {
  const disabled = disable(host, device, tell);
  return disabled < 0 ? disabled : enable(host, device, mode, tell);
}

/** The kernel would strand online memory (kernel-dax.md 9), so every block has to be offline first. */
function leaveSystemRam(host: DaxctlHost, device: DevicePlace, force: boolean, tell: Tell): number {
  if (!force) return blocksOf(host.tree, device).some((block) => block.online) ? negative('EBUSY') : 0;
  const change = offlineMemory(host, device);
  if (change.result === 1) tell(`${device.name}: all memory sections (${change.total}) already offline`);
  // A device whose ranges hold no whole block has nothing to take offline.
  return change.total === 0 ? 0 : Math.min(change.result, 0);
}

function toSystemRam(host: DaxctlHost, device: DevicePlace, options: ModeOptions, tell: Tell): number {
  if (!options.force && autoOnlinePolicy(host.tree) !== 'offline') {
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

/** Warns about blocks that were online before daxctl's store: they may be in another zone. */
export function tellOnline(device: DevicePlace, change: MemoryChange, tell: Tell): void {
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

export interface MemoryChange {
  /** 0 done; 1 there was nothing to do; else a negative errno. */
  result: number;
  total: number;
  /** The number of blocks that had the wanted state before. */
  already: number;
}

/** Brings every block online. */
export function onlineMemory(host: DaxctlHost, device: DevicePlace, movable: boolean): MemoryChange {
  return setState(host, device, movable ? 'online_movable' : 'online_kernel');
}

/** Takes every block offline. */
export function offlineMemory(host: DaxctlHost, device: DevicePlace): MemoryChange {
  return setState(host, device, 'offline');
}

/** Sets the state of all blocks. Like daxctl it goes on after a block that refuses, and returns the first refusal. */
function setState(
  { tree }: DaxctlHost,
  device: DevicePlace,
  state: 'offline' | 'online_movable' | 'online_kernel',
): MemoryChange {
  const blocks = blocksOf(tree, device);
  const pending = blocks.filter((block) => block.online !== (state !== 'offline'));
  const change: MemoryChange = { result: 0, total: blocks.length, already: blocks.length - pending.length };
  if (blocks.length === 0) change.result = negative('ENXIO');
  else if (pending.length === 0) change.result = 1;
  for (const { id } of pending) {
    const failed = resultOf(() => setBlockState(tree, id, state));
    if (failed < 0 && change.result === 0) change.result = failed;
  }
  return change;
}
