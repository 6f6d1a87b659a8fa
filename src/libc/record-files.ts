import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from './errors.js';
import { ofdLock, writeFully } from './files.js';
import { closeDescriptor, makeOwnFile, openOwnFile, removeLeftover, removeOwnFile } from './own-files.js';

/**
 * Files that say what a live process does (has a device open, serves a mount): one line of JSON, locked for as long as it is true. What
 * nobody locks belongs to the dead. They are born locked: made, locked and written under a dotted name, then renamed into sight, so that
 * nobody ever sees one without its lock or its text.
 * @param beforeSeen done last, before the name is taken
 * @returns the descriptor, whose close ends the lock
 * @throws DaxError as makeOwnFile(); ENOSPC; then nothing is left
 */
export function makeRecordFile(file: string, mode: number, record: object, beforeSeen = () => {}): number {
  const born = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  removeOwnFile(born); // of a process of our number that died here
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
    throw error;
  }
}

/** Undefined: there is none, or it is none of ours (a pipe, a link, a directory). @throws DaxError EACCES closed to us */
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
