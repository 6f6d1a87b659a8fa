/** What answers must be, worked out the plain way from what a device shows of itself (mappingN). */
import type { DaxRange } from '../../dax/index.js';
import { PAGE_SIZE } from '../../mm/index.js';

/** Where page `pgoff` of a device is, and how many pages from it on lie in the same range. null: beyond the end. */
export function pageAt(ranges: readonly DaxRange[], pgoff: number): { pfn: number; left: number } | null {
  let before = 0;
  for (const { start, end } of ranges) {
    const pages = (end + 1 - start) / PAGE_SIZE;
    if (pgoff < before + pages)
      return { pfn: start / PAGE_SIZE + pgoff - before, left: before + pages - pgoff };
    before += pages;
  }
  return null;
}
