/**
 * sysfs/: the attribute tree of a machine as data, and daxctl's verbs and JSON over it.
 *
 * The tree is made of tables, one row an attribute (attributes/): name, mode on static and dynamic
 * regions, show, store. Nothing is kept: every call walks the bus as it is now, so a tree can never
 * be stale, and costs nothing at rest. What a store may say is decided in dax/; here is only who may
 * open what, and what the text looks like.
 *
 * daxctl's verbs (daxctl/) stand on the tree alone, as the real tool stands on /sys: they do the same
 * reads and writes in the same order, so that what they leave behind is what daxctl leaves behind.
 *
 * Locks: none here. Over a Machine each call is one `view` or one `change` (its lock, its publishing);
 * a verb over a Machine is best run inside one `change` of its own, so that others see it whole.
 *
 * Failure: every errno is the one the kernel answers (docs/kernel-dax.md); nothing is changed by a call
 * that throws. Verbs do not throw for what daxctl answers with an exit code.
 */
export { type AccessMode, type Caller, ROOT } from './access.js';
export { type ParsedArguments, parseArguments, parseSize } from './daxctl/arguments.js';
export type { DeviceMode as DaxctlMode, Selection } from './daxctl/discover.js';
export {
  type DaxctlHost,
  type DaxctlHostOptions,
  type DaxctlTree,
  type DaxctlVersion,
  daxctlHost,
} from './daxctl/host.js';
export {
  formatJson,
  formatResults,
  humanAddress,
  humanSize,
  type JsonObject,
  type JsonValue,
} from './daxctl/json.js';
export { type ListOptions, listText } from './daxctl/list.js';
export type { ModeOptions } from './daxctl/modes.js';
export { runDaxctl } from './daxctl/run.js';
export {
  type CreateOptions,
  createDevice,
  destroyDevice,
  disableDevice,
  enableDevice,
  offlineVerb,
  onlineVerb,
  type ReconfigureOptions,
  reconfigureDevice,
  type VerbResult,
} from './daxctl/verbs.js';
export { daxctl, daxctlList, daxctlListOf, sysfs } from './face.js';
export { type RegionPlace, udaxPlace } from './place.js';
export {
  accessTo,
  type BusAccess,
  type NodeInfo,
  Sysfs,
  type SysfsOptions,
  type TreeEntry,
} from './sysfs.js';
export { parseSyntheticUevent, type SyntheticUevent, ueventLines } from './uevents.js';
