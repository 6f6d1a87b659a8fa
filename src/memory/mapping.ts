/** Bytes of physical address space. */
export interface PhysicalRange {
  /** Host physical address, bytes. */
  start: number;
  /** Bytes. */
  length: number;
}

/**
 * How a mapping may be used (decision 14).
 * shared: loads and stores, seen by all. private: stores stay in this view (read-only files).
 * protected: shared and write-protected, a store is a fatal fault (dax devices, which refuse private).
 */
export type Access = 'shared' | 'private' | 'protected';

/** Who maps for others, file by file. Spans of two owners are never one; without an owner those of equal bytes and access are. */
export interface SpanOwner {
  /**
   * A span has no mapping any more: the last was closed, it was taken away, or collected. Its views have length 0.
   * Before anybody is told of it.
   */
  ended(ranges: readonly PhysicalRange[]): void;
}

export interface MapOptions {
  access: Access;
  /** Whose span it becomes, under which name again() finds it. */
  owner?: { readonly who: SpanOwner; readonly name: string };
  /** Whose mapping, for status and errors: `/a on dax0.0`. */
  label?: string;
  /** Fault all pages in now, so that no first load waits. EIO when one of them has no memory. */
  populate?: boolean;
}

/**
 * A handle on mapped memory. Two handles may share one ArrayBuffer (same bytes, same access). Views keep the memory
 * mapped; the handle does not, when all of them were dropped.
 */
export interface Mapping {
  /** Exactly the bytes asked for. Length 0 after a kill and after the last close. */
  readonly buffer: ArrayBuffer;
  /** Bytes asked for; stays when the buffer is gone. */
  readonly length: number;
  /** Where it is in this process; only meaningful while alive. */
  readonly address: number;
  /** Where its memory lies, in order. */
  readonly ranges: readonly PhysicalRange[];
  /** As granted: `private` over memory that refuses it is `protected`. */
  readonly access: Access;
  /** False after close() of this handle and after a kill. */
  readonly alive: boolean;
  /** Somebody moved the buffer's memory into another one (a byte stream, transfer()), that shows it from then on. */
  readonly isMoved: boolean;
  /** Called once, when the memory layer ends the mapping; not on close(). At once when that already happened. */
  onKill(listener: () => void): void;
  /** Called once, when the collector ended it: no view of it was left. Must not reach a view. */
  onCollected(listener: () => void): void;
  /** Notes a view of the buffer that a user gets: as long as it lives, the collector is not asked about the others. */
  give<T extends object>(view: T): T;
  /** Bytes of the buffer, given: the same view as long as somebody has it. Length 0 after close(), a kill or a move. */
  view(start: number, length: number): Uint8Array;
  /** Idempotent; the last open handle detaches the buffer, then unmaps. */
  close(): void;
  [Symbol.dispose](): void;
}
