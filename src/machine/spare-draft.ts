import fs from 'node:fs';
import { fallocate, hasCode, openRegularFile } from '../libc/index.js';

/**
 * How a document is written beside the one it replaces. A full disk has no room for another file, and giving up a device or
 * a region must work then above all: `machine.json.spare` has the space already. It is taken when there is no other,
 * and made again as soon as there is some (the document that was replaced leaves its own).
 */

/** What a machine's document grows by in one change, and then some. */
const HEADROOM_BYTES = 16 * 1024;
const BLOCK_BYTES = 4096;
const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;

/**
 * Writes `text` to the disk, beside `document`. @returns the file to be renamed
 * @throws ENOSPC ... then nothing is left
 */
export function writeDraft(document: string, text: string, mode: number): string {
  const draft = `${document}.new`;
  try {
    fs.rmSync(draft, { force: true });
    write(openRegularFile(draft, O_WRONLY | O_CREAT | O_EXCL, mode), text);
    return draft;
  } catch (error) {
    fs.rmSync(draft, { force: true });
    if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error;
    return writeIntoSpare(document, text, error);
  }
}

function writeIntoSpare(document: string, text: string, noSpace: unknown): string {
  const spare = spareOf(document);
  try {
    // Over its bytes, which have their space; cut only then.
    write(openRegularFile(spare, O_WRONLY), text);
    return spare;
  } catch {
    throw noSpace;
  }
}

function write(fd: number, text: string): void {
  try {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, done);
    fs.ftruncateSync(fd, bytes.length);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Makes the spare large enough for the document that comes after one of `length` bytes; where that cannot be, there is none. */
export function keepSpareDraft(document: string, length: number, mode: number): void {
  const spare = spareOf(document);
  const wanted = Math.ceil((length + HEADROOM_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  try {
    const { size } = fs.lstatSync(spare, { throwIfNoEntry: false }) ?? { size: 0 };
    if (size >= wanted) return;
    const fd = openRegularFile(spare, O_WRONLY | O_CREAT, mode);
    try {
      // Twice what is needed: a growing machine does not do this at each change. Less is better than none.
      const isRoomy = attempted(() => fallocate(fd, 0, 2 * wanted));
      if (!isRoomy) fallocate(fd, 0, wanted);
    } finally {
      fs.closeSync(fd);
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
