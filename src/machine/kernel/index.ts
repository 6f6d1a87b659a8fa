/**
 * machine/kernel/: the dax bus of the running kernel, through sysfs.
 *
 * Nothing of it is kept: regions, devices, drivers and memory blocks are read at each call and changed by the verbs of tree/.
 * Invariant: a device that somebody has open is never unbound.
 *
 * Lock: kernel.lock of the state directory, one change at a time among the udax processes of a host (others, daxctl, are
 * not kept out). Failure: EACCES naming the file and its mode, EBUSY naming holders, ENXIO not in devdax mode, ENOENT no such
 * module, EOPNOTSUPP famfs mode before Linux 7.0, a static region, and whatever the kernel answers.
 */

export { kernelDeviceOf } from './describe.js';
export { type BorrowedMode, KernelMachine } from './machine.js';
export type {
  HolderSurvey,
  KernelDeviceInfo,
  KernelRegionInfo,
  KernelStatus,
  RegionProvider,
} from './types.js';
