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
 * How a new document is written beside the one it replaces. A full disk has no room for another file, and destroying a device or
 * region must work especially then. So `machine.json.spare` has space reserved. It is used when there is no other space, and made
 * again as soon as there is some (replacing a document frees the old one's space).
 */

/** More than a machine's document grows by in one change. */
const HEADROOM_BYTES = 16 * 1024;
const BLOCK_BYTES = 4096;

export interface Draft {
  file: string;
  /** Open descriptor of `file`. */
  fd: number;
}

/**
 * Writes `text` to the disk, beside `document`. The caller renames the file and closes its descriptor.
 * @throws DaxError ENOSPC and others of writing a file; then nothing is left
 */
export function writeDraft(document: string, text: string, mode: number): Draft {
  const file = `${document}.new`;
  // A killed writer may have left this file, or another program made it. It is removed, never written through.
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
    // Writes over bytes that have space already, and shortens the file only after that.
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

/** Discards a draft that does not become the document. The spare file keeps its space for the next change. */
export function dropDraft(document: string, { file, fd }: Draft): void {
  closeDescriptor(fd);
  if (file !== spareOf(document)) removeLeftover(file);
}

/** Makes the spare large enough for the document after one of `length` bytes. When that fails, the machine goes without. */
export function keepSpareDraft(document: string, length: number, mode: number): void {
  const spare = spareOf(document);
  const wanted = Math.ceil((length + HEADROOM_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  try {
    const { size } = fs.lstatSync(spare, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size >= wanted) return;
    const fd = openOrMakeOwnFile(spare, mode);
    try {
      // Twice what is needed, so that a growing machine does not do this at each change. When that fails, just what is needed.
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
