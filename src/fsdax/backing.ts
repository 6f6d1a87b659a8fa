import { DaxError, fallocate, hasCode } from '../libc/index.js';
import type { Backing, PhysicalMemory } from '../memory/index.js';

const PIECE_BYTES = 2 ** 26;

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
    // In pieces: a signal makes tmpfs undo a whole call.
    for (let done = 0; done < length; done += PIECE_BYTES) {
      allocate(backing, offset + done, Math.min(PIECE_BYTES, length - done));
    }
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
