import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bindDeviceCalls, closeDescriptor, DaxError, type ErrnoCode, isError } from '../libc/index.js';
import { Dispatcher } from './dispatcher.js';
import { mountFuse } from './mounting.js';
import { DeviceBackings } from './serving/backings.js';
import { ROOT_NODE } from './types.js';
import { detachMount } from './unmount.js';

/** What a try showed. */
export interface ExtentMapProbe {
  /** Whether the kernel offers extent maps at all (PASSTHROUGH_V2: Linux 7.4). */
  readonly isOffered: boolean;
  /** What the kernel answered when it was given the device: 'ok', or an errno. Null: it was not asked. */
  readonly device: 'ok' | ErrnoCode | null;
}

/**
 * Asks the kernel itself whether it has extent maps, by a FUSE connection on a directory of its own that lasts for the question. Root only.
 * @param deviceFd a dax device in famfs mode, to learn whether the kernel would take it now: EBUSY when a mount has it, also one that
 *   was detached or whose server is gone, as long as files of it are mapped. No table of the kernel shows those.
 * @throws DaxError as mounting: EPERM, ENOSYS
 */
export function probeExtentMaps(deviceFd?: number): ExtentMapProbe {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-probe-'));
  try {
    const fd = mountFuse(directory, { source: 'udax-probe', subtype: 'udax-probe' }).deviceFd;
    try {
      return converse(fd, deviceFd);
    } finally {
      try {
        detachMount(directory);
      } finally {
        closeDescriptor(fd);
      }
    }
  } finally {
    fs.rmdirSync(directory);
  }
}

/** Answers INIT, which waits since the mount was made, and hands the device over. The mount's end gives it back. */
function converse(fd: number, deviceFd: number | undefined): ExtentMapProbe {
  const calls = bindDeviceCalls();
  const dispatcher = new Dispatcher(
    {
      lookup: refuse,
      getattr: refuse,
    },
    { connection: { extentMaps: true }, onReport: () => {} },
  );
  const length = calls.read(fd, dispatcher.requestAddress, dispatcher.request.byteLength);
  if (length <= 0) return { isOffered: false, device: null };
  dispatcher.serve(length);
  const isOffered = dispatcher.connection?.capabilities.includes('PASSTHROUGH_V2') ?? false;
  const { reply } = dispatcher;
  if (!isOffered || deviceFd === undefined || calls.write(fd, reply.address, reply.length) < 0)
    return { isOffered, device: null };
  try {
    new DeviceBackings(fd, calls).create(deviceFd, BigInt(ROOT_NODE));
    return { isOffered, device: 'ok' };
  } catch (error) {
    if (!isError(error) || !(error instanceof DaxError)) throw error;
    return { isOffered, device: error.code };
  }
}

const refuse = (): never => {
  throw new DaxError('ENOENT', 'this mount only asks the kernel a question');
};
