import fs from 'node:fs';
import { dirname } from 'node:path';
import {
  closeDescriptor,
  closing,
  fail,
  hasCode,
  isSameFile,
  type LockPatience,
  lockHoldersText,
  ofdLock,
  openOrMakeOwnFile,
  openOwnFile,
  waitForLock,
  whenClosed,
  whenCollected,
} from '../libc/index.js';

const WHOLE_FILE = { start: 0, length: 0 };

/**
 * machine.lock: had by who changes the machine. Readers need it for nothing (documents are replaced by rename), and may
 * not have it: whoever may open a file can lock it, so only those who may change the directory can open this one.
 * Owned by one descriptor, so two machines of one process exclude each other as two processes do, and death of any kind
 * lets go. Not recursive: Machine counts its own nesting.
 */
export class MachineLock {
  readonly path: string;
  readonly #fd: number;
  readonly #patience: LockPatience;

  private constructor(path: string, fd: number, patience: LockPatience) {
    this.path = path;
    this.#fd = fd;
    this.#patience = patience;
    whenCollected(this, `machine at ${dirname(path)}`, closing(fd));
  }

  /**
   * Opens the lock file; with `mode` makes it when it is not there.
   * @throws DaxError ENOENT, EACCES, EROFS; ELOOP, EINVAL, EISDIR what is there is no file of ours
   */
  static open(
    path: string,
    { mode, patience = {} }: { mode?: number; patience?: LockPatience } = {},
  ): MachineLock {
    const fd = mode === undefined ? openOwnFile(path, { writable: true }) : openOrMakeOwnFile(path, mode);
    return new MachineLock(path, fd, patience);
  }

  /** As open(), but undefined for a user who may not change the machine. */
  static openIfAllowed(path: string, patience: LockPatience): MachineLock | undefined {
    try {
      return MachineLock.open(path, { patience });
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EROFS', 'EPERM') && fs.existsSync(path)) return undefined;
      throw error;
    }
  }

  /** Closes the file to users that `mode` leaves out: an older udax let everybody open it who may read. Only its owner can. */
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
   * @throws DaxError EBUSY naming who keeps the lock longer than we wait (stopped in a debugger?)
   * @throws DaxError ESTALE when the state directory was removed or replaced under us
   */
  take(): void {
    const attempt = () => ofdLock(this.#fd, 'exclusive');
    if (!waitForLock(attempt, `the lock of ${dirname(this.path)}`, this.#patience)) {
      const who = lockHoldersText(this.#fd, 'exclusive', WHOLE_FILE, this.#patience);
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
