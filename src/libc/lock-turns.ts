import { type LockRange, ofdLock, ofdLockConflict } from './files.js';

/** A process that takes a lock again and again asks so often whether somebody waits for it: a system call. */
const ASK_MS = 1;
/** It then leaves the lock alone for longer than who waits sleeps between two attempts. */
const GIVE_WAY_MS = 0.6;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/**
 * Lets those have a lock who have waited for it long, although others take it as fast as they can: a lock that is tried for is free for
 * microseconds only, and who sleeps between attempts may miss them all. Who has waited for some milliseconds says so by a shared lock on
 * another byte; who takes the lock often looks there once a millisecond, and lets it go by for a moment.
 */
export class LockTurns {
  readonly #fd: number;
  readonly #waiting: LockRange;
  #askedAt = 0;
  #isWaiting = false;

  /** A number that differs when those who have the lock have done something under it. While it does, a wait may last longer. */
  readonly progress: () => number;

  /** @param fd open for reading and writing @param waiting bytes that nothing else locks */
  constructor(fd: number, waiting: LockRange, progress: () => number = () => 0) {
    this.#fd = fd;
    this.#waiting = waiting;
    this.progress = progress;
  }

  /** Before the lock is taken: sleeps for a moment when somebody else has waited for long. */
  giveWay(): void {
    const now = performance.now();
    if (now - this.#askedAt < ASK_MS) return;
    if (ofdLockConflict(this.#fd, this.#waiting) !== null) Atomics.wait(sleeper, 0, 0, GIVE_WAY_MS);
    this.#askedAt = performance.now();
  }

  /** Says that this process waits. */
  enter(): void {
    this.#isWaiting ||= ofdLock(this.#fd, 'shared', this.#waiting);
  }

  /** The wait is over. Who has waited then works for a while before giving way in turn: each change of hands costs a sleep. */
  leave(): void {
    this.#askedAt = performance.now();
    if (this.#isWaiting) ofdLock(this.#fd, 'unlock', this.#waiting);
    this.#isWaiting = false;
  }
}
