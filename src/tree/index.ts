/**
 * tree/: the attribute tree of a dax bus behind one interface (DaxTree), of a model or of the host's /sys, and daxctl's verbs
 * and JSON over it.
 *
 * The tree of a model (model/) is made of tables, one row an attribute (attributes/): name, mode on static and dynamic
 * regions, show, store. Nothing is cached: every call walks the bus as it is now, so a tree is never stale and costs nothing
 * at rest. dax/ decides which stores are valid; model/ decides who may open an attribute, and how its text looks. The host's
 * tree (files.ts) is the files of /sys.
 *
 * One set of readers (devices.ts, drivers.ts, memory-blocks.ts) and one set of verbs (verbs.ts, carving.ts) use that interface
 * only. So the code that the explorer and the property tests run over a model is the code that runs as root on /sys (decision 20).
 * Invariants: a verb is whole or undone, whichever store fails (undo.ts); where the undo fails too, the error says what is left.
 * kmem is never unbound while memory of it is online. No other device is changed. A module that a verb loaded stays loaded.
 *
 * daxctl's dialect (daxctl/) uses the same primitives. It makes daxctl's reads and writes in daxctl's order, so that it leaves the
 * same state as daxctl, also half-done.
 *
 * Locks: none here. Over a Machine each call is one `view` or one `change` (which locks and publishes). Run a verb over a
 * Machine inside one `change`, so that others see all of it or nothing.
 *
 * Failure: every errno is the one that the kernel answers (docs/kernel-dax.md). A call that throws has changed nothing. The verbs
 * of daxctl's dialect do not throw where daxctl has an exit code.
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
