import fs from 'node:fs';
import {
  asDaxError,
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
export function isSparse({ fd, kind, name }: Backing): boolean {
  if (kind === 'devdax') return false;
  try {
    const { blocks, size } = fs.fstatSync(fd);
    return blocks * BLOCK_BYTES < size;
  } catch (error) {
    throw asDaxError(error, `whether ${name} has holes is not known`, name);
  }
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
