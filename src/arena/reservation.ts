import { fail } from '../libc/index.js';
import type { TakenSlot } from './writer.js';

/** What a reservation needs from its arena. */
export interface ReservationHost {
  readonly path: string;
  commit(key: Uint8Array, taken: TakenSlot, options: CommitOptions): void;
  abort(taken: TakenSlot): void;
}

export interface CommitOptions {
  ttlMs: number | undefined;
  ifAbsent: boolean;
  position: number;
  length: number;
}

/** Space for a value that nobody sees yet. `using` aborts it unless it was committed. */
export class Reservation {
  readonly #host: ReservationHost;
  readonly #key: Uint8Array;
  readonly #taken: TakenSlot;
  readonly #options: CommitOptions;
  #bytes: Uint8Array<ArrayBuffer> | undefined;

  /** @internal Arena.reserve() makes them. */
  static of(
    host: ReservationHost,
    bytes: Uint8Array<ArrayBuffer>,
    key: Uint8Array,
    taken: TakenSlot,
    options: CommitOptions,
  ): Reservation {
    return new Reservation(host, bytes, key, taken, options);
  }

  private constructor(
    host: ReservationHost,
    bytes: Uint8Array<ArrayBuffer>,
    key: Uint8Array,
    taken: TakenSlot,
    options: CommitOptions,
  ) {
    this.#host = host;
    this.#bytes = bytes;
    this.#key = key;
    this.#taken = taken;
    this.#options = options;
  }

  /** The memory itself, writable. It holds what was there before: fill all of it. @throws DaxError EBADF committed or aborted */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes ?? this.#refuse();
  }

  /** True until commit() or abort(). */
  get isOpen(): boolean {
    return this.#bytes !== undefined;
  }

  /**
   * Makes the value visible, whole and at once, to all processes and hosts. It never changes after that: do not keep `bytes`.
   * @throws DaxError EBADF; EEXIST with ifAbsent; ESTALE the lease of this host lapsed meanwhile: nothing was committed; EBUSY the lock
   */
  commit(): void {
    if (this.#bytes === undefined) this.#refuse();
    this.#host.commit(this.#key, this.#taken, this.#options);
    this.#bytes = undefined;
  }

  /** Gives the space back. Idempotent. */
  abort(): void {
    if (this.#bytes === undefined) return;
    this.#bytes = undefined;
    this.#host.abort(this.#taken);
  }

  [Symbol.dispose](): void {
    this.abort();
  }

  #refuse(): never {
    const { path } = this.#host;
    return fail('EBADF', `this reservation in the arena ${path} was committed or aborted: reserve again`, {
      path,
    });
  }
}
