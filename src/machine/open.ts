import {
  callback,
  checkArguments,
  fail,
  flag,
  type LockPatience,
  number,
  optional,
  patienceIn,
  text,
  options as wanted,
  withDaxErrors,
} from '../libc/index.js';
import { Machine } from './emulated/machine.js';
import { ImageDevice } from './image/image.js';
import { KernelMachine, openMountedDevice } from './kernel/index.js';
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
const machineOptions = wanted({ create: optional(flag), ...patience });
const kernelOptions = wanted({ stateDirectory: optional(text) });
const deviceOptions = wanted({
  root: optional(text),
  writable: optional(flag),
  stateDirectory: optional(text),
  ...patience,
});

/**
 * Opens the machine of a state directory. `{ create: true }` makes it where there is none: three modules loaded, no region.
 * When this user may only read the directory, the machine lists everything and refuses changes.
 * @param root default $UDAX_ROOT, else `${XDG_STATE_HOME:-~/.local/state}/udax`
 * @throws DaxError ENOENT no machine there; EACCES, EROFS, ENOTDIR naming the directory; EIO damaged machine.json; EOPNOTSUPP
 *   written by a newer udax; EINVAL `kernel:`, which is no directory: openKernel()
 */
export function openMachine(root: string = defaultRoot(), options: OpenMachineOptions = {}): Machine {
  checkArguments('openMachine', [root, options], { root: text, options: machineOptions });
  if (isKernelRoot(root))
    fail('EINVAL', `${root} is the bus of a kernel and no state directory: openKernel() opens it`, {
      path: root,
    });
  return withDaxErrors(`opening the machine at ${root}`, () => new Machine(absoluteRoot(root), options));
}

/** How the kernel's bus is opened. */
export interface OpenKernelOptions {
  /** Directory for this host's uuid, locks and state per file system. Default `${XDG_STATE_HOME:-~/.local/state}/udax`. */
  stateDirectory?: string;
}

/**
 * Opens the dax bus of the running kernel.
 * @param root `kernel:`, or `kernel:/some/tree` for another sysfs tree than /sys; default $UDAX_ROOT when that is such a root,
 *   else `kernel:`
 * @throws DaxError ENOENT there is no such tree; EINVAL the root does not begin with `kernel:`
 */
export function openKernel(
  root: KernelRoot = defaultKernel(),
  options: OpenKernelOptions = {},
): KernelMachine {
  checkArguments('openKernel', [root, options], { root: text, options: kernelOptions });
  if (!isKernelRoot(root))
    fail('EINVAL', `${String(root)} is no bus of a kernel: kernel:, or kernel:/some/tree`, {
      path: String(root),
    });
  return new KernelMachine(root, options.stateDirectory ?? stateDirectoryOf(root));
}

function defaultKernel(): KernelRoot {
  const root = defaultRoot();
  return isKernelRoot(root) ? root : 'kernel:';
}

/**
 * Opens a DEVICE as the command line names it: a name (`dax0.0`) on the machine at `root`, a device node, or an image file.
 * A file or node gets a private machine in memory, with one static region in famfs mode. An image shorter than its superblock
 * says reads as zeroes beyond its end. A directory where a zero-copy mount is stands for the device behind it, for reading and for
 * stores into files that are there. On the kernel's bus (`kernel:`) a name means its node, `/dev/dax0.0`.
 * @param options writable: false opens files for reading only; default: writable if this user may write. stateDirectory: as
 *   openKernel()
 * @throws DaxError ENODEV, ENOENT, EACCES, EISDIR, EINVAL; ENXIO a real device that is not in devdax mode
 */
export function openDevice(
  where: string,
  options: { root?: string; writable?: boolean; stateDirectory?: string } & LockPatience = {},
): MachineDevice {
  checkArguments('openDevice', [where, options], { where: text, options: deviceOptions });
  const root = absoluteRoot(options.root ?? defaultRoot());
  const stateDirectory = options.stateDirectory ?? stateDirectoryOf(root);
  const { writable } = options;
  const access = { ...(writable !== undefined && { writable }), ...patienceIn(options) };
  return withDaxErrors(`opening ${where}`, () => {
    if (!isDeviceName(where)) {
      return (
        openMountedDevice(where, { root: stateDirectory, ...(writable !== undefined && { writable }) }) ??
        ImageDevice.open(where, { root: stateDirectory, ...access })
      );
    }
    if (!isKernelRoot(root)) return openNamed(where, root, options);
    const { sysfs, node } = nodeOf(where, root, stateDirectory);
    return ImageDevice.open(node, { root: stateDirectory, sysfs, ...access });
  });
}

/** @throws DaxError ENODEV there is no such device on the kernel's bus */
function nodeOf(name: string, root: KernelRoot, stateDirectory: string): { sysfs: string; node: string } {
  const machine = openKernel(root, { stateDirectory });
  try {
    return { sysfs: machine.sysfs.root, node: machine.deviceInfo(name).node };
  } finally {
    machine.close();
  }
}

function openNamed(name: string, root: string, patience: LockPatience): MachineDevice {
  const machine = openMachine(root, patienceIn(patience));
  try {
    return Object.assign(machine.device(name), { close: () => machine.close() });
  } catch (error) {
    machine.close();
    throw error;
  }
}
