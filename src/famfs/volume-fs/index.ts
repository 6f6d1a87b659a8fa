/**
 * volume-fs/: a volume as the part of node:fs that reads, for libraries that take an `fs`.
 *
 * Invariants: names, types and errors are node:fs's (errors are DaxError with the same code, errno, path). Nothing
 * can be written this way: EROFS. Paths start at the volume's root. Reads copy: they are safe on any memory.
 * Lifetime: descriptors belong to the volume's fs face, are numbers no kernel uses, and end with the volume.
 * Failure: ENOENT, ENOTDIR, EISDIR, EBADF, EROFS, EIO, ENODEV; EFBIG for a file bigger than a Buffer.
 */
export type { ReadableVolume } from './source.js';
export { type VolumeFs, volumeFs } from './volume-fs.js';
