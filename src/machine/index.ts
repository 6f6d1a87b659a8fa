/**
 * machine/: the regions, devices and drivers of one host. They are kept on disk, locked, and shared by processes.
 *
 * - emulated/: a bus model (dax/) in a state directory. It outlives its processes and is the same in all of them.
 * - image/: a device node or an image file as a device.
 * - kernel/: the running kernel's bus, which keeps its own state.
 * - Shared by these: opening (open), types and names (types, roots), users of a device (holders, use-lock, lock).
 *
 * `Machine` and `KernelMachine` both implement `DaxMachine`. Both change a bus through the verbs of tree/ (decision 20).
 *
 * State directory (decision 6): machine.json is the only truth and is replaced by rename. A reader keeps its descriptor open; the
 * descriptor tells whether the file was replaced, and then the reader reads it again, without a lock. machine.lock excludes other
 * changes. holders/ names the processes that have devices open. regions/ has the directory's own memory, named relatively
 * (own-memory.ts). volumes/ has this host's state per file system.
 *
 * Invariants: I12 a failed or killed change leaves machine.json, backings and modes as they were; a device that another process
 * holds never changes under it; the next change removes memory that is marked and that no region names, and nothing else is ever
 * removed.
 * Lock order: machine.lock, then use locks (on the memory: use-lock.ts), then holder files. machine.lock is not kept between
 * calls; a use lock lasts as long as its hold. A wait for a lock ends within 100 ms (EBUSY naming the lock's holder) unless the
 * caller allows more.
 * Lifetime: SharedBus owns directory, memory and model; Machine owns raw handles and node buffers on it; they are closed in
 * reverse order.
 * Failure: EBUSY (naming holders), EACCES/EROFS (state directory), EIO (machine.json damaged), EOPNOTSUPP (newer schema), ESTALE
 * (state directory replaced), and the bus's own errnos (docs/kernel-dax.md).
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
  MountedDevice,
  type MountedDeviceFacts,
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
