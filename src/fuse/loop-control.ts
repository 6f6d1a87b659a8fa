import { interruptSignal, interruptThread } from '../libc/index.js';

/** A message waits for the worker. */
export const CONTROL_MESSAGE = 1;
/** The loop shall end. */
export const CONTROL_STOP = 2;

const BITS = 0;
const WAITING = 1;
/** A signal that came just before the thread entered its system call did nothing: how soon the next one follows. */
const REPEAT_MS = 2;

/**
 * Two words that both threads share: what is wanted of the loop, and whether it may wait in a system call. The loop
 * loads and stores them plainly, since Atomics cost 20 ns each and this is done for every request; so it may be a moment
 * (its store buffer) behind, and whoever wakes it goes by the bits that the loop took, or looks twice.
 */
export class LoopControl {
  readonly #words: Int32Array;

  constructor(
    readonly memory: SharedArrayBuffer,
    /** Interrupts the loop's wait. */
    readonly signal: number,
  ) {
    this.#words = new Int32Array(memory);
  }

  /** @throws DaxError EAGAIN no signal is free */
  static make(): LoopControl {
    return new LoopControl(new SharedArrayBuffer(8), interruptSignal());
  }

  bits(): number {
    return this.#words[BITS]!;
  }

  set(bits: number): void {
    Atomics.or(this.#words, BITS, bits);
  }

  /** The loop's thread: what is wanted, which then is no longer. */
  take(): number {
    const bits = Atomics.exchange(this.#words, BITS, 0);
    Atomics.notify(this.#words, BITS);
    return bits;
  }

  /** The loop's thread: from now on it may be in a system call, under this kernel id. */
  waits(threadId: number): void {
    this.#words[WAITING] = threadId;
  }

  /** The loop's thread: it is in no system call, and will look at the bits before the next. */
  works(): void {
    this.#words[WAITING] = 0;
  }

  /** The kernel's id of the thread that may be in a system call, or 0. */
  get waiting(): number {
    return Atomics.load(this.#words, WAITING);
  }

  /** Blocks the caller until the bits are taken, for REPEAT_MS at most. */
  pause(): void {
    const bits = this.bits();
    if (bits !== 0) Atomics.wait(this.#words, BITS, bits, REPEAT_MS);
  }
}

/**
 * Makes the loop take its control bits, wherever it is: while it may wait in a system call and has not taken them it is
 * interrupted again and again. While it works no signal reaches it.
 */
export class LoopWaker {
  readonly #control: LoopControl;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(control: LoopControl) {
    this.#control = control;
  }

  /** Sets bits and returns; the signals go on until the loop has taken them. */
  wake(bits: number): void {
    this.#control.set(bits);
    if (this.#timer === undefined) this.#repeat();
  }

  /**
   * Sets bits and does not return before the loop has taken them, or `timeoutMs` is over, or it works (on what may never
   * end): then it takes them before it waits again.
   */
  wakeAndWait(bits: number, timeoutMs: number): void {
    const control = this.#control;
    const end = Date.now() + timeoutMs;
    control.set(bits);
    do {
      this.#interrupt();
      control.pause();
    } while (control.bits() !== 0 && control.waiting !== 0 && Date.now() < end);
  }

  /** The thread is gone. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  readonly #repeat = (): void => {
    this.#timer = undefined;
    if (this.#isClosed || this.#control.bits() === 0) return;
    this.#interrupt();
    this.#timer = setTimeout(this.#repeat, REPEAT_MS).unref();
  };

  #interrupt(): void {
    const { waiting, signal } = this.#control;
    if (waiting !== 0) interruptThread(waiting, signal);
  }
}
