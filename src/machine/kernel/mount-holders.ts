import { closeSync, openSync } from 'node:fs';
import { listFuseMounts, probeExtentMaps } from '../../fuse/index.js';
import { DaxError, hasCode } from '../../libc/index.js';
import type { HolderInfo } from '../types.js';

/**
 * The zero-copy mount that has a device in famfs mode, when no process has its node open: its server was killed. Unbinding the driver
 * then is not refused by the kernel, and a mapped file makes it oops. Not every such mount is in a table: a detached one lives as long
 * as files of it are mapped. So the kernel is asked whether it would take the device now.
 */
export function mountThatHolds(name: string): HolderInfo | undefined {
  if (!isHeld(`/dev/${name}`)) return undefined;
  const at = listFuseMounts().find(
    ({ type, source }) => type === 'fuse.udax' && (source === name || source === `/dev/${name}`),
  );
  const purpose = at ? `mount at ${at.mountpoint}` : 'files of a mount that was detached are open or mapped';
  return { pid: 0, startTime: 0, command: 'kernel', device: name, purpose };
}

/** False where the kernel has no such mounts, and where this user may not ask. */
function isHeld(node: string): boolean {
  let fd: number;
  try {
    fd = openSync(node, 'r');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'EACCES', 'ENXIO', 'ENODEV')) return false;
    throw error;
  }
  try {
    return probeExtentMaps(fd).device === 'EBUSY';
  } catch (error) {
    if (error instanceof DaxError) return false;
    throw error;
  } finally {
    closeSync(fd);
  }
}
