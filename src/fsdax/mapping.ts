import type { DaxError } from '../libc/index.js';
import type { Mapping } from '../memory/index.js';

/** What a mapping asks of the file that made it. */
export interface MappingOwner {
  /** The mapping is gone: its folios need no pin any more. */
  unpin(): void;
  /** Why the memory layer took it away. */
  reason(): DaxError;
}

/**
 * A span of a file in this process' addresses. Made by DaxFile.map(), which gives the same object to all
 * who ask for the same span: each of them closes it once, the last one unmaps.
 * It pins the folios it covers from before the first access until after the last.
 */
export class DaxMapping {
  /** Exactly the bytes asked for. Length 0 after the last close and after a kill. */
  readonly bytes: Uint8Array;
  readonly #memory: Mapping;
  readonly #owner: MappingOwner;
  #users = 1;
  #lost: ((error: DaxError) => void)[] = [];
  #pinned = true;

  /** @param start where in the memory mapping the bytes asked for begin */
  constructor(memory: Mapping, start: number, length: number, owner: MappingOwner) {
    this.#memory = memory;
    this.#owner = owner;
    this.bytes = new Uint8Array(memory.buffer, start, length);
    memory.onKill(() => this.#killed());
  }

  /** False after the last close, a memory failure under it, and the end of its device. */
  get alive(): boolean {
    return this.#pinned;
  }

  /** One more user, who closes it too. */
  share(): this {
    this.#users++;
    return this;
  }

  /** Calls `listener` if the mapping is taken away (poison, device disabled), not when it is closed. */
  onLost(listener: (error: DaxError) => void): void {
    this.#lost.push(listener);
  }

  /** Gives up one use; after the last the view has length 0. */
  close(): void {
    if (this.#users > 0 && --this.#users > 0) return;
    this.detach();
  }

  /** Takes the mapping away from all its users. */
  detach(): void {
    if (!this.#pinned) return;
    // The view goes first: nobody can reach a page that is no longer pinned.
    this.#memory.close();
    this.#release();
  }

  #killed(): void {
    if (!this.#pinned) return;
    this.#release();
    const listeners = this.#lost;
    this.#lost = [];
    if (listeners.length === 0) return;
    const error = this.#owner.reason();
    for (const listener of listeners) listener(error);
  }

  #release(): void {
    this.#pinned = false;
    this.#users = 0;
    this.#owner.unpin();
  }
}
