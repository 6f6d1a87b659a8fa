import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, codeOf, type ErrnoCode, fail, hasCode, isError } from './errors.js';
import { lastErrno, lazy } from './load.js';
import { addressOf } from './memory.js';

/**
 * Files in a directory of udax: a state directory, its holders, its mounts. Other users may be able to replace them. So a
 * symbolic link is never followed, a pipe is never waited for, and a directory is never taken for a file.
 * Descriptors are O_CLOEXEC, as all descriptors of Node are.
 */

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/**
 * Makes a new file with exactly this mode (whatever the umask), and opens it for reading and writing.
 * @throws DaxError EEXIST the name is taken; and the errors of open(2)
 */
export function makeOwnFile(file: string, mode: number): number {
  let fd: number;
  try {
    fd = fs.openSync(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  } catch (error) {
    throw asDaxError(error, `${file} cannot be made`, file);
  }
  try {
    fs.fchmodSync(fd, mode);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    removeLeftover(file);
    throw asDaxError(error, `${file} cannot be made`, file);
  }
}

/**
 * Opens an existing file of udax.
 * @throws DaxError ENOENT; ELOOP a symbolic link, EISDIR a directory, EINVAL another kind of file; EACCES, EROFS
 */
export function openOwnFile(file: string, { writable }: { writable: boolean }): number {
  let fd: number;
  try {
    fd = fs.openSync(file, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    // ELOOP: O_NOFOLLOW met a link. ENXIO: a socket. EISDIR: a directory opened for writing.
    if (hasCode(error, 'ELOOP', 'ENXIO', 'EISDIR')) refuseKind(file, error);
    throw asDaxError(error, `${file} cannot be opened`, file);
  }
  try {
    if (!fs.fstatSync(fd).isFile()) refuseKind(file);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Opens a file of udax for reading and writing, and makes it when it is missing. @throws DaxError as openOwnFile(), makeOwnFile() */
export function openOrMakeOwnFile(file: string, mode: number): number {
  for (;;) {
    try {
      return openOwnFile(file, { writable: true });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
    try {
      return makeOwnFile(file, mode);
    } catch (error) {
      // Another process made it in between.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

/**
 * Removes a file of udax, or the link or pipe that took its name. Does nothing when the name does not exist.
 * @throws DaxError EISDIR a directory has the name; EACCES, EROFS
 */
export function removeOwnFile(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    // unlink(2) of a directory gives EISDIR on Linux, EPERM in POSIX.
    if (fs.lstatSync(file, { throwIfNoEntry: false })?.isDirectory()) refuseKind(file, error);
    throw asDaxError(error, `${file} cannot be removed`, file);
  }
}

function refuseKind(file: string, cause?: unknown): never {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false });
  const [code, kind]: [ErrnoCode, string] = stat?.isSymbolicLink()
    ? ['ELOOP', 'a symbolic link']
    : stat?.isDirectory()
      ? ['EISDIR', 'a directory']
      : ['EINVAL', 'no regular file'];
  fail(code, `${file} is ${kind}, where udax keeps a file of its own: move it away`, { path: file, cause });
}

/**
 * Closes a descriptor. Linux closes it even when close(2) reports an error, and a caller that cleans up must go on. So such an
 * error is a warning (code UDAX_CLOSE).
 * @throws Error EBADF the descriptor was closed before: a bug in udax
 */
export function closeDescriptor(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch (error) {
    if (hasCode(error, 'EBADF')) throw error;
    process.emitWarning(`closing descriptor ${fd}: ${(error as Error).message}`, { code: 'UDAX_CLOSE' });
  }
}

/** Removes a file of udax during cleanup. A failure is a warning (code UDAX_LEFTOVER), the file stays, and the caller goes on. */
export function removeLeftover(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch (error) {
    process.emitWarning(`${file} is left: ${(error as Error).message}`, { code: 'UDAX_LEFTOVER' });
  }
}

/** fsync(2) of a directory: makes its names durable. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    closeDescriptor(fd);
  }
}

/**
 * Runs a step that follows a committed change. A failure of the step does not undo the change, so it is not thrown: it is a
 * warning (code UDAX_AFTER_COMMIT), and the change counts as made.
 */
export function afterCommit(doing: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const why = isError(error) ? error.message : String(error);
    process.emitWarning(`the change was made, but ${doing} failed: ${why}`, { code: 'UDAX_AFTER_COMMIT' });
  }
}

/** True when two stats are of one file, under any names. */
export function isSameFile(one: { dev: number; ino: number }, other: { dev: number; ino: number }): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** The path with links resolved as far as it exists, so that two names of one place compare equal. */
export function realPlace(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch {
    const parent = path.dirname(file);
    return parent === file ? file : path.join(realPlace(parent), path.basename(file));
  }
}

const statx = lazy(
  'int statx(int directory, const char *path, int flags, unsigned int mask, intptr_t buffer)',
);
const AT_EMPTY_PATH = 0x1000;
/** Asks for mode, links, inode, size and times; struct statx is the same on every architecture. */
const STATX_BASIC_STATS = 0x7ff;
const STATX_WORDS = 64;
/**
 * The 4-byte words that differ when a file was changed or replaced: stx_nlink @16, stx_mode @28, stx_ino @32, stx_size @40,
 * stx_ctime @96, stx_mtime @112.
 */
const WATCHED_WORDS = [4, 7, 8, 9, 10, 11, 24, 25, 26, 28, 29, 30];

/**
 * Tells whether the file behind a descriptor was written, truncated, renamed over or removed since the witness was made. A check
 * is one system call (0.4 us). Unlike a load from a mapping of the file, it cannot end in SIGBUS when another process truncates it.
 */
export class FileWitness {
  // An ArrayBuffer of its own: the garbage collector may move small typed arrays.
  readonly #memory = new ArrayBuffer(STATX_WORDS * 4);
  readonly #now = new Uint32Array(this.#memory);
  readonly #then = new Uint32Array(STATX_WORDS);
  readonly #address = addressOf(this.#memory);
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
    if (!this.#look()) fail(codeOf(lastErrno()), 'statx of an open file failed', { syscall: 'statx' });
    this.#then.set(this.#now);
  }

  /** False also when statx fails: the caller then reads the file again, and gets the error. */
  get isAsBefore(): boolean {
    if (!this.#look()) return false;
    for (const word of WATCHED_WORDS) if (this.#now[word] !== this.#then[word]) return false;
    return true;
  }

  #look(): boolean {
    return statx(this.#fd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, this.#address) === 0;
  }
}
