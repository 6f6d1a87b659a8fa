import {
  callback,
  checkArguments,
  flag,
  type LockPatience,
  number,
  optional,
  patienceIn,
  text,
  options as wanted,
} from '../libc/index.js';
import { ImageDevice } from './image.js';
import { KernelMachine } from './kernel/index.js';
import { Machine } from './machine.js';
import {
  absoluteRoot,
  defaultRoot,
  isDeviceName,
  isKernelRoot,
  type KernelRoot,
  stateDirectoryOf,
} from './roots.js';
import type { MachineDevice, OpenMachineOptions } from './types.js';

const patience = { lockWaitMs: optional(number), onLockWait: optional(callback) };
const machineOptions = wanted({ create: optional(flag), stateDirectory: optional(text), ...patience });
const deviceOptions = wanted({
  root: optional(text),
  writable: optional(flag),
  stateDirectory: optional(text),
  ...patience,
});

/**
 * Opens the machine of a state directory; `{ create: true }` makes it (three modules loaded, no region) where there is none.
 * `kernel:` opens the dax bus of the running kernel (also where $UDAX_ROOT says so, as a KernelMachine). A directory
 * this user may only read gives a machine that lists and refuses changes.
 * @param options stateDirectory: of the kernel's bus, where uuid and locks of this host are kept
 * @throws ENOENT no machine there; EACCES EROFS ENOTDIR naming the directory; EIO damaged machine.json; EOPNOTSUPP
 *   written by a newer udax
 */
export function openMachine(
  root: KernelRoot,
  options?: { stateDirectory?: string } & OpenMachineOptions,
): KernelMachine;
export function openMachine(root?: string, options?: OpenMachineOptions): Machine;
export function openMachine(
  root: string = defaultRoot(),
  options: { stateDirectory?: string } & OpenMachineOptions = {},
): Machine | KernelMachine {
  checkArguments('openMachine', [root, options], { root: text, options: machineOptions });
  const { stateDirectory, ...others } = options;
  if (isKernelRoot(root)) return new KernelMachine(root, stateDirectory ?? stateDirectoryOf(root));
  return new Machine(absoluteRoot(root), others);
}

/**
 * A DEVICE as the command line means it: a name (`dax0.0`) on the machine at `root`, a device node or an image file.
 * File and node get a private machine in memory, with one static region in famfs mode; an image that is shorter than
 * its superblock says reads zeroes beyond its end. On the kernel's bus (`kernel:`) a name is the node `/dev/dax0.0`.
 * @param options writable: false opens files for reading only; default as this user may. stateDirectory: as openMachine()
 * @throws ENODEV, ENOENT, EACCES, EISDIR, EINVAL; ENXIO a real device that is not in devdax mode
 */
export function openDevice(
  where: string,
  options: { root?: string; writable?: boolean; stateDirectory?: string } & LockPatience = {},
): MachineDevice & { close(): void } {
  checkArguments('openDevice', [where, options], { where: text, options: deviceOptions });
  const root = absoluteRoot(options.root ?? defaultRoot());
  const stateDirectory = options.stateDirectory ?? stateDirectoryOf(root);
  const { writable } = options;
  const access = { ...(writable !== undefined && { writable }), ...patienceIn(options) };
  if (!isDeviceName(where)) return ImageDevice.open(where, { root: stateDirectory, ...access });
  if (!isKernelRoot(root)) return openNamed(where, root, options);
  const { sysfs, node } = nodeOf(where, root, stateDirectory);
  return ImageDevice.open(node, { root: stateDirectory, sysfs, ...access });
}

/** @throws ENODEV there is no such device on the kernel's bus */
function nodeOf(name: string, root: KernelRoot, stateDirectory: string): { sysfs: string; node: string } {
  const machine = openMachine(root, { stateDirectory });
  try {
    return { sysfs: machine.sysfs.root, node: machine.deviceInfo(name).node };
  } finally {
    machine.close();
  }
}

function openNamed(name: string, root: string, patience: LockPatience): MachineDevice & { close(): void } {
  const machine = openMachine(root, patienceIn(patience));
  try {
    return Object.assign(machine.device(name), { close: () => machine.close() });
  } catch (error) {
    machine.close();
    throw error;
  }
}
