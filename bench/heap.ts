import { addressOf, DaxError, madvise } from '../src/libc/index.js';

const MADV_HUGEPAGE = 14;
const PAGE_BYTES = 4096;

/** Memory of V8's own, not touched yet, that gets huge pages where the kernel gives them on request. */
export function heapInHugePages(bytes: number): Float64Array {
  const array = new Float64Array(bytes / 8);
  const address = addressOf(array);
  const first = Math.ceil(address / PAGE_BYTES) * PAGE_BYTES;
  try {
    madvise(first, Math.floor((address + bytes - first) / PAGE_BYTES) * PAGE_BYTES, MADV_HUGEPAGE);
  } catch (error) {
    // A kernel without them: all pages are small then.
    if (!(error instanceof DaxError)) throw error;
  }
  return array;
}
