import { closeDescriptor, ofdLock } from '../../libc/index.js';
import { extentRanges, type Fmap } from '../media/fmap.js';
import { backingRanges, type DeviceMedia } from './device-media.js';
import { openForLocks } from './lock-descriptor.js';

/** A lock on bytes of a file. It lasts until it is released or this process ends. */
export interface FileLock {
  /** Gives the lock back. Idempotent. */
  release(): void;
}

/**
 * Locks bytes of a file for this handle, against all other handles and processes of this host that reach the same memory. The
 * lock is advisory. It is an open-file-description lock on the backing file or device.
 * @returns null when another handle holds a lock on some of the bytes
 */
export function lockFileRange(
  media: DeviceMedia,
  fmap: Fmap,
  offset: number,
  length: number,
): FileLock | null {
  const fd = openForLocks(media);
  let isHeld = false;
  try {
    isHeld = extentRanges(fmap, offset, length)
      .flatMap((extent) => backingRanges(media.dax, extent.offset, extent.length))
      .every((range) => ofdLock(fd, 'exclusive', { start: range.offset, length: range.length }));
  } finally {
    if (!isHeld) closeDescriptor(fd);
  }
  if (!isHeld) return null;
  return {
    release() {
      if (!isHeld) return;
      isHeld = false;
      closeDescriptor(fd);
    },
  };
}
