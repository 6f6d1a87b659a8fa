import fs from 'node:fs';
import type { Volume } from '../../famfs/index.js';
import { hasCode } from '../../libc/index.js';
import { deviceNumbers } from '../../memory/index.js';

/**
 * `user.famfs.memory` tells the preload library (native/) where the bytes of a file are, so that it can map the memory itself:
 *
 *     1 KIND MAJOR MINOR INODE GRANULE SIZE CHUNK EXTENTS OFFSET LENGTH ... PATH
 *
 * KIND: f a file, with its device and inode; c a dax device, with its own numbers; p one that survives power loss. Pages of the
 * memory are GRANULE bytes. CHUNK is 0, or the chunk size of a striped file. Offsets are in the file or device at PATH.
 * Where the memory must not be mapped past the mount, the value is `0 REASON`. It is not in the list of attributes: whoever copies
 * attributes with a file has no use for it.
 */
export const MEMORY_ATTRIBUTE = 'user.famfs.memory';

/** More than the preload library takes. */
const MOST_EXTENTS = 64;

/**
 * The value for an inode of the log; null: a directory.
 * @throws DaxError ENXIO, ESTALE the device is gone or was formatted anew
 */
export function memoryAttribute(volume: Volume, ino: number | null): Uint8Array | null {
  if (ino === null) return because('the file is not published yet');
  volume.inodes.check();
  const { type, size } = volume.inodes.stat(ino);
  if (type !== 'file') return null;
  if (size === 0) return because('the file is empty');
  // Locks protect the memory of a mapping from other processes of this host, so they do where this host alone formats it.
  if (volume.role !== 'master') return because('another host owns the volume');
  try {
    return describe(volume, ino);
  } catch (error) {
    if (hasCode(error, 'EIO')) return because('some of its memory has failed, or is cut off');
    if (hasCode(error, 'ENODEV', 'ERANGE', 'ENOENT')) return because('its memory is not all of one device');
    throw error;
  }
}

function describe(volume: Volume, ino: number): Uint8Array {
  const { size } = volume.inodes.stat(ino);
  const { backing, chunkSize, extents } = volume.inodes.memory(ino);
  if (!backing.coherent) return because('the caches of hosts that share the memory are not coherent');
  if (extents.length > MOST_EXTENTS) return because('it lies in too many pieces');
  const path = fs.readlinkSync(`/proc/self/fd/${backing.fd}`);
  const stat = fs.fstatSync(backing.fd);
  if (stat.isFile() && stat.nlink === 0) return because('the memory has no name any more');
  const isDevice = stat.isCharacterDevice();
  const { major, minor } = deviceNumbers(isDevice ? stat.rdev : stat.dev);
  const kind = isDevice ? (backing.persistent ? 'p' : 'c') : 'f';
  const numbers = [major, minor, stat.ino, backing.granule, size, chunkSize, extents.length];
  const places = extents.flatMap(({ offset, length }) => [offset, length]);
  return Buffer.from(`1 ${kind} ${[...numbers, ...places].join(' ')} ${path}`);
}

function because(reason: string): Uint8Array {
  return Buffer.from(`0 ${reason}`);
}
