import { isError } from '../../src/libc/index.js';
import { type FolioDescription, type PageTable, PMD_PAGES } from '../../src/mm/index.js';

/** The first page of a section, in the middle of nowhere. */
export const BASE = 1024 * PMD_PAGES;
export const file = { name: '/a' };
export const other = { name: '/b' };

/** A page at rest, as describe() has it. */
export function resting(pfn: number): FolioDescription {
  return { order: 0, head: pfn, mapping: null, index: 0, share: 0, refcount: 0 };
}

/** The code and the message of the error that a call throws; 'ok' when it throws none. Anything without a code is thrown on. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!isError(error) || !('code' in error)) throw error;
    return `${error.code}: ${error.message}`;
  }
  return 'ok';
}

/** The refcounts of some pages. */
export function refcounts(pages: PageTable, from: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => pages.refcount(from + at));
}
