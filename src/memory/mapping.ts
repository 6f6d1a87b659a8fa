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

export interface MapOptions {
  access: Access;
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
  /** Idempotent; the last open handle detaches the buffer, then unmaps. */
  close(): void;
  [Symbol.dispose](): void;
}
