/** Copies between host files and files of a volume, in pieces, so that abort signals and progress are handled in between. */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DaxFile } from '../../fsdax/index.js';
import {
  asDaxError,
  closeDescriptor,
  DaxError,
  fail,
  hasCode,
  removeLeftover,
  throwIfAborted,
  writeFully,
} from '../../libc/index.js';
import type { CopySource } from './copy-source.js';
import type { CopyOptions } from './types.js';

/** The smallest piece: a few milliseconds of work. An abort or a progress bar waits for one piece. */
const PIECE_BYTES = 8 * 2 ** 20;
/**
 * How long a larger piece may keep the event loop waiting. It is long enough for a fast machine to reach the piece size from
 * which memcpy is fastest.
 */
const PIECE_MS = 35;

/** The work of a copy, piece by piece. */
interface PieceWork {
  /** The largest piece. */
  readonly pieceBytes: number;
  /** Called before each piece, with the length of the one behind it. */
  load?(offset: number, length: number, following: number): Promise<void>;
  copy(offset: number, length: number): void;
}

/** Does the work for successive parts of `totalBytes`; the event loop runs in between. Quick parts grow, up to `pieceBytes`. */
async function inPieces(
  totalBytes: number,
  path: string,
  options: CopyOptions,
  work: PieceWork,
): Promise<void> {
  const { pieceBytes } = work;
  let wanted = Math.min(pieceBytes, 4 * PIECE_BYTES);
  let length = Math.min(wanted, totalBytes);
  for (let done = 0; done < totalBytes; ) {
    throwIfAborted(options.signal);
    const start = performance.now();
    const following = Math.min(wanted, totalBytes - done - length);
    if (work.load !== undefined) await work.load(done, length, following);
    work.copy(done, length);
    const fitting = (length * PIECE_MS) / Math.max(0.01, performance.now() - start);
    wanted = Math.min(pieceBytes, Math.max(PIECE_BYTES, fitting - (fitting % PIECE_BYTES)));
    done += length;
    length = following;
    options.onProgress?.({ bytes: done, totalBytes, path });
    if (done < totalBytes) await nextTurn();
  }
  throwIfAborted(options.signal);
}

/**
 * Reads a source straight into the memory of a file.
 * @param check throws when the volume went away meanwhile
 * @throws DaxError EIO the source shrank during the copy
 */
export async function readInto(
  file: DaxFile,
  path: string,
  source: CopySource,
  options: CopyOptions,
  check: () => void,
): Promise<void> {
  const copy = (offset: number, length: number): void => {
    check();
    file.fill(offset, length, (into, position) => source.readFully(into, position));
  };
  const load = source.load?.bind(source);
  await inPieces(source.size, path, options, {
    pieceBytes: source.pieceBytes ?? PIECE_BYTES,
    ...(load && { load }),
    copy,
  });
  // Failed memory is good again once it is overwritten. This check of the device tells the other processes.
  check();
}

/**
 * Writes a file of a volume to a host path. A regular file appears under its name when it is whole. A
 * device or pipe is written to directly.
 */
export async function writeOut(
  file: DaxFile,
  path: string,
  destination: string,
  options: CopyOptions & { mode: number },
  check: () => void,
): Promise<void> {
  const target = openTarget(destination, options.mode, options.followLinks ?? true);
  try {
    const copy = (offset: number, length: number): void => {
      check();
      file.drain(offset, length, (bytes) => writeFully(target.fd, bytes));
    };
    await inPieces(file.size, path, options, { pieceBytes: PIECE_BYTES, copy });
    if (options.uid !== undefined || options.gid !== undefined) {
      fs.fchownSync(target.fd, options.uid ?? -1, options.gid ?? -1);
    }
  } catch (error) {
    closeDescriptor(target.fd);
    if (target.temporary) removeLeftover(target.temporary);
    throw asDaxError(error, `copying ${path} to ${destination}`, destination);
  }
  try {
    // close(2) may report a failed write only now (NFS, a quota).
    fs.closeSync(target.fd);
    if (target.temporary) fs.renameSync(target.temporary, target.path);
  } catch (error) {
    if (target.temporary) removeLeftover(target.temporary);
    throw asDaxError(error, `copying ${path} to ${destination}`, destination);
  }
}

interface Target {
  fd: number;
  path: string;
  /** The file that receives the bytes until all of them are written. Null for a device or pipe. */
  temporary: string | null;
}

function openTarget(destination: string, mode: number, followLinks: boolean): Target {
  try {
    const look = followLinks ? fs.statSync : fs.lstatSync;
    const existing = look(destination, { throwIfNoEntry: false });
    if (existing?.isDirectory()) {
      throw new DaxError('EISDIR', `${destination} is a directory: give the name of the copy`, {
        path: destination,
      });
    }
    if (!followLinks) {
      if (existing && !existing.isFile() && !existing.isSymbolicLink())
        fail('EEXIST', `${destination} is there and is no regular file: move it away`, { path: destination });
      return createBeside(destination, mode);
    }
    if (existing && !existing.isFile())
      return { fd: fs.openSync(destination, 'w'), path: destination, temporary: null };
    // The copy replaces the target of a symbolic link, not the link.
    const real = existing ? fs.realpathSync(destination) : destination;
    return createBeside(real, mode);
  } catch (error) {
    throw asDaxError(error, `cannot write ${destination}`, destination);
  }
}

function createBeside(destination: string, mode: number): Target {
  for (let attempt = 0; ; attempt++) {
    const temporary = join(
      dirname(destination),
      `.${basename(destination).slice(0, 200)}.${process.pid}.${attempt}`,
    );
    try {
      return { fd: fs.openSync(temporary, 'wx', mode), path: destination, temporary };
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}
