/** Functions that all backings share: range checks, errors that name the file, a mapping for the length of one call. */
import {
  asDaxError,
  DaxError,
  fail,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
} from '../libc/index.js';

/** A page of the processor: the smallest granule of any mapping. */
export const PAGE_BYTES = 4096;

/** Checks that start and length are a byte range. @throws DaxError EINVAL */
export function checkByteRange(what: string, start: number, length: number): void {
  const sensible =
    Number.isSafeInteger(start) &&
    start >= 0 &&
    Number.isSafeInteger(length) &&
    length > 0 &&
    Number.isSafeInteger(start + length);
  if (!sensible) {
    fail(
      'EINVAL',
      `${what}: ${length} bytes at ${start} is no range: give whole, non-negative numbers and at least 1 byte`,
    );
  }
}

/** Checks that a range is wholly inside `size` bytes. @throws DaxError EIO it is not, EINVAL no byte range */
export function checkInside(name: string, size: number, offset: number, length: number): void {
  checkByteRange(name, offset, length);
  if (offset + length <= size) return;
  fail(
    'EIO',
    `${name} ends at byte ${size}, the range ${offset}..${offset + length} is not all there: was it truncated, or is it the copy of a larger device?`,
    { path: name },
  );
}

/** Adds the file and the action to the error of a system call. An error that names a file already is returned unchanged. */
export function errorAbout(error: unknown, doing: string, path: string): unknown {
  if (!(error instanceof DaxError)) return asDaxError(error, doing, path);
  if (error.path !== undefined) return error;
  const syscall = error.syscall === undefined ? {} : { syscall: error.syscall };
  return new DaxError(error.code, `${doing}: ${error.message}`, { ...syscall, path, cause: error });
}

/** A range of a file or device to map for the length of one call. Bytes. */
export interface ShortMapping {
  fd: number;
  offset: number;
  length: number;
  granule: number;
  writable: boolean;
}

/** Maps a range shared, calls `use` with its address, and unmaps it. There is never a JavaScript view of it. */
export function withShortMapping(range: ShortMapping, use: (address: number) => void): void {
  const { fd, offset, length, granule } = range;
  const lead = offset % granule;
  const mapped = Math.ceil((lead + length) / granule) * granule;
  const prot = range.writable ? PROT_READ | PROT_WRITE : PROT_READ;
  const base = mmap(0, mapped, prot, MAP_SHARED, fd, offset - lead);
  try {
    use(base + lead);
  } finally {
    munmap(base, mapped);
  }
}
