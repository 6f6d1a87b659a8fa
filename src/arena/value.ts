import type { ReadonlyUint8Array } from '../famfs/index.js';
import { fail } from '../libc/index.js';

/** What a value needs from its arena. */
export interface ValueHost {
  readonly path: string;
  unpin(pin: number): void;
  prove(): void;
  referenceOf(word: number, id: number): string;
}

/**
 * An object that is pinned: its bytes stay as they are until release(). A view that is kept longer shows whatever comes there next, as a
 * pointer does after free(): use it up before.
 */
export class ArenaValue {
  #host: ValueHost;
  #bytes: Uint8Array | undefined;
  #pin = -1;
  #id = 0;
  #word = 0;

  /** @internal Arena.get() makes them. */
  static of(host: ValueHost): ArenaValue {
    return new ArenaValue(host);
  }

  private constructor(host: ValueHost) {
    this.#host = host;
  }

  /** @internal */
  hold(host: ValueHost, bytes: Uint8Array, pin: number, id: number, word: number): this {
    this.#host = host;
    this.#bytes = bytes;
    this.#pin = pin;
    this.#id = id;
    this.#word = word;
    return this;
  }

  /** The value itself, in the shared memory. @throws DaxError EBADF released */
  get bytes(): ReadonlyUint8Array {
    return (this.#bytes ?? this.#refuse()) as unknown as ReadonlyUint8Array;
  }

  /** Names this very object, for another process: Arena.open() finds it, or says ESTALE. @throws DaxError EBADF released */
  get reference(): string {
    if (this.#bytes === undefined) this.#refuse();
    return this.#host.referenceOf(this.#word, this.#id);
  }

  /** False once it was released. */
  get held(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Proves that the bytes are still this object's: after a time in which this host may have slept (a paused virtual machine) through its
   * lease, its pins may be void. @throws DaxError ESTALE; EBADF released
   */
  check(): void {
    if (this.#bytes === undefined) this.#refuse();
    this.#host.prove();
  }

  /** Lets go: the object may be freed and its memory reused. Idempotent. */
  release(): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    this.#host.unpin(this.#pin);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  #refuse(): never {
    const { path } = this.#host;
    return fail('EBADF', `this object of the arena ${path} was released: get it again`, { path });
  }
}
