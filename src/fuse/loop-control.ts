import { interruptSignal, interruptThread } from '../libc/index.js';

/** A message waits for the worker. */
export const CONTROL_MESSAGE = 1;
/** The loop shall end. */
export const CONTROL_STOP = 2;

const BITS = 0;
const WAITING = 1;
/** A signal that came just before the thread entered its system call did nothing: how soon the next one follows. */
const REPEAT_MS = 2;

/** Two words that both threads share: what is wanted of the loop, and whether it waits in a system call. */
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
    return Atomics.load(this.#words, BITS);
  }

  set(bits: number): void {
    Atomics.or(this.#words, BITS, bits);
  }

  clear(bits: number): void {
    Atomics.and(this.#words, BITS, ~bits);
  }

  /** The loop's thread: from now on it may be in a system call, under this kernel id. */
  waits(threadId: number): void {
    Atomics.store(this.#words, WAITING, threadId);
  }

  /** The loop's thread: it is in no system call, and will look at the bits before the next. */
  works(): void {
    Atomics.store(this.#words, WAITING, 0);
  }

  /** The kernel's id of the thread that may be in a system call, or 0. */
  get waiting(): number {
    return Atomics.load(this.#words, WAITING);
  }

  /** Blocks the caller for a moment. */
  pause(): void {
    Atomics.wait(this.#words, BITS, this.bits(), REPEAT_MS);
  }
}

/**
 * Makes the loop look at its control bits, wherever it is. The loop says when it may be waiting, so no signal reaches
 * it while it works; while it seems to wait and has not taken the bits it is interrupted again and again.
 */
export class LoopWaker {
  readonly #control: LoopControl;
  #timer: NodeJS.Timeout | undefined;

  constructor(control: LoopControl) {
    this.#control = control;
  }

  /** Sets bits and returns; the signals go on until the loop has seen them. */
  wake(bits: number): void {
    this.#control.set(bits);
    if (this.#timer === undefined) this.#repeat();
  }

  /** Sets bits and does not return before the loop has seen them, or works, or `timeoutMs` is over. */
  wakeAndWait(bits: number, timeoutMs: number): void {
    const control = this.#control;
    control.set(bits);
    for (const end = Date.now() + timeoutMs; this.#interrupt() && Date.now() < end; ) control.pause();
  }

  /** The thread is gone. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #repeat = (): void => {
    this.#timer = this.#interrupt() ? setTimeout(this.#repeat, REPEAT_MS) : undefined;
  };

  /** @returns whether it has to be done again if nothing changes */
  #interrupt(): boolean {
    const control = this.#control;
    const { waiting } = control;
    if (control.bits() === 0 || waiting === 0) return false;
    interruptThread(waiting, control.signal);
    return true;
  }
}
