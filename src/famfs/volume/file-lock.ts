import fs from 'node:fs';
import { asDaxError, closeDescriptor, ofdLock } from '../../libc/index.js';
import { extentRanges, type Fmap } from '../media/fmap.js';
import { backingRanges, type DeviceMedia } from './device-media.js';

/** A lock on bytes of a file, until released or until this process ends. */
export interface FileLock {
  release(): void;
}

/**
 * Locks bytes of a file for this handle alone, among all processes of this host that reach the same memory. The lock
 * is advisory and lies on the memory's own file or device (an open-file-description lock).
 * @returns null when somebody else has it
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

/** The memory once more: such locks belong to a descriptor, and this one is the caller's alone. */
export function openForLocks({ backing, name }: DeviceMedia): number {
  try {
    return fs.openSync(`/proc/self/fd/${backing.fd}`, 'r+');
  } catch (error) {
    throw asDaxError(error, `cannot lock ${backing.name} for ${name}`, name);
  }
}
