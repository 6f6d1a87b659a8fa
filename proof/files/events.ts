import type { Caller } from '../media/caller.js';

/** What a file holds: all of a small one, the head of a big one (behind it, it is zero). */
export interface Content {
  size: number;
  mode: number;
  head: Uint8Array;
  /** Equal for equal contents. */
  key: string;
}

/** A change of the names in one directory: as a whole, there or not. */
export interface NameEvent {
  kind: 'make' | 'make-directory' | 'rename' | 'remove';
  path: string;
  /** rename: where to, in the same directory. */
  to?: string;
  /** make: the file's number. */
  file?: number;
  caller: Caller;
}

export interface WriteEvent {
  kind: 'write';
  file: number;
  content: Content;
  caller: Caller;
}

export interface SyncEvent {
  kind: 'sync' | 'sync-directory';
  file?: number;
  path: string;
  caller: Caller;
}

export interface FileMark {
  kind: 'mark';
}

export type FileEvent = NameEvent | WriteEvent | SyncEvent | FileMark;

export interface FileTrace {
  /** Names before the first event, with the files' numbers; directories have none. */
  names: ReadonlyMap<string, number | null>;
  contents: ReadonlyMap<number, Content>;
  events: readonly FileEvent[];
}
