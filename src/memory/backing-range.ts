import { fail } from '../libc/index.js';

/** A page of the processor: the smallest granule of any mapping. */
export const PAGE_BYTES = 4096;

/** Refuses what can not be a byte range at all. @throws DaxError EINVAL */
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

/** Refuses a range that is not wholly inside `size` bytes. @throws DaxError EIO, EINVAL */
export function checkInside(name: string, size: number, offset: number, length: number): void {
  checkByteRange(name, offset, length);
  if (offset + length <= size) return;
  fail(
    'EIO',
    `${name} ends at byte ${size}, the range ${offset}..${offset + length} is not all there: was it truncated, or is it the copy of a larger device?`,
    { path: name },
  );
}
