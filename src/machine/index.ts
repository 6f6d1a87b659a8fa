/**
 * machine/: one host's regions, devices and drivers: on disk, locked, shared by processes.
 *
 * Purpose: a bus model (dax/) that survives its processes and is the same in all of them; devices by name, node or image
 * file for the layers that put file systems on them; who has what open.
 *
 * State directory (decision 6): machine.json is the truth, written by rename: whoever has read it can tell by its descriptor whether
 * it was replaced, and reads it again, without a lock; machine.lock excludes changes; holders/ names who has what
 * open; regions/ memory of its own, named relatively (own-memory.ts); volumes/ per-file-system state of this host. kernel/ is the same face over the running
 * kernel's bus, which keeps its own state.
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
export { SysfsFiles } from '../tree/index.js';
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
export { Machine } from './machine.js';
export { openDevice, openMachine } from './open.js';
export {
  absoluteRoot,
  defaultRoot,
  isDeviceName,
  isKernelRoot,
  type KernelRoot,
  stateDirectoryOf,
} from './roots.js';
export * from './types.js';
