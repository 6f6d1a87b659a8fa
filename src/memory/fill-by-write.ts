import { asDaxError, writeFully } from '../libc/index.js';
import type { BackingPiece } from './backing.js';

/** Stays in the second-level cache between the two copies. */
const SCRATCH_BYTES = 2 ** 20;

/**
 * Lets `source` fill memory that is a file on a disk by write(2) to that file. A store through a mapping would first
 * read in what is there, with all the read-ahead of the disk (8 MiB of zeroes for a hole, at the worst), and a full
 * disk would be a fatal SIGBUS; write(2) does neither, and the page cache is the same.
 * @returns false where the memory is anything else: nothing was done
 * @throws DaxError ENOSPC the disk is full
 */
export function fillByWrite(
  parts: readonly BackingPiece[],
  position: number,
  source: (into: Uint8Array, position: number) => void,
): boolean {
  if (!parts.every(({ backing }) => backing.kind === 'file' && backing.writable)) return false;
  // write(2) past the end of a file that was cut would make it longer, with zeroes where the others' data was.
  for (const part of parts) part.backing.checkRange(part.offset, part.length);
  const scratch = new Uint8Array(Math.min(SCRATCH_BYTES, Math.max(...parts.map(({ length }) => length))));
  let at = position;
  for (const part of parts) {
    for (let done = 0; done < part.length; ) {
      const bytes = scratch.subarray(0, Math.min(scratch.length, part.length - done));
      source(bytes, at);
      writeInto(part.backing, bytes, part.offset + done);
      done += bytes.length;
      at += bytes.length;
    }
  }
  return true;
}

function writeInto({ fd, name }: { fd: number; name: string }, bytes: Uint8Array, offset: number): void {
  try {
    writeFully(fd, bytes, offset);
  } catch (error) {
    throw asDaxError(error, `writing ${bytes.length} bytes at ${offset} of ${name}`, name);
  }
}
