import type { DaxError } from '../libc/index.js';
import type { Mapping } from '../memory/index.js';

/**
 * A mapping of bytes of a file in this process' addresses. Made by DaxFile.map(): all who ask for the same span share its
 * memory, and the last of them that closes ends it. Its folios are pinned from before the first access until after the last.
 * It does not hold its view: when the last of all views was dropped, the collector ends it.
 */
export class DaxMapping {
  readonly #memory: Mapping;
  readonly #start: number;
  readonly #length: number;
  readonly #reason: () => DaxError;
  /** One more mapping of the same bytes, to be closed by itself. */
  readonly again: () => DaxMapping;

  /** @param start where in the memory mapping the bytes asked for begin; `reason`: why the memory layer took it away */
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

  /** Exactly the bytes asked for; the same view for all, as long as somebody has it. Length 0 once it ended or was moved away. */
  get bytes(): Uint8Array {
    return this.#memory.view(this.#start, this.#length);
  }

  /** Notes another view of the same bytes that a user gets. */
  give<T extends object>(view: T): T {
    return this.#memory.give(view);
  }

  /** Whether a view is one of this mapping's bytes. */
  shows(view: ArrayBufferView): boolean {
    return this.alive && view.buffer === this.#memory.buffer;
  }

  /** False after close(), a memory failure under it, and the end of its device. */
  get alive(): boolean {
    return this.#memory.alive;
  }

  /** Somebody moved the memory of its views into another ArrayBuffer: they have length 0, though it is mapped. */
  get isMoved(): boolean {
    return this.#memory.isMoved;
  }

  /** Calls `listener` if the mapping is taken away (poison, device disabled), not when it is closed. */
  onLost(listener: (error: DaxError) => void): void {
    this.#memory.onKill(() => listener(this.#reason()));
  }

  /** Calls `listener` when the collector ended it: no view of it was left. */
  onCollected(listener: () => void): void {
    this.#memory.onCollected(listener);
  }

  /** Idempotent. After the close of the last mapping of the span its views have length 0. */
  close(): void {
    this.#memory.close();
  }
}
