import fs from 'node:fs';
import { type ErrnoCode, errnoOf, isError, writeU64 } from '../libc/index.js';
import type { DelayedWrite } from './file-system.js';
import { structs } from './protocol/index.js';

const { OutHeader, WriteOut } = structs;

/**
 * Carries out a WRITE on libuv's pool and answers it on the session's device. The thread that serves the mount goes on meanwhile, so
 * it can answer what the kernel asks before it writes (GETXATTR of security.capability).
 */
export function writeAndAnswer(deviceFd: number, write: DelayedWrite, report: (error: Error) => void): void {
  const { fd, bytes, pieces, unique } = write;
  let done = 0;
  let index = 0;
  const next = (): void => {
    const piece = pieces[index];
    if (piece === undefined) {
      answer(deviceFd, unique, 0, done, report);
      return;
    }
    fs.write(fd, bytes, done, piece.length, piece.offset, (error, written) => {
      // A write that was cut short tells what it wrote. The caller then writes the rest, and meets the error.
      if (error && done === 0) answer(deviceFd, unique, errnoOfError(error), 0, report);
      else if (error || written < piece.length) answer(deviceFd, unique, 0, done + (written || 0), report);
      else {
        done += written;
        index++;
        next();
      }
    });
  };
  next();
}

/** The errno, positive. */
function errnoOfError(error: NodeJS.ErrnoException): number {
  return errnoOf((error.code ?? 'EIO') as ErrnoCode);
}

function answer(
  deviceFd: number,
  unique: number,
  errno: number,
  written: number,
  report: (error: Error) => void,
): void {
  const bytes = errno === 0 ? OutHeader.bytes + WriteOut.bytes : OutHeader.bytes;
  const view = new DataView(new ArrayBuffer(bytes));
  view.setUint32(OutHeader.at.length, bytes, true);
  view.setInt32(OutHeader.at.error, -errno, true);
  writeU64(view, OutHeader.at.unique, unique);
  if (errno === 0) view.setUint32(OutHeader.bytes + WriteOut.at.size, written, true);
  fs.write(deviceFd, view, (error) => {
    // ENOENT: nobody waits any more. The others: the mount is gone.
    const isPlain = error && /^(ENOENT|ENODEV|ENOTCONN|EBADF|EPERM)$/.test(error.code ?? '');
    if (error && !isPlain && isError(error)) report(error);
  });
}
