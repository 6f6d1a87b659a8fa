import fs from 'node:fs';
import { dirname } from 'node:path';
import {
  closeDescriptor,
  closing,
  fail,
  HeldBy,
  hasCode,
  isSameFile,
  type LockPatience,
  ofdLock,
  openOrMakeOwnFile,
  openOwnFile,
  waitForLock,
  whenClosed,
  whenCollected,
} from '../libc/index.js';

const WHOLE_FILE = { start: 0, length: 0 };

/**
 * The lock of machine.lock, taken to change the machine. Readers do not need it, because documents are replaced by rename.
 * Readers must not be able to open the file either: a process that can open a file can lock it. So only users who may change the
 * directory can open it.
 * The lock belongs to one descriptor. Two machines of one process exclude each other as two processes do, and the kernel releases
 * the lock when the process dies. It is not recursive: SharedBus tracks its own nesting.
 */
export class MachineLock {
  readonly path: string;
  readonly #fd: number;
  readonly #patience: LockPatience;
  readonly #heldBy: HeldBy;

  private constructor(path: string, fd: number, patience: LockPatience) {
    this.path = path;
    this.#fd = fd;
    this.#patience = patience;
    this.#heldBy = new HeldBy(fd, { kind: 'exclusive', ...WHOLE_FILE }, () => patience);
    whenCollected(this, `machine at ${dirname(path)}`, closing(fd));
  }

  /**
   * Opens the lock file. With `mode` it makes the file when there is none.
   * @throws DaxError ENOENT, EACCES, EROFS; ELOOP, EINVAL, EISDIR the path is not a regular file of this machine
   */
  static open(
    path: string,
    { mode, patience = {} }: { mode?: number; patience?: LockPatience } = {},
  ): MachineLock {
    const fd = mode === undefined ? openOwnFile(path, { writable: true }) : openOrMakeOwnFile(path, mode);
    return new MachineLock(path, fd, patience);
  }

  /** Like open(), but returns undefined when this user may not change the machine. */
  static openIfAllowed(path: string, patience: LockPatience): MachineLock | undefined {
    try {
      return MachineLock.open(path, { patience });
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EROFS', 'EPERM') && fs.existsSync(path)) return undefined;
      throw error;
    }
  }

  /**
   * Removes the permissions that `mode` does not allow: an older udax let every reader open the file. Only the file's owner can
   * do this.
   */
  restrict(mode: number): void {
    const { mode: current, uid } = fs.fstatSync(this.#fd);
    if ((current & ~mode & 0o777) === 0 || uid !== process.geteuid?.()) return;
    try {
      fs.fchmodSync(this.#fd, current & mode & 0o777);
    } catch (error) {
      if (!hasCode(error, 'EPERM', 'EROFS')) throw error;
    }
  }

  /**
   * Takes the lock, and waits for it as long as `patience` allows.
   * @throws DaxError EBUSY naming the process that keeps the lock for longer (stopped in a debugger?)
   * @throws DaxError ESTALE the state directory was removed or replaced while this lock was open
   */
  take(): void {
    const attempt = () => ofdLock(this.#fd, 'exclusive');
    const heldBy = this.#heldBy;
    if (!waitForLock(attempt, `the lock of ${dirname(this.path)}`, this.#patience, { heldBy })) {
      const who = heldBy.text();
      fail(
        'EBUSY',
        `${dirname(this.path)} is being changed by ${who}, which does not end (stopped?): let it go on, or end it, and try again`,
        { path: this.path },
      );
    }
    try {
      if (!this.#isStale()) return;
    } catch (error) {
      this.release();
      throw error;
    }
    this.release();
    fail(
      'ESTALE',
      `the state directory of ${this.path} was removed or replaced while it was open: open the machine again`,
      { path: this.path },
    );
  }

  release(): void {
    ofdLock(this.#fd, 'unlock');
  }

  close(): void {
    whenClosed(this);
    closeDescriptor(this.#fd);
  }

  #isStale(): boolean {
    const named = fs.lstatSync(this.path, { throwIfNoEntry: false });
    return named === undefined || !isSameFile(named, fs.fstatSync(this.#fd));
  }
}
