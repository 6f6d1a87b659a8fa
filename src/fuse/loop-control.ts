import { interruptSignal, interruptThread } from '../libc/index.js';

/** A message waits for the worker. */
export const CONTROL_MESSAGE = 1;
/** The loop must end. */
export const CONTROL_STOP = 2;

const BITS = 0;
const WAITING = 1;
/** The interval of repeated signals. A signal just before the thread enters its system call has no effect, so it is repeated. */
const REPEAT_MS = 2;

/**
 * Two words that both threads share: the control bits for the loop, and whether the loop may wait in a system call. For each
 * request the loop uses plain loads and stores, because an Atomics call costs 20 ns. So its stores can become visible a moment
 * later (store buffer). A waker must therefore wait until the loop has taken the bits, or look again.
 */
export class LoopControl {
  readonly #words: Int32Array;

  constructor(
    readonly memory: SharedArrayBuffer,
    /** The signal that interrupts the loop's wait. */
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

  /** Called by the loop's thread: returns the control bits and clears them. */
  take(): number {
    const bits = Atomics.exchange(this.#words, BITS, 0);
    Atomics.notify(this.#words, BITS);
    return bits;
  }

  /** Called by the loop's thread: from now on it may be in a system call. `threadId` is its kernel id. */
  waits(threadId: number): void {
    this.#words[WAITING] = threadId;
  }

  /** Called by the loop's thread: it waits in no system call, and will check the bits before the next one. */
  works(): void {
    this.#words[WAITING] = 0;
  }

  /** The kernel's id of the thread that may be in a system call, or 0. */
  get waiting(): number {
    return Atomics.load(this.#words, WAITING);
  }

  /** Blocks the caller until the loop has taken the bits, for REPEAT_MS at most. */
  pause(): void {
    const bits = this.bits();
    if (bits !== 0) Atomics.wait(this.#words, BITS, bits, REPEAT_MS);
  }
}

/**
 * Makes the loop take its control bits, wherever it is. As long as the loop may wait in a system call and has not taken the bits,
 * the waker interrupts it repeatedly. It sends no signal while the loop works.
 */
export class LoopWaker {
  readonly #control: LoopControl;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(control: LoopControl) {
    this.#control = control;
  }

  /** Sets bits and returns at once. The signals are repeated until the loop has taken the bits. */
  wake(bits: number): void {
    this.#control.set(bits);
    if (this.#timer === undefined) this.#repeat();
  }

  /**
   * Sets bits and waits until the loop has taken them, for `timeoutMs` at most. It also returns when the loop works on a request,
   * which may never end; the loop then takes the bits before it waits again.
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

  /** Stops all signals: the thread is gone. */
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
