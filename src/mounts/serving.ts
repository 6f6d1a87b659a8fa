/** What the command line needs from mounts/ beside the public API: background mounts, their records, namespaces. */
export { isDaemon, passOnReadiness, sayFailed, startDaemon } from './daemon/background.js';
export { type MountRecord, MountRecords, type OwnRecord } from './daemon/records.js';
export { endAnyway, type Served, serve } from './daemon/serve.js';
export { mustNotHideState } from './places.js';
export { runInNamespace } from './sysfs/namespace.js';
