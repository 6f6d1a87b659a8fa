import type { Caller } from '../media/caller.js';

/** The content of a file: all of a small one, and the head of a big one, which is zero after that. */
export interface Content {
  size: number;
  mode: number;
  head: Uint8Array;
  /** Equal for equal contents. */
  key: string;
}

/** A change of the names in one directory. It takes effect as a whole or not at all. */
export interface NameEvent {
  kind: 'make' | 'make-directory' | 'rename' | 'remove';
  path: string;
  /** rename: the new path, in the same directory. */
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
  /** Names before the first event, with the files' numbers; null for directories. */
  names: ReadonlyMap<string, number | null>;
  contents: ReadonlyMap<number, Content>;
  events: readonly FileEvent[];
}
