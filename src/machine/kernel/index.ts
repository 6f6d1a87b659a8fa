/**
 * machine/kernel/: the dax bus of the running kernel, through sysfs.
 *
 * It caches nothing: each call reads regions, devices, drivers and memory blocks, and changes them through the verbs of tree/.
 * Invariant: a device that a process has open is never unbound.
 *
 * Lock: kernel.lock in the state directory lets the udax processes of a host make one change at a time. It does not keep out
 * other programs, such as daxctl.
 * Failure: EACCES naming the file and its mode, EBUSY naming holders, ENXIO not in devdax mode, ENOENT no such module, EOPNOTSUPP
 * famfs mode before Linux 7.0 or a static region, and whatever the kernel answers.
 */

export { kernelDeviceOf } from './describe.js';
export { type BorrowedMode, KernelMachine } from './machine.js';
export { MountedDevice, type MountedDeviceFacts } from './mounted-device.js';
export type {
  HolderSurvey,
  KernelDeviceInfo,
  KernelRegionInfo,
  KernelStatus,
  RegionProvider,
} from './types.js';
export { openMountedDevice } from './volume-of-mount.js';
