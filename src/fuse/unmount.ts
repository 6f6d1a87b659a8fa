import type { FuseUnmountOptions } from './session-types.js';

/** Takes down the FUSE mount on a directory, whoever serves it, alive, hung or dead. Never hangs.
 * @returns what was found there
 * @throws DaxError EBUSY with `whenBusy: 'fail'`; EPERM when it is somebody else's; EINVAL when there is none */
export async function unmountFuse(mountpoint: string, options?: FuseUnmountOptions): Promise<'alive' | 'dead'> {
  throw new Error(`${mountpoint} ${options}`);
}

/** Removes a mount whose daemon is gone (ENOTCONN) from a directory; a live one stays.
 * @returns whether there was one */
export async function clearDeadMount(mountpoint: string): Promise<boolean> {
  throw new Error(mountpoint);
}

/** Whether a FUSE mount answers: 'alive', 'dead' (ENOTCONN), 'hung' (no answer in `timeoutMs`), or 'none'. */
export async function fuseMountState(mountpoint: string, timeoutMs?: number): Promise<'alive' | 'dead' | 'hung' | 'none'> {
  throw new Error(`${mountpoint} ${timeoutMs}`);
}
