import type { FuseSessionEnd, FuseUnmountOptions } from '../../fuse/index.js';
import { hasCode } from '../../libc/index.js';
import { sayFailed, sayReady } from './background.js';
import type { MountRecord, MountRecords, OwnRecord } from './records.js';

/** What serve() needs from a mount. */
export interface Served {
  readonly mountpoint: string;
  readonly closed: Promise<FuseSessionEnd>;
  /** What the user should know of the mount. */
  readonly note?: string | undefined;
  /** Where it serves its metrics. */
  readonly metrics?: string | undefined;
  unmount(options?: FuseUnmountOptions): Promise<void>;
}

/**
 * Mounts, registers the mount, and reports to the starter if there is one. Returns when the mount is gone; an abort of `signal`
 * unmounts it.
 * @param tell receives why there is no record of the mount, and why what was made could not be published at the end
 * @throws Error what `mount` threw, unless it was reported to a starter; the error of a session whose worker died
 */
export async function serve(
  records: MountRecords,
  about: Omit<MountRecord, 'pid'>,
  mount: () => Promise<Served>,
  signal: AbortSignal,
  onReady: (served: Served) => void,
  tell: (why: string) => void,
): Promise<void> {
  let served: Served;
  let record: OwnRecord;
  try {
    served = await mount();
    record = await registered(records, about, served, tell);
  } catch (error) {
    if (sayFailed(error)) process.exitCode = 1;
    else throw error;
    return;
  }
  const { mountpoint, note, metrics } = served;
  sayReady({
    pid: process.pid,
    mountpoint,
    ...(note !== undefined && { note }),
    ...(metrics !== undefined && { metrics }),
  });
  onReady(served);
  const end = () => void endAnyway(served, tell);
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const { error } = await served.closed;
  signal.removeEventListener('abort', end);
  record.remove({ keepLog: error !== undefined });
  if (error) throw error;
}

async function registered(
  records: MountRecords,
  about: Omit<MountRecord, 'pid'>,
  served: Served,
  tell: (why: string) => void,
): Promise<OwnRecord> {
  try {
    const { mountpoint, metrics } = served;
    return records.add({ ...about, mountpoint, ...(metrics !== undefined && { metrics }) });
  } catch (error) {
    // A machine that this user may only read can be mounted all the same: the kernel's table knows the mount.
    if (hasCode(error, 'EROFS', 'EACCES')) {
      tell(`udax: ${served.mountpoint} has no record in the state directory: ${(error as Error).message}`);
      return { remove() {} };
    }
    await served.unmount();
    throw error;
  }
}

/** Unmounts because the process must end. When that fails, it tells the reason and aborts the mount. */
export async function endAnyway(
  served: Pick<Served, 'mountpoint' | 'unmount'>,
  tell: (why: string) => void,
): Promise<void> {
  try {
    await served.unmount();
  } catch (error) {
    tell(`udax: ${served.mountpoint}: ${(error as Error).message}`);
    await served.unmount({ whenBusy: 'abort' });
  }
}
