import type { FuseSession, FuseSessionOptions } from './session-types.js';

/**
 * Makes the file system in a worker, mounts it, and serves it until it is unmounted. Resolves when the kernel's INIT
 * is answered. A dead mount found on the mountpoint is removed first.
 * @throws DaxError ENOENT/ENOTDIR (mountpoint), EPERM/EACCES (mount rights, with what to do), EPROTO (old kernel),
 *   ENOSYS (no FUSE here), or what createFileSystem threw
 */
export async function startSession(options: FuseSessionOptions): Promise<FuseSession> {
  throw new Error(options.mountpoint);
}
