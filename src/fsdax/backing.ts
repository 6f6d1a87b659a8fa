import fs from 'node:fs';
import type { DaxDevice } from '../dax/index.js';
import {
  DaxError,
  fail,
  fallocate,
  hasCode,
  MADV_POPULATE_READ,
  MAP_SHARED,
  madvise,
  mmap,
  munmap,
  PROT_READ,
} from '../libc/index.js';
import type { Backing, PhysicalMemory } from '../memory/index.js';

const PIECE_BYTES = 2 ** 26;
const BLOCK_BYTES = 512;
const PAGE_BYTES = 4096;
/** Pages remembered in one array: those of 2 MiB. */
const GROUP_PAGES = 512;

const FOR_LOADS = 1;
const FOR_STORES = 2;

/**
 * Pages of a device over a sparse backing that were seen to be there: space once taken is not given back while a file has it.
 * By groups of 2 MiB of physical memory; bit 0 of a page: for loads, bit 1: for stores as well.
 */
export class PagesThere {
  readonly #groups = new Map<number, Uint8Array>();

  /** Holes are being made: nothing known holds any more. */
  forget(): void {
    this.#groups.clear();
  }

  has(hpa: number, bytes: number, stores: boolean): boolean {
    const wanted = stores ? FOR_STORES : FOR_LOADS;
    const end = Math.ceil((hpa + bytes) / PAGE_BYTES);
    for (let page = Math.floor(hpa / PAGE_BYTES); page < end; page++) {
      const group = this.#groups.get(Math.floor(page / GROUP_PAGES));
      if (group === undefined || (group[page % GROUP_PAGES]! & wanted) === 0) return false;
    }
    return true;
  }

  add(hpa: number, bytes: number, stores: boolean): void {
    const bits = stores ? FOR_LOADS | FOR_STORES : FOR_LOADS;
    const end = Math.ceil((hpa + bytes) / PAGE_BYTES);
    for (let page = Math.floor(hpa / PAGE_BYTES); page < end; page++) {
      const number = Math.floor(page / GROUP_PAGES);
      let group = this.#groups.get(number);
      if (group === undefined) {
        group = new Uint8Array(GROUP_PAGES);
        this.#groups.set(number, group);
      }
      group[page % GROUP_PAGES]! |= bits;
    }
  }
}

/** A note on the device, gone with it: files are opened again and again. */
const known = new WeakMap<DaxDevice, PagesThere>();

export function pagesThere(device: DaxDevice): PagesThere {
  let pages = known.get(device);
  if (pages === undefined) {
    pages = new PagesThere();
    known.set(device, pages);
  }
  return pages;
}

/**
 * Makes sure that stores to these bytes find memory: takes space for the holes of a sparse backing, where a
 * store on a full file system would be a fatal SIGBUS. Cheap where all is there.
 * @throws DaxError ENOSPC the file system under the backing is full, EIO the backing ends before the bytes
 */
export function ensureMemory(memory: PhysicalMemory, hpa: number, bytes: number): void {
  for (const { backing, offset, length } of memory.locate(hpa, bytes)) {
    // First, because taking space past the end of a file would make it longer.
    backing.checkRange(offset, length);
    if (backing.kind === 'devdax') continue;
    ensureMemoryOf(backing, offset, length);
  }
}

/** Whether parts of a backing have no space yet, by its maker's choice. One fstat. */
export function isSparse({ fd, kind }: Backing): boolean {
  if (kind === 'devdax') return false;
  const { blocks, size } = fs.fstatSync(fd);
  return blocks * BLOCK_BYTES < size;
}

/**
 * Makes sure that loads (and, with `stores`, stores) of these bytes of a sparse backing find memory. Memory without a disk
 * behind it takes a page for a hole that is only looked at: when it is full, that is a fatal SIGBUS. Takes the pages of these
 * bytes and no others.
 * @throws DaxError ENOSPC the file system under the backing is full, EIO the backing ends before the bytes
 */
export function ensureThere(memory: PhysicalMemory, hpa: number, bytes: number, stores: boolean): void {
  for (const { backing, offset, length } of memory.locate(hpa, bytes)) {
    if (backing.kind === 'devdax' || (backing.kind === 'file' && !stores)) continue;
    // First, because taking space past the end of a file would make it longer.
    backing.checkRange(offset, length);
    if (backing.writable) ensureMemoryOf(backing, offset, length);
    else lookAt(backing, offset, length);
  }
}

/** Takes the pages of holes in a file that may not be written, as loads would. */
function lookAt(backing: Backing, offset: number, length: number): void {
  const lead = offset % Math.max(PAGE_BYTES, backing.granule);
  const address = mmap(0, lead + length, PROT_READ, MAP_SHARED, backing.fd, offset - lead);
  try {
    madvise(address, lead + length, MADV_POPULATE_READ);
  } catch (error) {
    if (!hasCode(error, 'EFAULT', 'ENOMEM')) throw error;
    const message = `${backing.name}: no memory for the holes in its bytes ${offset}..${offset + length}: free some there`;
    fail('ENOSPC', message, { path: backing.name, cause: error });
  } finally {
    munmap(address, lead + length);
  }
}

function ensureMemoryOf(backing: Backing, offset: number, length: number): void {
  // In pieces: a signal makes tmpfs undo a whole call.
  for (let done = 0; done < length; done += PIECE_BYTES) {
    allocate(backing, offset + done, Math.min(PIECE_BYTES, length - done));
  }
}

function allocate(backing: Backing, offset: number, length: number): void {
  for (;;) {
    try {
      fallocate(backing.fd, offset, length);
      return;
    } catch (error) {
      if (hasCode(error, 'EINTR')) continue;
      // File systems that cannot say so beforehand.
      if (hasCode(error, 'EOPNOTSUPP', 'ENOSYS')) return;
      if (!(error instanceof DaxError)) throw error;
      const message = `${backing.name}: no memory for the bytes at ${offset}: ${error.message}`;
      throw new DaxError(error.code, message, { path: backing.name, cause: error });
    }
  }
}
