import fs from 'node:fs';
import { dirname } from 'node:path';
import {
  closing,
  fail,
  hasCode,
  type LockPatience,
  lockAttempt,
  lockHoldersText,
  ofdLock,
  openRegularFile,
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
   * Opens the lock file; with `mode` makes it when it is not there. A file that more users may open than now do so no more,
   * where it is ours.
   * @throws ENOENT, EACCES, EROFS; ELOOP, EINVAL, EISDIR what is there is no file of ours
   */
  static open(
    path: string,
    { mode, patience = {} }: { mode?: number; patience?: LockPatience } = {},
  ): MachineLock {
    const { O_RDWR, O_CREAT } = fs.constants;
    const fd = openRegularFile(path, mode === undefined ? O_RDWR : O_RDWR | O_CREAT, mode);
    return new MachineLock(path, fd, patience);
  }

  /** As open(), but undefined for a user who may not change the machine. */
  static openIfAllowed(path: string, patience: LockPatience): MachineLock | undefined {
    try {
      return MachineLock.open(path, { patience });
    } catch (error) {
      if (hasCode(error, 'EACCES', 'EROFS', 'EPERM')) return undefined;
      throw error;
    }
  }

  /** Closes the file to users who may only read it (an older udax, or a umask, let them). Only its owner can. */
  restrict(mode: number): void {
    const { mode: current, uid } = fs.fstatSync(this.#fd);
    const wanted = changersOnly(current & mode);
    if ((current & 0o777) === wanted || uid !== process.geteuid?.()) return;
    try {
      fs.fchmodSync(this.#fd, wanted);
    } catch (error) {
      if (!hasCode(error, 'EPERM', 'EROFS')) throw error;
    }
  }

  /**
   * @throws EBUSY naming who keeps the lock longer than we wait (stopped in a debugger?)
   * @throws ESTALE when the state directory was removed or replaced under us
   */
  take(): void {
    const attempt = lockAttempt(this.#fd, 'exclusive');
    if (!waitForLock(attempt, `the lock of ${dirname(this.path)}`, this.#patience)) {
      const who = lockHoldersText(this.#fd, 'exclusive', WHOLE_FILE, this.#patience);
      fail(
        'EBUSY',
        `${dirname(this.path)} is being changed by ${who}, which does not end (stopped?): let it go on, or end it, and try again`,
        { path: this.path },
      );
    }
    if (this.#isStale()) {
      this.release();
      fail(
        'ESTALE',
        `the state directory of ${this.path} was removed or replaced while it was open: open the machine again`,
        { path: this.path },
      );
    }
  }

  /** Runs `work` under the lock when it is free now; false when somebody has it. */
  tryFor(work: () => void): boolean {
    if (!ofdLock(this.#fd, 'exclusive')) return false;
    try {
      work();
    } finally {
      this.release();
    }
    return true;
  }

  release(): void {
    ofdLock(this.#fd, 'unlock');
  }

  close(): void {
    whenClosed(this);
    fs.closeSync(this.#fd);
  }

  #isStale(): boolean {
    const named = fs.lstatSync(this.path, { throwIfNoEntry: false });
    if (!named) return true;
    const ours = fs.fstatSync(this.#fd);
    return named.ino !== ours.ino || named.dev !== ours.dev;
  }
}

/** Mode of a file that those may open who may change the directory, and nobody else. */
export function changersOnly(directoryMode: number): number {
  return [0o700, 0o070, 0o007].reduce(
    (mode, who) => (directoryMode & who & 0o222 ? mode | (who & 0o666) : mode),
    0o600,
  );
}
