import { type Caller, callerNow } from './caller.js';
import { differences, LINE_BYTES, type LineChange } from './lines.js';

/** Bytes were stored. `isOrdered`: by one call whose range is known; else the store was found later, in unknown order. */
export interface StoreEvent {
  kind: 'store';
  at: number;
  length: number;
  changes: LineChange[];
  isOrdered: boolean;
  caller: Caller;
}

/** The lines of a range were flushed. */
export interface FlushEvent {
  kind: 'flush';
  at: number;
  length: number;
  /** Number of lines, and how many of them had no store since their last flush. */
  lines: number;
  clean: number;
  caller: Caller;
}

/** All flushes before it are complete before any store after it. */
export interface FenceEvent {
  kind: 'fence';
  caller: Caller;
}

/** An operation returned to its caller. */
export interface MarkEvent {
  kind: 'mark';
}

export type TraceEvent = StoreEvent | FlushEvent | FenceEvent | MarkEvent;

export interface Trace {
  /** The memory before the first event. */
  base: Uint8Array;
  events: readonly TraceEvent[];
}

/**
 * Records everything that is done to one memory, in order. The probe or the backing reports stores with their range; the tracer
 * reads what they changed from the memory. Plain indexed stores are not reported. The tracer finds them by comparing all of the
 * memory before the next act, so they keep their place among the acts. Several such stores between two acts have no order among
 * themselves.
 */
export class Tracer {
  readonly #memory: Uint8Array;
  #base = new Uint8Array();
  #shadow = new Uint8Array();
  #dirty = new Uint8Array();
  #events: TraceEvent[] | undefined;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  get isRunning(): boolean {
    return this.#events !== undefined;
  }

  begin(): void {
    this.#base = this.#memory.slice();
    this.#shadow = this.#base.slice();
    this.#dirty = new Uint8Array(this.#memory.length / LINE_BYTES);
    this.#events = [];
  }

  end(): Trace {
    this.findStores();
    const events = this.#events ?? [];
    this.#events = undefined;
    return { base: this.#base, events };
  }

  /** Called before each act: finds the stores since the last act that were not reported. */
  findStores(): void {
    if (this.#events === undefined) return;
    const changes = differences(this.#memory, this.#shadow, 0, this.#memory.length);
    if (changes.length === 0) return;
    const at = changes[0]!.line * LINE_BYTES;
    this.#add(at, (changes.at(-1)!.line + 1) * LINE_BYTES - at, changes, false);
    for (const { line } of changes) this.#dirty[line] = 1;
  }

  /** Called after a store with a known range. */
  stored(at: number, length: number): void {
    if (this.#events === undefined || length === 0) return;
    this.#add(at, length, differences(this.#memory, this.#shadow, at, at + length), true);
    this.#dirty.fill(1, Math.floor(at / LINE_BYTES), Math.ceil((at + length) / LINE_BYTES));
  }

  flushed(at: number, length: number): void {
    if (this.#events === undefined) return;
    this.findStores();
    const first = Math.floor(at / LINE_BYTES);
    const end = Math.ceil((at + length) / LINE_BYTES);
    let clean = 0;
    for (let line = first; line < end; line++) if (this.#dirty[line] === 0) clean++;
    this.#dirty.fill(0, first, end);
    this.#events.push({ kind: 'flush', at, length, lines: end - first, clean, caller: callerNow() });
  }

  fenced(): void {
    if (this.#events === undefined) return;
    this.findStores();
    this.#events.push({ kind: 'fence', caller: callerNow() });
  }

  /** One of the traced operations has returned. */
  mark(): void {
    this.findStores();
    this.#events?.push({ kind: 'mark' });
  }

  #add(at: number, length: number, changes: LineChange[], isOrdered: boolean): void {
    for (const { line, bytes } of changes) this.#shadow.set(bytes, line * LINE_BYTES);
    this.#events!.push({ kind: 'store', at, length, changes, isOrdered, caller: callerNow() });
  }
}
