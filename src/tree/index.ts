/**
 * tree/: the attribute tree of a dax bus behind one interface (DaxTree), of a model or of the host's /sys, and daxctl's verbs and
 * JSON over it.
 *
 * The tree of a model (model/) is made of tables, one row an attribute (attributes/): name, mode on static and dynamic
 * regions, show, store. Nothing is kept: every call walks the bus as it is now, so a tree can never
 * be stale, and costs nothing at rest. What a store may say is decided in dax/; here is only who may
 * open what, and what the text looks like. The host's tree (files.ts) is its files.
 *
 * One reader (devices.ts, drivers.ts, memory-blocks.ts) and one set of verbs (verbs.ts, carving.ts) stand on the interface alone:
 * what the explorer and the property tests run over a model runs as root on /sys (decision 20). Invariant: a verb is whole or
 * undone, whichever store fails (undo.ts), and the error says what is left where even that failed; kmem is never unbound while
 * memory of it is online; no other device is touched. A module that was loaded for it stays.
 *
 * daxctl's dialect (daxctl/) stands on the same primitives, as the real tool stands on /sys: it does daxctl's reads and writes in
 * daxctl's order, so that what it leaves behind, half-done too, is what daxctl leaves behind.
 *
 * Locks: none here. Over a Machine each call is one `view` or one `change` (its lock, its publishing);
 * a verb over a Machine is best run inside one `change` of its own, so that others see it whole.
 *
 * Failure: every errno is the one the kernel answers (docs/kernel-dax.md); nothing is changed by a call
 * that throws. Verbs do not throw for what daxctl answers with an exit code.
 */

export * as carving from './carving.js';
export {
  type DaxTree,
  linkName,
  numberOf,
  type ReadableTree,
  realPathOf,
  textOf,
} from './dax-tree.js';
export {
  type DaxctlHost,
  type DaxctlHostOptions,
  type DaxctlVersion,
  daxctlHost,
} from './daxctl/host.js';
export type { ListOptions } from './daxctl/list.js';
export { runDaxctl } from './daxctl/run.js';
export type { VerbResult } from './daxctl/verbs.js';
export {
  type DevicePlace,
  deviceAt,
  driverOf,
  findDevices,
  isStatic,
  type MappedRange,
  rangesOf,
} from './devices.js';
export { type DeviceMode, driverOfMode, loadedDrivers, modeOfDriver } from './drivers.js';
export { daxctl, daxctlList, daxctlListOf, sysfs } from './face.js';
export { SysfsFiles } from './files.js';
export { blocksOf, type MemoryBlockPlace } from './memory-blocks.js';
export { type AccessMode, type Caller, ROOT } from './model/access.js';
export {
  type DeviceNodeInfo,
  ModelTree,
  type ModelTreeOptions,
  type NodeInfo,
  type TreeEntry,
} from './model/model-tree.js';
export type { RegionPlace } from './model/place.js';
export { accessTo, type BusAccess, Sysfs, type SysfsOptions } from './model/sysfs.js';
export { ueventLines } from './model/uevents.js';
export { explainRefusal } from './permissions.js';
export * as verbs from './verbs.js';
