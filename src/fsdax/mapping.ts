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
 * It does not hold its view: when the last of all views was dropped, the collector ends it.
 */
export class DaxMapping {
  readonly #memory: Mapping;
  readonly #start: number;
  readonly #length: number;
  readonly #owner: MappingOwner;
  #view: WeakRef<Uint8Array> | undefined;
  #users = 1;
  #lost: ((error: DaxError) => void)[] = [];
  #ended: (() => void)[] = [];
  #pinned = true;

  /** @param start where in the memory mapping the bytes asked for begin */
  constructor(memory: Mapping, start: number, length: number, owner: MappingOwner) {
    this.#memory = memory;
    this.#start = start;
    this.#length = length;
    this.#owner = owner;
    memory.onKill(() => this.#killed());
    memory.onCollected(() => this.#collected());
  }

  /** Exactly the bytes asked for; the same view as long as somebody has it. Length 0 after the last close and after a kill. */
  get bytes(): Uint8Array {
    const known = this.#view?.deref();
    if (known) return known;
    if (!this.#pinned || this.#memory.isMoved) return new Uint8Array(0);
    const view = this.give(new Uint8Array(this.#memory.buffer, this.#start, this.#length));
    this.#view = new WeakRef(view);
    return view;
  }

  /** Notes another view of the same bytes that a user gets. */
  give<T extends object>(view: T): T {
    return this.#memory.give(view);
  }

  /** Whether a view is one of this mapping's bytes. */
  shows(view: ArrayBufferView): boolean {
    return this.#pinned && view.buffer === this.#memory.buffer;
  }

  /** False after the last close, a memory failure under it, and the end of its device. */
  get alive(): boolean {
    return this.#pinned;
  }

  /** Somebody moved the memory of its views into another ArrayBuffer: they have length 0, though it is mapped. */
  get isMoved(): boolean {
    return this.#memory.isMoved;
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

  /** Calls `listener` when the collector ended it: no view of it was left. */
  onCollected(listener: () => void): void {
    this.#ended.push(listener);
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

  #collected(): void {
    if (!this.#pinned) return;
    this.#release();
    for (const listener of this.#ended.splice(0)) listener();
  }

  #release(): void {
    this.#pinned = false;
    this.#users = 0;
    this.#owner.unpin();
  }
}
