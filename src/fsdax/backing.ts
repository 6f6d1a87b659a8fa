import fs from 'node:fs';
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
  nextHole,
  PROT_READ,
} from '../libc/index.js';
import type { Backing, PhysicalMemory } from '../memory/index.js';

const PIECE_BYTES = 2 ** 26;
const BLOCK_BYTES = 512;
const PAGE_BYTES = 4096;
const MAX_KNOWN = 10_000;

/**
 * Ranges of sparse backings that were seen to be there: space once taken is not given back while a file has it. A note
 * on the backing, gone with it; asking the kernel again costs 25 ms a GiB at every open.
 */
const known = new WeakMap<Backing, Set<string>>();

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

/**
 * Makes sure that loads (and, with `stores`, stores) of these bytes find memory. Memory without a disk behind it takes
 * a page for a hole that is only looked at: when it is full, that is a fatal SIGBUS. One fstat where nothing is sparse.
 * @throws DaxError ENOSPC the file system under the backing is full
 */
export function ensureThere(memory: PhysicalMemory, hpa: number, bytes: number, stores: boolean): void {
  for (const { backing, offset, length } of memory.locate(hpa, bytes)) {
    if (backing.kind === 'devdax' || (backing.kind === 'file' && !stores)) continue;
    const key = `${offset}+${length}${stores ? ' stores' : ''}`;
    if (known.get(backing)?.has(key)) continue;
    if (hasHole(backing, offset, length)) {
      if (backing.writable) ensureMemoryOf(backing, offset, length);
      else lookAt(backing, offset, length);
    }
    remember(backing, key);
  }
}

/** Holes are being made in a backing: nothing known of it holds any more. */
export function forgetThere(backing: Backing): void {
  known.delete(backing);
}

function remember(backing: Backing, key: string): void {
  const keys = known.get(backing);
  if (keys === undefined || keys.size >= MAX_KNOWN) known.set(backing, new Set([key]));
  else keys.add(key);
}

function hasHole({ fd, kind }: Backing, offset: number, length: number): boolean {
  const { blocks, size } = fs.fstatSync(fd);
  if (blocks * BLOCK_BYTES >= size) return false;
  // Cannot say where its holes are.
  return kind === 'hugetlbfs' || nextHole(fd, offset) < offset + length;
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
