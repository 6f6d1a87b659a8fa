import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, hasCode } from './errors.js';
import { ofdLock, writeFully } from './files.js';
import { closeDescriptor, makeOwnFile, openOwnFile, removeLeftover, removeOwnFile } from './own-files.js';

/**
 * Makes a record file. It says what a live process does (has a device open, serves a mount): one line of JSON, locked for as long
 * as it is true. A record that nobody locks belongs to a process that died. The file is made, locked and written under a dotted
 * name and then renamed, so no process ever sees a record without its lock or its text.
 * @param beforeSeen runs last before the rename
 * @returns the descriptor; closing it releases the lock
 * @throws DaxError as makeOwnFile(), write(2) (ENOSPC) and rename(2); as `beforeSeen`. No file is left then
 */
export function makeRecordFile(file: string, mode: number, record: object, beforeSeen = () => {}): number {
  const born = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  removeOwnFile(born); // left by an earlier process with our pid that died at this point
  const fd = makeOwnFile(born, mode);
  try {
    ofdLock(fd, 'exclusive');
    writeFully(fd, Buffer.from(`${JSON.stringify(record)}\n`));
    beforeSeen();
    fs.renameSync(born, file);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    removeLeftover(born);
    throw asDaxError(error, `cannot write ${file}`, file);
  }
}

/**
 * Reads a record file. Undefined when there is none, or when the name is a pipe, a link or a directory.
 * @throws DaxError EACCES this user may not read it
 */
export function readRecordFile(file: string): { text: string; isAlive: boolean } | undefined {
  let fd: number;
  try {
    fd = openOwnFile(file, { writable: false });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ELOOP', 'EINVAL', 'EISDIR')) return undefined;
    throw error;
  }
  try {
    const isAlive = !ofdLock(fd, 'shared');
    return { text: fs.readFileSync(fd, 'utf8'), isAlive };
  } finally {
    closeDescriptor(fd);
  }
}
