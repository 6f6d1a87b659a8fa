import fs from 'node:fs';
import { dirname } from 'node:path';
import {
  closing,
  fail,
  hasCode,
  ofdLock,
  openOrMakeOwnFile,
  openOwnFile,
  whenClosed,
  whenCollected,
} from '../libc/index.js';

const DEADLINE_MS = 30_000;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread; changes of a machine take milliseconds. */
function sleep(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/**
 * machine.lock: exclusive to change, shared to read. Owned by one descriptor, so two machines of one
 * process exclude each other as two processes do, and death of any kind lets go.
 * Not recursive: Machine counts its own nesting.
 */
export class MachineLock {
  private constructor(
    readonly path: string,
    /** Null: this user may only read the machine. */
    private readonly fd: number | null,
  ) {
    if (fd !== null) whenCollected(this, `machine at ${dirname(path)}`, closing(fd));
  }

  /** Opens the lock file, makes it when `mode` is given. Who may not change the machine has no lock: reading needs none. */
  static open(path: string, mode?: number): MachineLock {
    try {
      const fd = mode === undefined ? openOwnFile(path, { writable: true }) : openOrMakeOwnFile(path, mode);
      return new MachineLock(path, fd);
    } catch (error) {
      if (!hasCode(error, 'EACCES', 'EROFS', 'EPERM') || !fs.existsSync(path)) throw error;
      return new MachineLock(path, null);
    }
  }

  get writable(): boolean {
    return this.fd !== null;
  }

  /**
   * @throws EBUSY when somebody keeps the lock longer than 30 s (stopped in a debugger?)
   * @throws ESTALE when the state directory was removed or replaced under us
   */
  take(kind: 'shared' | 'exclusive'): void {
    const { fd } = this;
    if (fd === null) return;
    const deadline = performance.now() + DEADLINE_MS;
    // Short sleeps instead of a blocking call: signals and the deadline keep working.
    for (let pauseMs = 0.05; !ofdLock(fd, kind); pauseMs = Math.min(pauseMs * 1.5, 2)) {
      if (performance.now() > deadline) {
        fail(
          'EBUSY',
          `${this.path} has been locked for ${DEADLINE_MS / 1000} s by another change that does not end: find it with "lsof ${this.path}"`,
          { path: this.path },
        );
      }
      sleep(pauseMs);
    }
    if (this.isStale(fd)) {
      this.release();
      fail(
        'ESTALE',
        `the state directory of ${this.path} was removed or replaced while it was open: open the machine again`,
        {
          path: this.path,
        },
      );
    }
  }

  release(): void {
    if (this.fd !== null) ofdLock(this.fd, 'unlock');
  }

  close(): void {
    if (this.fd === null) return;
    whenClosed(this);
    fs.closeSync(this.fd);
  }

  private isStale(fd: number): boolean {
    const named = fs.statSync(this.path, { throwIfNoEntry: false });
    if (!named) return true;
    const ours = fs.fstatSync(fd);
    return named.ino !== ours.ino || named.dev !== ours.dev;
  }
}
