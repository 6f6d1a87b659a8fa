import fs from 'node:fs';
import { join } from 'node:path';
import { type Timestamp, timestampOf } from '../../fuse/index.js';
import { makeDirectories } from '../../libc/index.js';

/**
 * The times of all that a volume holds, as its mounts on this host show them. The format has none; programs that compare times
 * (make, rsync, caches) need them to be the same at each mount: when this host first mounted the volume, kept in
 * volumes/UUID/mounted. Where the state cannot be written, 1970.
 */
export function timesOf(volumes: string | undefined, uuid: string): Timestamp {
  if (volumes === undefined) return timestampOf(0);
  const file = join(volumes, uuid, 'mounted');
  try {
    makeDirectories(join(file, '..'));
    fs.closeSync(fs.openSync(file, 'wx', 0o600));
  } catch {
    // There already, or not possible: told by the next line.
  }
  return timestampOf(fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
}
