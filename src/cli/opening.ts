import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type MountOptions, mountFamfsOn, type Volume } from '../famfs/index.js';
import { fail } from '../libc/index.js';
import { type Machine, type MachineDevice, openDevice, openMachine } from '../machine/index.js';
import type { Context } from './context.js';

/** Runs `use` with the machine at the root, made if it is not there, and closes it. */
export function withMachine<T>(context: Context, use: (machine: Machine) => T): T {
  const machine = openMachine(context.root);
  try {
    return use(machine);
  } finally {
    machine.close();
  }
}

/** As withMachine, but makes nothing: `absent` is the answer where no machine was ever made. */
export function withMachineIfAny<T>(context: Context, absent: T, use: (machine: Machine) => T): T {
  return isMachine(context.root) ? withMachine(context, use) : absent;
}

/** As withMachine, where there must be one already. @throws ENODEV */
export function withExistingMachine<T>(context: Context, use: (machine: Machine) => T): T {
  if (!isMachine(context.root)) noMachine(context.root);
  return withMachine(context, use);
}

function noMachine(root: string): never {
  fail('ENODEV', `there is no machine at ${root}\nMake one: udax create-region -s 1GiB (or say --root DIR)`);
}

/** Whether a machine was ever made at a root. */
export function isMachine(root: string): boolean {
  return existsSync(join(root, 'machine.json'));
}

/** Runs `use` with an open device (name, node or image file) and closes it afterwards. */
export function withDevice<T>(
  context: Context,
  where: string,
  { writable }: { writable: boolean },
  use: (device: MachineDevice) => T,
): T {
  const device = openDeviceOf(context, where, { writable });
  return closing(device, use);
}

/** Runs `use` with the volume on a device; `readOnly` promises that nothing is written. */
export function withVolume<T>(
  context: Context,
  where: string,
  options: MountOptions & { readOnly: boolean },
  use: (volume: Volume, device: MachineDevice) => T,
): T {
  return withDevice(context, where, { writable: !options.readOnly }, (device) =>
    closing(mountFamfsOn(device, options), (volume) => use(volume, device)),
  );
}

/** Opens a device for somebody who closes it later. */
export function openDeviceOf(context: Context, where: string, { writable }: { writable: boolean }) {
  if (isDeviceName(where) && !isMachine(context.root)) noMachine(context.root);
  return openDevice(where, { root: context.root, writable });
}

function isDeviceName(text: string): boolean {
  return /^dax\d+\.\d+$/.test(text);
}

/** Closes after `use`, also when it is asynchronous. */
function closing<R extends { close(): void }, T>(resource: R, use: (resource: R) => T): T {
  let result: T;
  try {
    result = use(resource);
  } catch (error) {
    resource.close();
    throw error;
  }
  if (result instanceof Promise) return result.finally(() => resource.close()) as T;
  resource.close();
  return result;
}
