/**
 * mounts/: FUSE file systems over what the layers below have: a famfs volume (famfs/), a machine's attribute tree (tree/), and
 * the daemons that serve them in the background (daemon/).
 *
 * A mount has two halves. The worker of its session opens device or machine for itself and answers every request there, one after
 * another; the main thread has the session, asks the worker for news ten times a second, and drops what the kernel has cached.
 *
 * Invariants: reads are answered with addresses of the memory itself; a file appears to others when it is whole; nothing a mount
 * does goes past the checks of the volume or the machine; cached names and attributes are dropped before anybody is told that
 * publish() is done.
 * Lifetime: device or machine -> volume -> file system -> session; the file system closes what it opened when the mount is gone.
 * A record in ROOT/mounts lives exactly as long as the process that serves the mount (its lock tells).
 * Failure: errno by errno as docs/mount.md lists them; a device that goes away is ENXIO at the next call, the mount stays.
 */
export type {
  FuseConnection,
  FuseSession,
  FuseSessionEnd,
  FuseSettledConnection,
  FuseUnmountOptions,
  NodeId,
  OptionalOperation,
} from '../fuse/index.js';
export { FamfsMount, type FamfsMountOptions, mountFamfsAt } from './famfs/mount.js';
export { mountSysfsAt, type SysfsMountOptions } from './sysfs/mount.js';
