/** A range of physical addresses. */
export interface PhysicalRange {
  /** Host physical address, bytes. */
  start: number;
  /** Bytes. */
  length: number;
}

/**
 * How a mapping may be used (decision 14).
 * shared: all users see its stores. private: stores stay in this view (read-only files).
 * protected: shared and write-protected, a store is a fatal fault (dax devices, which refuse private mappings).
 */
export type Access = 'shared' | 'private' | 'protected';

/**
 * An object that maps for others, such as an open file. Two owners never share a span. Mappings without an owner share a
 * span when their bytes and access are equal.
 */
export interface SpanOwner {
  /**
   * Called when a span has no open handle any more: the last one was closed, or the span was killed or collected. Its
   * views have length 0. Runs before the listeners of the handles.
   */
  ended(ranges: readonly PhysicalRange[]): void;
}

export interface MapOptions {
  access: Access;
  /** The owner of the span, and the name under which again() finds it. */
  owner?: { readonly who: SpanOwner; readonly name: string };
  /** Names the mapping in errors and warnings: `/a on dax0.0`. */
  label?: string;
  /** Fault all pages in now, so that no first load waits. EIO when a page has no backing. */
  populate?: boolean;
}

/**
 * A handle on mapped memory. Two handles may share one ArrayBuffer (same bytes, same access). Views keep the memory
 * mapped. The handle alone does not: when all views were dropped, the mapping may end.
 */
export interface Mapping {
  /** Exactly the requested bytes. Length 0 after a kill and after the last close. */
  readonly buffer: ArrayBuffer;
  /** Requested bytes; unchanged when the mapping has ended. */
  readonly length: number;
  /** Address in this process; valid only while alive. */
  readonly address: number;
  /** The physical ranges it maps, in order. */
  readonly ranges: readonly PhysicalRange[];
  /** As granted: `private` over memory that refuses it is `protected`. */
  readonly access: Access;
  /** False after close() of this handle, after a kill, and after the mapping was garbage collected. */
  readonly alive: boolean;
  /** True when other code moved the buffer's memory into another ArrayBuffer (by a byte stream or transfer()). */
  readonly isMoved: boolean;
  /** Calls the listener once, when a kill ends the mapping; not on close(). Calls it at once when that already happened. */
  onKill(listener: () => void): void;
  /** Calls the listener once, when the mapping ended because no view was left. The listener must not reference a view. */
  onCollected(listener: () => void): void;
  /** Registers a view that a user gets. As long as it lives, no garbage collection is run to look for dropped views. */
  give<T extends object>(view: T): T;
  /** A registered view of bytes of the buffer; the same one while it is in use. Length 0 after close(), a kill or a move. */
  view(start: number, length: number): Uint8Array;
  /** Closes the handle. The last open handle detaches the buffer, then lets go of the memory. Idempotent. */
  close(): void;
  [Symbol.dispose](): void;
}
