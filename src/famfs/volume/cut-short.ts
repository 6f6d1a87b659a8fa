import { DaxError, fail, type LockPatience } from '../../libc/index.js';
import type { Media } from '../media/media.js';
import { readRecord } from '../media/rewrite-record.js';
import { decidedRewrite, settleRewrite } from '../media/rewrite-switch.js';
import { roleOf, systemUuidIfAny } from '../media/role.js';
import { readSuperblock } from '../media/superblock.js';
import { deviceMedia } from './device-media.js';
import type { MountedFamfs } from './mounted.js';
import { RangeLocks } from './range-locks.js';
import type { FamfsDevice } from './types.js';

/**
 * Completes or removes what a rewrite left that was cut short, when this host is the master. It holds the log's lock, so of several
 * processes that come at once only one does it. Mounts that read the new log meanwhile become ESTALE.
 * @throws DaxError EBADMSG the new log is damaged; EIO, ENOSPC
 */
export function completeCutShort(device: FamfsDevice, patience: LockPatience): void {
  // A famfs that this process has mounted was completed then, or is mounted to read.
  if (device.dax.holder !== null) return;
  const media = deviceMedia(device);
  try {
    if (!isLeftToUs(media, device)) return;
    const hold = device.hold('rewrite');
    const locks = new RangeLocks(media);
    try {
      locks.allow(patience);
      locks.takeLog();
      settleRewrite(media);
    } finally {
      locks.releaseLog();
      locks.close();
      hold.release();
    }
  } finally {
    media.close();
  }
}

/** Whether something is left, and this host owns the file system. What cannot be read is reported by the mount. */
function isLeftToUs(media: Media, device: FamfsDevice): boolean {
  try {
    if (readRecord(media) === null) return false;
    const superblock = decidedRewrite(media)?.record.superblock ?? readSuperblock(media);
    const own = systemUuidIfAny(device);
    return own !== undefined && roleOf(superblock, own) === 'master';
  } catch (error) {
    if (error instanceof DaxError) return false;
    throw error;
  }
}

/** A mount that reads the new log of a rewrite that was cut short keeps its process from completing it. @throws DaxError EBUSY */
export function refuseUnfinished({ isUnfinished, device }: MountedFamfs): void {
  if (!isUnfinished) return;
  fail(
    'EBUSY',
    `a rewrite of ${device.name} was cut short, and this process has it mounted for reading: close that, then mount it for writing`,
    { path: device.name },
  );
}
