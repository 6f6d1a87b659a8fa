/** What the session's worker loads: opens the device there and makes the file system over its volume. */
import { mountFamfsOn } from '../../famfs/index.js';
import type { FuseFileSystem, FuseHost } from '../../fuse/index.js';
import { openDevice } from '../../machine/index.js';
import { FamfsFileSystem } from './file-system.js';
import type { FamfsMountData } from './mount.js';

export function createFileSystem(data: unknown, host: FuseHost): FuseFileSystem {
  const { root, device, readOnly, role } = data as FamfsMountData;
  const opened = openDevice(device, readOnly ? { root, writable: false } : { root });
  try {
    const volume = mountFamfsOn(opened, { readOnly, ...(role && { role }) });
    return new FamfsFileSystem(volume, host, () => opened.close());
  } catch (error) {
    opened.close();
    throw error;
  }
}
