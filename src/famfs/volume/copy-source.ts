/** The sources of a copy onto a volume: a host file, or a file of a volume. */
import fs from 'node:fs';
import { asDaxError, closeDescriptor, DaxError, fail, failCut, hasCode } from '../../libc/index.js';
import type { VolumeFile } from './file.js';
import { LeasedMapping, MAPPED_PIECE_BYTES } from './leased-mapping.js';

/** The source of a copy: a host file, a file of this or another volume, or bytes of this process. */
export interface CopySource {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Default permission bits of the copy. */
  readonly mode: number;
  /** Fills `into` with the bytes from `position` on. @throws DaxError EIO when not all of them exist */
  readFully(into: Uint8Array, position: number): void;
  /** The largest piece to read at a time, bytes, when the source has a preference. */
  readonly pieceBytes?: number;
  /** Called before a piece is read, with the number of bytes of the piece behind it, if the source can load them on other threads. */
  load?(position: number, length: number, following: number): Promise<void>;
  close(): void | Promise<void>;
}

/** A file of a volume as a source. It is not closed here: the caller closes it. */
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
 * @throws DaxError EISDIR a directory; EINVAL not a regular file; ENOENT, EACCES
 */
export function openSource(path: string): CopySource {
  let fd: number;
  try {
    // Without O_NONBLOCK the open of a fifo would block.
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  } catch (error) {
    throw asDaxError(error, `cannot read ${path}`, path);
  }
  let stat: fs.Stats;
  try {
    stat = fs.fstatSync(fd);
  } catch (error) {
    closeDescriptor(fd);
    throw asDaxError(error, `cannot read ${path}`, path);
  }
  const problem = stat.isDirectory()
    ? 'is a directory: copy its files one by one'
    : !stat.isFile()
      ? 'is not a regular file: only those can be copied in'
      : undefined;
  if (problem === undefined) return hostSource({ fd, path, size: stat.size }, stat.mode & 0o777);
  closeDescriptor(fd);
  if (stat.isDirectory()) fail('EISDIR', `${path} ${problem}`, { path, hint: 'copy-tree' });
  return fail('EINVAL', `${path} ${problem}`, { path });
}

function hostSource(file: HostFile, mode: number): CopySource {
  const { path, size, fd } = file;
  const mapped = size >= MAPPED_PIECE_BYTES ? LeasedMapping.of(fd, size) : null;
  return {
    path,
    size,
    mode,
    ...(mapped !== null && {
      pieceBytes: MAPPED_PIECE_BYTES,
      load: (position: number, length: number, following: number) => mapped.load(position, length, following),
    }),
    readFully(into, position) {
      if (!mapped?.copy(into, position)) readFully(file, into, position);
    },
    close: () => (mapped?.end() ?? Promise.resolve()).finally(() => closeDescriptor(fd)),
  };
}

function readFully(source: HostFile, into: Uint8Array, position: number): void {
  for (let done = 0; done < into.length; ) {
    const bytes = readSome(source, into, done, position + done);
    if (bytes === 0) failCut(source.path, position + done, source.size);
    done += bytes;
  }
}

function readSome(source: HostFile, into: Uint8Array, done: number, position: number): number {
  try {
    return fs.readSync(source.fd, into, done, into.length - done, position);
  } catch (error) {
    if (!hasCode(error, 'EFAULT')) throw asDaxError(error, `reading ${source.path}`, source.path);
    // read(2) fails with EFAULT where a store of this process would be a fatal SIGBUS.
    throw new DaxError(
      'ENOSPC',
      `there is no memory to put byte ${position} of ${source.path} into: the file system under a sparse backing is full`,
      { path: source.path, cause: error },
    );
  }
}
