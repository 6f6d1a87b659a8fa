import type { FuseSessionEnd, FuseUnmountOptions } from '../../fuse/index.js';
import { sayFailed, sayReady } from './background.js';
import type { MountRecord, MountRecords, OwnRecord } from './records.js';

/** What serve() needs from a mount. */
export interface Served {
  readonly mountpoint: string;
  readonly closed: Promise<FuseSessionEnd>;
  /** What the user should know of the mount. */
  readonly note?: string | undefined;
  unmount(options?: FuseUnmountOptions): Promise<void>;
}

/**
 * Mounts, registers the mount, and reports to the starter if there is one. Returns when the mount is gone; an abort of `signal`
 * unmounts it.
 * @throws Error what `mount` threw, unless it was reported to a starter; the error of a session whose worker died
 */
export async function serve(
  records: MountRecords,
  about: Omit<MountRecord, 'pid'>,
  mount: () => Promise<Served>,
  signal: AbortSignal,
  onReady: (mountpoint: string) => void,
): Promise<void> {
  let served: Served;
  let record: OwnRecord;
  try {
    served = await mount();
    record = await registered(records, about, served);
  } catch (error) {
    if (sayFailed(error)) process.exitCode = 1;
    else throw error;
    return;
  }
  const { mountpoint, note } = served;
  sayReady({ pid: process.pid, mountpoint, ...(note !== undefined && { note }) });
  onReady(mountpoint);
  const end = () => void endAnyway(served);
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const { error } = await served.closed;
  signal.removeEventListener('abort', end);
  record.remove({ keepLog: error !== undefined });
  if (error) throw error;
}

async function registered(
  records: MountRecords,
  { kind, what, keeper }: Omit<MountRecord, 'pid'>,
  served: Served,
): Promise<OwnRecord> {
  try {
    return records.add(kind, what, served.mountpoint, keeper);
  } catch (error) {
    await served.unmount();
    throw error;
  }
}

/** Unmounts because the process must end. When that fails, it writes the reason to stderr and aborts the mount. */
export async function endAnyway(served: Pick<Served, 'mountpoint' | 'unmount'>): Promise<void> {
  try {
    await served.unmount();
  } catch (error) {
    process.stderr.write(`udax: ${served.mountpoint}: ${(error as Error).message}\n`);
    await served.unmount({ whenBusy: 'abort' });
  }
}
