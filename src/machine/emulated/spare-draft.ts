import fs from 'node:fs';
import {
  closeDescriptor,
  fallocate,
  hasCode,
  makeOwnFile,
  openOrMakeOwnFile,
  openOwnFile,
  removeLeftover,
  removeOwnFile,
  writeFully,
} from '../../libc/index.js';

/**
 * How a document is written beside the one it replaces. A full disk has no room for another file, and giving up a device or
 * a region must work then above all: `machine.json.spare` has the space already. It is taken when there is no other,
 * and made again as soon as there is some (the document that was replaced leaves its own).
 */

/** What a machine's document grows by in one change, and then some. */
const HEADROOM_BYTES = 16 * 1024;
const BLOCK_BYTES = 4096;

export interface Draft {
  file: string;
  /** Open, of the file that is written. */
  fd: number;
}

/**
 * Writes `text` to the disk, beside `document`, for the caller to rename and close.
 * @throws DaxError ENOSPC ... then nothing is left
 */
export function writeDraft(document: string, text: string, mode: number): Draft {
  const file = `${document}.new`;
  // What lies there was left by a writer that was killed, or put there by somebody: never written through.
  removeOwnFile(file);
  try {
    return { file, fd: written(makeOwnFile(file, mode), text) };
  } catch (error) {
    removeLeftover(file);
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    return writeIntoSpare(document, text, error);
  }
}

function writeIntoSpare(document: string, text: string, noSpace: unknown): Draft {
  const file = spareOf(document);
  try {
    // Over its bytes, which have their space; cut only then.
    return { file, fd: written(openOwnFile(file, { writable: true }), text) };
  } catch {
    throw noSpace;
  }
}

function written(fd: number, text: string): number {
  try {
    const bytes = Buffer.from(text);
    writeFully(fd, bytes, 0);
    fs.ftruncateSync(fd, bytes.length);
    fs.fsyncSync(fd);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** A draft that does not become the document. The spare keeps its space for the next. */
export function dropDraft(document: string, { file, fd }: Draft): void {
  closeDescriptor(fd);
  if (file !== spareOf(document)) removeLeftover(file);
}

/** Makes the spare large enough for the document that comes after one of `length` bytes; where that cannot be, there is none. */
export function keepSpareDraft(document: string, length: number, mode: number): void {
  const spare = spareOf(document);
  const wanted = Math.ceil((length + HEADROOM_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  try {
    const { size } = fs.lstatSync(spare, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size >= wanted) return;
    const fd = openOrMakeOwnFile(spare, mode);
    try {
      // Twice what is needed: a growing machine does not do this at each change. Less is better than none.
      const isRoomy = attempted(() => fallocate(fd, 0, 2 * wanted));
      if (!isRoomy) fallocate(fd, 0, wanted);
    } finally {
      closeDescriptor(fd);
    }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function attempted(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    return false;
  }
}

function spareOf(document: string): string {
  return `${document}.spare`;
}
