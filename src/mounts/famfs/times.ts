import fs from 'node:fs';
import { join } from 'node:path';
import { type Timestamp, timestampOf } from '../../fuse/index.js';
import { makeDirectoryAsAbove } from '../../libc/index.js';

/**
 * The times of all files and directories of a volume, as its mounts on this host show them. The media format has no times, but
 * programs that compare times (make, rsync, caches) need the same ones at each mount. So they are when this host first mounted
 * the volume, kept as the mtime of volumes/UUID/mounted. When the state cannot be written, they are 1970.
 */
export function timesOf(volumes: string | undefined, uuid: string): Timestamp {
  if (volumes === undefined) return timestampOf(0);
  const file = join(volumes, uuid, 'mounted');
  try {
    makeDirectoryAsAbove(join(file, '..'));
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch {
    // The file exists already, or cannot be made. The next line tells.
  }
  return timestampOf(fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}
