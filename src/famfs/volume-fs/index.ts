/**
 * volume-fs/: a volume as a part of node:fs, for libraries that take an `fs`: reading, names, attributes, whole files.
 *
 * Invariants: names, types and errors are those of node:fs (errors are DaxError with the same code, errno, path). Opening for writing
 * is refused with EROFS. Paths start at the volume's root. Reads copy, so they are safe on any memory.
 * Lifetime: descriptors belong to the volume's `fs`. They are numbers that no kernel uses, and end with the volume.
 * Failure: ENOENT, ENOTDIR, EISDIR, EBADF, EROFS, EIO, ENODEV; EFBIG for a file bigger than a Buffer.
 */
export { type VolumeFs, type VolumeFsChange, volumeFs } from './volume-fs.js';
