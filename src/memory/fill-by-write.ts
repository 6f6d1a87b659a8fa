import { asDaxError, writeFully } from '../libc/index.js';
import type { Backing, BackingPiece } from './backing.js';

/** Small enough to stay in the second-level cache between the two copies. */
const SCRATCH_BYTES = 2 ** 20;

/**
 * Fills parts of disk files with what `source` produces, by write(2). A store through a mapping would first read the old
 * page in, with the disk's read-ahead (at worst 8 MiB of zeroes for a hole), and a full disk would be a fatal SIGBUS.
 * write(2) does neither, and goes to the same page cache.
 * @param position of the first byte, as `source` gets it
 * @returns false when some part is no writable disk file: nothing was done then
 * @throws DaxError ENOSPC the disk is full
 */
export function fillByWrite(
  parts: readonly BackingPiece[],
  position: number,
  source: (into: Uint8Array, position: number) => void,
): boolean {
  if (!parts.every(({ backing }) => backing.kind === 'file' && backing.writable)) return false;
  // write(2) past the end of a truncated file would make it longer, with zeroes in place of the lost data.
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

/**
 * Stores a few bytes into parts of files by write(2): it costs no mapping, and finds memory for the pages it needs, or fails.
 * The caller has just checked that the files have these bytes: write(2) would make a shorter one longer.
 * @returns false when some part is no such file: nothing was done then
 * @throws DaxError ENOSPC; some of the bytes may have been stored
 */
export function storeByWrite(parts: readonly BackingPiece[], bytes: Uint8Array): boolean {
  if (!parts.every(({ backing }) => takesWrites(backing))) return false;
  let at = 0;
  for (const { backing, offset, length } of parts) {
    writeInto(backing, bytes.subarray(at, at + length), offset);
    at += length;
  }
  return true;
}

/** hugetlbfs has no write(2), and devices and memory without coherent caches are stored to as memory. */
function takesWrites({ kind, writable, coherent }: Backing): boolean {
  return writable && coherent && (kind === 'file' || kind === 'tmpfs' || kind === 'memfd');
}

function writeInto(backing: Backing, bytes: Uint8Array, offset: number): void {
  try {
    writeFully(backing.fd, bytes, offset);
  } catch (error) {
    const { name } = backing;
    throw asDaxError(error, `writing ${bytes.length} bytes at ${offset} of ${name}`, name);
  }
}
