import fs from 'node:fs';
import path from 'node:path';
import { asDaxError, codeOf, type ErrnoCode, fail, hasCode, isError } from './errors.js';
import { lastErrno, lazy } from './load.js';
import { addressOf } from './memory.js';

/**
 * The files of a directory that is ours (a state directory, its holders, its mounts). Others may be able to put things in their
 * place: a symbolic link is never followed, a pipe never waited for, a directory never taken for a file.
 * Descriptors are O_CLOEXEC, as all of Node's are.
 */

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/**
 * Makes a file that was not there, with exactly this mode (whatever the umask), and opens it for reading and writing.
 * @throws DaxError EEXIST something of that name is there, and the errors of open(2)
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
 * Opens a file of ours.
 * @throws DaxError ENOENT; ELOOP a symbolic link, EINVAL anything else that is no file (said by name); EACCES, EROFS
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

/** Opens a file of ours, which is made when it is not there. @throws DaxError as the two above */
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
      // Somebody else made it in between.
      if (!hasCode(error, 'EEXIST')) throw error;
    }
  }
}

/**
 * Removes a file of ours, or what somebody put there under its name (a link, a pipe); nothing to do when nothing is there.
 * @throws DaxError EISDIR a directory, by name; EACCES, EROFS
 */
export function removeOwnFile(file: string): void {
  try {
    fs.unlinkSync(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    // unlink(2) of a directory: EISDIR on Linux, EPERM says POSIX.
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
 * Gives a descriptor back. Linux closes also where close(2) reports an error: what was opened for locks or for reading is gone then as well,
 * and who is on the way back must go on. So that is a warning, and no failure of what was being done.
 * @throws Error EBADF it was closed before: a fault of ours
 */
export function closeDescriptor(fd: number): void {
  try {
    fs.closeSync(fd);
  } catch (error) {
    if (hasCode(error, 'EBADF')) throw error;
    process.emitWarning(`closing descriptor ${fd}: ${(error as Error).message}`, { code: 'UDAX_CLOSE' });
  }
}

/** Removes a file of ours on the way out. One that cannot be removed lies there, and is a warning: what was being done goes on. */
export function removeLeftover(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch (error) {
    process.emitWarning(`${file} is left: ${(error as Error).message}`, { code: 'UDAX_LEFTOVER' });
  }
}

/** Makes the names in a directory durable. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, O_RDONLY);
  try {
    fs.fsyncSync(fd);
  } finally {
    closeDescriptor(fd);
  }
}

/**
 * What is left to do when a change can no longer be taken back. A failure there does not make the change undone, so it
 * must not be reported as one: it is a warning (code UDAX_AFTER_COMMIT), and the change has succeeded.
 */
export function afterCommit(doing: string, act: () => void): void {
  try {
    act();
  } catch (error) {
    const why = isError(error) ? error.message : String(error);
    process.emitWarning(`the change was made, but ${doing} failed: ${why}`, { code: 'UDAX_AFTER_COMMIT' });
  }
}

/** Whether two files are one, whatever they are called. */
export function isSameFile(one: { dev: number; ino: number }, other: { dev: number; ino: number }): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}

/** Where a name leads, as far as it exists: links resolved, for comparing places and not names. */
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
/** Mode, links, inode, size, times of change; struct statx is the same on every architecture. */
const STATX_BASIC_STATS = 0x7ff;
const STATX_WORDS = 64;
/** stx_nlink @16, stx_mode @28, stx_ino @32, stx_size @40, stx_ctime @96, stx_mtime @112: 4-byte words that differ when a file was changed or replaced. */
const WATCHED_WORDS = [4, 7, 8, 9, 10, 11, 24, 25, 26, 28, 29, 30];

/**
 * Tells whether the file behind a descriptor is still what it was: not written, cut, renamed over or removed. One system
 * call (0.4 us) that no act of others can turn into a fatal signal, as a load from a mapping of the file could.
 */
export class FileWitness {
  // A buffer of its own: small typed arrays live on the heap, where they move.
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

  /** Where the kernel does not say, it is taken for changed: who reads it anew then hears why. */
  get isAsBefore(): boolean {
    if (!this.#look()) return false;
    for (const word of WATCHED_WORDS) if (this.#now[word] !== this.#then[word]) return false;
    return true;
  }

  #look(): boolean {
    return statx(this.#fd, '', AT_EMPTY_PATH, STATX_BASIC_STATS, this.#address) === 0;
  }
}
