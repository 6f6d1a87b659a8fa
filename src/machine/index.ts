/**
 * machine/: one host's regions, devices and drivers: on disk, locked, shared by processes.
 *
 * emulated/: a bus model (dax/) that survives its processes and is the same in all of them, in a state directory. image/: a device
 * node or image file as a device. kernel/: the running kernel's bus, which keeps its own state. Beside them what they share: how they
 * are opened (open), what they look like (types, roots), who has what open (holders, use-lock, lock, processes).
 * `Machine` and `KernelMachine` are both a `DaxMachine`; both change a bus by the verbs of tree/ (decision 20).
 *
 * State directory (decision 6): machine.json is the truth, written by rename: whoever has read it can tell by its descriptor whether
 * it was replaced, and reads it again, without a lock; machine.lock excludes changes; holders/ names who has what
 * open; regions/ memory of its own, named relatively (own-memory.ts); volumes/ per-file-system state of this host.
 *
 * Invariants: I12 a failed or killed change leaves machine.json, backings and modes as they were; a device that another process
 * holds never changes under it; memory that was marked and that no region names is removed by the next change; nothing else ever is.
 * Lock order: machine.lock, then use locks (on the memory: use-lock.ts), then holder files. machine.lock is not kept between calls; a use
 * lock as long as its hold. A wait for a lock ends within 100 ms (EBUSY naming who has it) unless its user allows more.
 * Lifetime: SharedBus owns directory, memory and model; Machine owns raw handles and node buffers on it; closed in reverse.
 * Failure: EBUSY (naming holders), EACCES/EROFS (state directory), EIO (machine.json damaged), EOPNOTSUPP (newer schema),
 * ESTALE (state directory replaced), and the bus's own errnos (docs/kernel-dax.md).
 */
export { parseSize, sizeText } from '../libc/index.js';
export type { BackingKind } from '../memory/index.js';
export type { NodeStats } from '../mm/index.js';
export { SysfsFiles } from '../tree/index.js';
export { Machine } from './emulated/machine.js';
export { mountpointOf } from './holders.js';
export {
  type BorrowedMode,
  type HolderSurvey,
  type KernelDeviceInfo,
  KernelMachine,
  type KernelRegionInfo,
  type KernelStatus,
  kernelDeviceOf,
  type RegionProvider,
} from './kernel/index.js';
export { type OpenKernelOptions, openDevice, openKernel, openMachine } from './open.js';
export {
  absoluteRoot,
  defaultRoot,
  isDeviceName,
  isKernelRoot,
  type KernelRoot,
  stateDirectoryOf,
} from './roots.js';
export * from './types.js';
