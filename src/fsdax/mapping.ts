import type { DaxError } from '../libc/index.js';
import type { Mapping } from '../memory/index.js';

/**
 * A mapping of bytes of a file into this process, made by DaxFile.map(). All mappings of one span share its memory, and the
 * last close ends the span. Its folios are pinned from before the first access until after the last one.
 * It does not hold its view: when all views were dropped, the garbage collector ends it.
 */
export class DaxMapping {
  readonly #memory: Mapping;
  readonly #start: number;
  readonly #length: number;
  readonly #reason: () => DaxError;
  /** Makes one more mapping of the same bytes, with its own close(). */
  readonly again: () => DaxMapping;

  /**
   * @param start the first requested byte, from the start of the memory mapping
   * @param reason gives the error for a mapping that was killed
   */
  constructor(
    memory: Mapping,
    start: number,
    length: number,
    again: () => DaxMapping,
    reason: () => DaxError,
  ) {
    this.#memory = memory;
    this.#start = start;
    this.#length = length;
    this.again = again;
    this.#reason = reason;
  }

  /** Exactly the requested bytes: the same view while it is in use. Length 0 after the mapping ended or was moved away. */
  get bytes(): Uint8Array {
    return this.#memory.view(this.#start, this.#length);
  }

  /** Registers another view of the same bytes that a user gets. */
  give<T extends object>(view: T): T {
    return this.#memory.give(view);
  }

  /** True when a view is on this mapping's buffer. */
  shows(view: ArrayBufferView): boolean {
    return this.alive && view.buffer === this.#memory.buffer;
  }

  /** False after close(), after a memory failure in it, and after its device was disabled. */
  get alive(): boolean {
    return this.#memory.alive;
  }

  /** True when other code moved the memory into another ArrayBuffer: the views have length 0, but it is still mapped. */
  get isMoved(): boolean {
    return this.#memory.isMoved;
  }

  /** Calls `listener` when the mapping is killed (poison, device disabled), not when it is closed. */
  onLost(listener: (error: DaxError) => void): void {
    this.#memory.onKill(() => listener(this.#reason()));
  }

  /** Calls `listener` when the garbage collector ended the mapping: no view of it was left. */
  onCollected(listener: () => void): void {
    this.#memory.onCollected(listener);
  }

  /** Closes the mapping. After the last close of the span, its views have length 0. Idempotent. */
  close(): void {
    this.#memory.close();
  }
}
