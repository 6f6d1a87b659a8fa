/** Long copies between host files and files of a volume: in pieces, so that signals and progress get through. */
import fs from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DaxFile } from '../../fsdax/index.js';
import { asDaxError, DaxError, fail, hasCode } from '../../libc/index.js';
import type { VolumeFile } from './file.js';
import type { CopyOptions } from './types.js';

/** Half a millisecond of work: what an abort or a progress bar waits for. */
const PIECE_BYTES = 8 * 2 ** 20;

/** What is copied in: a host file, or a file of this or another volume. */
export interface CopySource {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Permission bits of the copy, when none are asked for. */
  readonly mode: number;
  /** Fills `into` with the bytes from `position` on. @throws DaxError EIO when they are not all there */
  readFully(into: Uint8Array, position: number): void;
  close(): void;
}

/** A file of a volume as source. It stays its owner's: it is not closed here. */
export function volumeSource(file: VolumeFile): CopySource {
  return {
    path: file.path,
    size: file.size,
    mode: 0o644,
    readFully: (into, position) => void file.read(into, position),
    close() {},
  };
}

interface HostFile {
  readonly fd: number;
  readonly path: string;
  readonly size: number;
}

/**
 * Opens a host file to be copied in.
 * @throws DaxError EINVAL not a regular file, or empty (famfs has no empty files); ENOENT, EACCES
 */
export function openSource(path: string): CopySource {
  let fd: number;
  try {
    // Without O_NONBLOCK a fifo would stop us here.
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    throw asDaxError(error, `cannot read ${path}`, path);
  }
  const stat = fs.fstatSync(fd);
  const problem = stat.isDirectory()
    ? 'is a directory: copy its files one by one (udax cp -r)'
    : !stat.isFile()
      ? 'is not a regular file: only those can be copied in'
      : stat.size === 0
        ? 'is empty: a famfs file holds at least one byte'
        : undefined;
  if (problem === undefined) return hostSource({ fd, path, size: stat.size }, stat.mode & 0o777);
  fs.closeSync(fd);
  return fail(stat.isDirectory() ? 'EISDIR' : 'EINVAL', `${path} ${problem}`, { path });
}

function hostSource(file: HostFile, mode: number): CopySource {
  return {
    path: file.path,
    size: file.size,
    mode,
    readFully: (into, position) => readFully(file, into, position),
    close: () => fs.closeSync(file.fd),
  };
}

/** Calls `piece` for successive parts of `totalBytes`; between them the event loop runs. */
async function inPieces(
  totalBytes: number,
  path: string,
  options: CopyOptions,
  piece: (offset: number, length: number) => void,
): Promise<void> {
  for (let done = 0; done < totalBytes; ) {
    options.signal?.throwIfAborted();
    const length = Math.min(PIECE_BYTES, totalBytes - done);
    piece(done, length);
    done += length;
    options.onProgress?.({ bytes: done, totalBytes, path });
    if (done < totalBytes) await nextTurn();
  }
  options.signal?.throwIfAborted();
}

/**
 * Reads a source straight into the memory of a file.
 * @param check throws when the volume went away meanwhile
 * @throws DaxError EIO when the source shrinks under us
 */
export async function readInto(
  file: DaxFile,
  path: string,
  source: CopySource,
  options: CopyOptions,
  check: () => void,
): Promise<void> {
  await inPieces(source.size, path, options, (offset, length) => {
    check();
    file.fill(offset, length, (into, position) => source.readFully(into, position));
  });
}

function readFully(source: HostFile, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    const bytes = readSome(source, into, done, position + done);
    if (bytes === 0) {
      fail(
        'EIO',
        `${source.path} ended at ${position + done} of its ${source.size} bytes: it was cut while being copied`,
        {
          path: source.path,
        },
      );
    }
    done += bytes;
  }
}

function readSome(source: HostFile, into: Uint8Array, done: number, position: number): number {
  try {
    return fs.readSync(source.fd, into, done, into.length - done, position);
  } catch (error) {
    if (!hasCode(error, 'EFAULT')) throw asDaxError(error, `reading ${source.path}`, source.path);
    // Where a store of ours would be a fatal SIGBUS, read(2) answers EFAULT.
    throw new DaxError(
      'ENOSPC',
      `there is no memory to put byte ${position} of ${source.path} into: the file system under a sparse backing is full`,
      { path: source.path, cause: error },
    );
  }
}

/**
 * Writes a file of a volume to a host path. A regular file appears under its name when it is whole; a
 * device or pipe is written to directly.
 */
export async function writeOut(
  file: DaxFile,
  path: string,
  destination: string,
  options: CopyOptions & { mode: number },
  check: () => void,
): Promise<void> {
  const target = openTarget(destination, options.mode);
  try {
    await inPieces(file.size, path, options, (offset, length) => {
      check();
      file.drain(offset, length, (bytes) => writeFully(target.fd, bytes));
    });
    if (options.uid !== undefined || options.gid !== undefined) {
      fs.fchownSync(target.fd, options.uid ?? -1, options.gid ?? -1);
    }
  } catch (error) {
    fs.closeSync(target.fd);
    if (target.temporary) fs.rmSync(target.temporary, { force: true });
    throw asDaxError(error, `copying ${path} to ${destination}`, destination);
  }
  fs.closeSync(target.fd);
  if (target.temporary) fs.renameSync(target.temporary, target.path);
}

interface Target {
  fd: number;
  path: string;
  /** Where the bytes go until they are all there. */
  temporary: string | null;
}

function openTarget(destination: string, mode: number): Target {
  try {
    const existing = fs.statSync(destination, { throwIfNoEntry: false });
    if (existing?.isDirectory()) {
      throw new DaxError('EISDIR', `${destination} is a directory: give the name of the copy`, {
        path: destination,
      });
    }
    if (existing && !existing.isFile())
      return { fd: fs.openSync(destination, 'w'), path: destination, temporary: null };
    // Through a symbolic link: the copy replaces what it points to, not the link.
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

function writeFully(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
}
