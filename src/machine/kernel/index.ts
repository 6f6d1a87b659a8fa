/**
 * machine/kernel/: the dax bus of the running kernel, through sysfs.
 *
 * Nothing of it is kept: regions, devices, drivers and memory blocks are read at each call and changed by the writes that
 * daxctl does. Invariants: a change is whole or undone, whatever step fails (Undo), and the error says what is left where
 * even that failed; kmem is never unbound while memory of it is online; a device that somebody has open is never unbound.
 *
 * Lock: kernel.lock of the state directory, one change at a time among the udax processes of a host (others, daxctl, are
 * not kept out). Failure: EACCES naming the file and its mode, EBUSY naming holders, ENXIO not in devdax mode, ENOENT no such
 * module, EOPNOTSUPP what a kernel bus cannot do, and whatever the kernel answers.
 */
export { type BorrowedMode, KernelMachine } from './machine.js';
export { kernelDeviceOf, requireDevdaxMode } from './raw-access.js';
export type {
  HolderSurvey,
  KernelDeviceInfo,
  KernelRegionInfo,
  KernelStatus,
  RegionProvider,
} from './types.js';
