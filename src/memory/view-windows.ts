import { fail, MAX_VIEW_BYTES } from '../libc/index.js';
import type { PhysicalRange } from './mapping.js';

/** A part of a list of ranges, small enough for one mapping. */
export interface ViewWindow {
  /** Bytes from the start of the whole. */
  offset: number;
  length: number;
  ranges: PhysicalRange[];
}

/**
 * Cuts a list of ranges of any length into windows of `windowBytes`, in order; the last one is the rest.
 * @throws DaxError EINVAL window size not 1 byte to 4 GiB
 */
export function* windowsOf(ranges: readonly PhysicalRange[], windowBytes: number): Generator<ViewWindow> {
  if (!Number.isSafeInteger(windowBytes) || windowBytes <= 0 || windowBytes > MAX_VIEW_BYTES) {
    fail('EINVAL', `windows of ${windowBytes} bytes are not possible: choose 1 byte to 4 GiB`);
  }
  let window: ViewWindow = { offset: 0, length: 0, ranges: [] };
  for (const range of ranges) {
    for (let at = 0; at < range.length; ) {
      const length = Math.min(range.length - at, windowBytes - window.length);
      window.ranges.push({ start: range.start + at, length });
      window.length += length;
      at += length;
      if (window.length < windowBytes) continue;
      yield window;
      window = { offset: window.offset + windowBytes, length: 0, ranges: [] };
    }
  }
  if (window.length > 0) yield window;
}
