import fs from 'node:fs';
import os from 'node:os';
import {
  closeDescriptor,
  collapsePages,
  DaxError,
  fail,
  fallocate,
  hasCode,
  MAP_FIXED,
  MAP_SHARED,
  memfdCreate,
  missingBytes,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  populateForStores,
  refuseMoreThanFree,
  reserveAddresses,
} from '../libc/index.js';
import type { BackingKind } from './backing.js';
import { PAGE_BYTES } from './backing-range.js';

/** Bytes of a huge page of the processor (of its second level of page tables), on x86-64 and on arm64 with pages of 4 KiB. */
export const HUGE_PAGE_BYTES = 2 ** 21;
/** Bytes made huge in one step, between two of which a signal is seen. A step costs a call to all processors. */
const STEP_BYTES = 2 ** 26;
/** So many refused in a row end the search: the kernel may move memory about for a while before each refusal. */
const MOST_REFUSED = 16;
/** Less is not worth such a step. */
const LEAST_BYTES = 2 ** 24;

/**
 * Allocates the memory of a range of a file, so that no later store fails for lack of it. In tmpfs and memfds it comes in huge pages where
 * the kernel can, whatever its settings for transparent huge pages are (MADV_COLLAPSE, Linux 6.1): everyone who maps the range then has
 * one entry of the page tables for 2 MiB. What cannot be huge gets small pages. Bytes that are there stay.
 * @throws DaxError ENOSPC the file system is full; EOPNOTSUPP it cannot allocate; another error of fallocate(2)
 */
export function allocateMemory(fd: number, kind: BackingKind, offset: number, length: number): void {
  if (length >= LEAST_BYTES && (kind === 'tmpfs' || kind === 'memfd')) {
    refuseMoreThanFree(fd, length);
    // tmpfs may allocate more than the host's free memory, and the host then kills processes.
    const freeBytes = os.freemem();
    if (missingBytes(fd, length) > freeBytes)
      fail('ENOSPC', `the host has only ${freeBytes} bytes of memory free: choose a smaller size`);
    makeHuge(fd, offset, length);
  }
  fallocate(fd, offset, length);
}

/** Why this host's kernel makes no huge pages of memory in tmpfs, or undefined when it does. It tries one. */
export function whyNoHugePages(): string | undefined {
  let fd = -1;
  try {
    fd = memfdCreate('udax-huge-page');
    fs.ftruncateSync(fd, HUGE_PAGE_BYTES);
    withMapping(fd, 0, HUGE_PAGE_BYTES, (address) => collapsePages(address, HUGE_PAGE_BYTES));
    return undefined;
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    return hasCode(error, 'EINVAL')
      ? `${error.code}: that came with Linux 6.1, and shmem_enabled must not be deny`
      : `${error.code}: ${error.message}`;
  } finally {
    if (fd >= 0) closeDescriptor(fd);
  }
}

function makeHuge(fd: number, offset: number, length: number): void {
  const first = Math.ceil(offset / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
  const end = Math.floor((offset + length) / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES;
  let refused = 0;
  try {
    for (let at = first; at < end && refused < MOST_REFUSED; at += STEP_BYTES) {
      const bytes = Math.min(STEP_BYTES, end - at);
      withMapping(fd, at, bytes, (address) => {
        refused = collapse(address, bytes, refused);
      });
    }
  } catch (error) {
    // A limit of this process or its group: small pages may be there.
    if (!(error instanceof DaxError)) throw error;
  }
}

/**
 * Makes as much as it can of a mapped range huge. The kernel ends with the first page that it has no memory for, though it may have some
 * for the next one, and one that is in use may be free a moment later.
 * @param refused how many pages in a row were refused before
 * @returns how many were at its end; MOST_REFUSED or more: the kernel is older, or has none
 */
function collapse(address: number, length: number, refused: number): number {
  if (makeAllHuge(address, length)) return 0;
  let count = refused;
  for (let at = 0; at < length && count < MOST_REFUSED; at += HUGE_PAGE_BYTES)
    count = makeAllHuge(address + at, HUGE_PAGE_BYTES) ? 0 : count + 1;
  return count;
}

/** Asks for a range in huge pages. @returns whether it is now, all of it */
function makeAllHuge(address: number, length: number): boolean {
  try {
    collapsePages(address, length);
    return true;
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    return false;
  }
}

/** Maps a range of a file, with a page in each huge page of it: the kernel collapses no range that is one hole. */
function withMapping(fd: number, offset: number, length: number, use: (address: number) => void): void {
  const base = reserveAddresses(length, HUGE_PAGE_BYTES, 0);
  try {
    mmap(base, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset);
    for (let at = 0; at < length; at += HUGE_PAGE_BYTES) populateForStores(base + at, PAGE_BYTES);
    use(base);
  } finally {
    munmap(base, length);
  }
}
