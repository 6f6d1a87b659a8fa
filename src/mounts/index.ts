/**
 * mounts/: FUSE file systems over a famfs volume (famfs/) and over a machine's attribute tree (sysfs/), and the daemons that
 * serve them in the background (daemon/).
 *
 * A mount has two halves. The worker of its session opens the device or machine and answers every request, one after another.
 * The main thread has the session. For a famfs mount it also asks the worker ten times a second what was published, and drops
 * what the kernel has cached of it.
 *
 * Invariants: reads of logged files are answered with addresses of the memory itself. A file appears to others when it is whole.
 * A mount does nothing without the checks of the volume or the machine. publish() resolves when the kernel has dropped the
 * cached pages and attributes of the files in question.
 * Lifetime: device or machine -> volume -> file system -> session. The file system closes what it opened when the mount is gone.
 * A record in ROOT/mounts is live exactly as long as the process that serves the mount: that process holds a lock on it.
 * Failure: errno by errno as docs/mount.md lists them. A device that goes away is ENXIO at the next call; the mount stays.
 */
export type {
  FuseConnection,
  FuseFigures,
  FuseSession,
  FuseSessionEnd,
  FuseSettledConnection,
  FuseUnmountOptions,
  NodeId,
  OperationFigures,
  OptionalOperation,
} from '../fuse/index.js';
export type { FamfsFigures, FamfsMountFigures } from './famfs/figures.js';
export { FamfsMount, type FamfsMountOptions, mountFamfsAt } from './famfs/mount.js';
export { publishMount } from './famfs/publish-mount.js';
export type { ZeroCopy } from './famfs/zero-copy/door.js';
export { mountSysfsAt, type SysfsMountOptions } from './sysfs/mount.js';
