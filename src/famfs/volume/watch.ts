import { abortError, DaxError, fail } from '../../libc/index.js';
import type { AnnexPosition } from '../media/annex.js';
import type { Problem } from '../media/problem.js';
import type { FileTree } from '../media/tree.js';
import { statOf } from './names.js';
import type { FileStat } from './types.js';
import { annexEvents, type RemovedName, type RenamedName } from './watch-annex.js';

export interface WatchOptions {
  /** Aborting ends the iteration with an AbortError. */
  signal?: AbortSignal;
  /** How often to look, milliseconds, 1 to 1000; default 4. A look is cheap: a few loads and a query of the backing's size. */
  intervalMs?: number;
  /** Default true: a pending next() keeps the process alive. */
  persistent?: boolean;
}

/**
 * `new`: files, directories and links that appeared, made by any process. `removed`: names that are gone. `renamed`: names that changed,
 * as paths of now. `problem`: a bad or skipped entry or record, reported once.
 */
export type WatchEvent =
  | { type: 'new'; entries: FileStat[] }
  | { type: 'removed'; entries: RemovedName[] }
  | { type: 'renamed'; entries: RenamedName[] }
  | { type: 'problem'; problem: Problem };

/** What a watcher reads from. */
export interface WatchSource {
  readonly tree: FileTree;
  /** Applies newly published entries. @throws DaxError ENXIO, ESTALE, EBADF when there is nothing to watch any more */
  refresh(): void;
}

const DEFAULT_INTERVAL_MS = 4;
/** The interval while replay is stopped at a bad entry. It is longer, because only a writer can repair the entry. */
const STOPPED_INTERVAL_MS = 25;
/** The most log entries of one event. Further ones come with the next event. */
const MAX_ENTRIES = 4096;
const FIRST_FILE_INO = 2;

/**
 * Reports changes of names: `for await (const event of volume.watch())`. There is no queue: next() makes events from what log and
 * annex hold then. So a slow reader loses nothing and costs no memory.
 */
export class VolumeWatcher implements AsyncIterableIterator<WatchEvent> {
  readonly #source: WatchSource;
  readonly #intervalMs: number;
  readonly #isPersistent: boolean;
  readonly #signal: AbortSignal | undefined;
  /** Index of the first log entry that is not reported yet. */
  #seen: number;
  #told: Problem | null = null;
  /** Behind the last record of the annex that is reported. */
  #position: AnnexPosition;
  /** Events that are reported next, before anything else is looked at. */
  #pending: WatchEvent[] = [];
  /** How many problems of skipped entries and records were reported. */
  #problems: number;
  #timer: NodeJS.Timeout | undefined;
  #waiting: { resolve(result: IteratorResult<WatchEvent>): void; reject(error: unknown): void } | undefined;
  #isDone = false;

  /** @internal Volume.watch() makes them. */
  static over(source: WatchSource, options: WatchOptions): VolumeWatcher {
    return new VolumeWatcher(source, options);
  }

  private constructor(source: WatchSource, options: WatchOptions) {
    const { intervalMs = DEFAULT_INTERVAL_MS, persistent = true, signal } = options;
    if (!(intervalMs >= 1 && intervalMs <= 1000)) {
      fail('EINVAL', `a watch interval of ${intervalMs} ms is refused: 1 to 1000`);
    }
    this.#source = source;
    this.#intervalMs = intervalMs;
    this.#isPersistent = persistent;
    this.#signal = signal;
    this.#seen = source.tree.nextIndex;
    this.#position = source.tree.annex?.position ?? { seqnum: 0, file: 0, slot: 0 };
    this.#problems = source.tree.problems.length;
    if (signal?.aborted) this.#isDone = true;
    signal?.addEventListener('abort', this.#abort);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Waits for the next event. Only one wait at a time: a second one is EBUSY. */
  next(): Promise<IteratorResult<WatchEvent>> {
    return new Promise((resolve, reject) => {
      if (this.#waiting) {
        reject(new DaxError('EBUSY', 'this watcher is being waited for already: one wait at a time'));
        return;
      }
      if (this.#isDone) {
        if (this.#signal?.aborted) reject(abortError(this.#signal));
        else resolve({ done: true, value: undefined });
        return;
      }
      this.#waiting = { resolve, reject };
      this.#look();
    });
  }

  /** Ends the iteration: a pending next() resolves as done. Idempotent. */
  close(): void {
    this.#end()?.resolve({ done: true, value: undefined });
  }

  /** Ends the watch, as leaving a `for await` loop does. */
  async return(): Promise<IteratorResult<WatchEvent>> {
    this.close();
    return { done: true, value: undefined };
  }

  readonly #abort = (): void => this.#end()?.reject(abortError(this.#signal!));

  /** @returns the pending next(), if any */
  #end() {
    this.#isDone = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    return waiting;
  }

  readonly #look = (): void => {
    let event: WatchEvent | null;
    try {
      event = this.#take();
    } catch (error) {
      this.#end()?.reject(error);
      return;
    }
    if (event === null) {
      const stopped = this.#source.tree.stopped !== null;
      this.#timer = setTimeout(this.#look, stopped ? STOPPED_INTERVAL_MS : this.#intervalMs);
      if (!this.#isPersistent) this.#timer.unref();
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ done: false, value: event });
  };

  #take(): WatchEvent | null {
    this.#source.refresh();
    const { tree } = this.#source;
    if (this.#pending.length === 0) this.#collect();
    const next = this.#pending.shift();
    if (next) return next;
    const { stopped } = tree;
    if (stopped === null || isSame(stopped, this.#told)) return null;
    this.#told = stopped;
    return { type: 'problem', problem: stopped };
  }

  /** Makes events of what was published since: of log entries, then of records of the annex, then of what was skipped. */
  #collect(): void {
    const { tree } = this.#source;
    if (this.#seen === tree.nextIndex && this.#position.seqnum === (tree.annex?.records ?? 0)) return;
    const { removed, renamed, named, next } = annexEvents(tree, this.#position, MAX_ENTRIES);
    this.#position = next;
    const found = new Map<number, FileStat>();
    const end = Math.min(tree.nextIndex, this.#seen + MAX_ENTRIES);
    for (; this.#seen < end; this.#seen++) addStat(tree, this.#seen + FIRST_FILE_INO, found);
    for (const ino of named) addStat(tree, ino, found);
    if (found.size > 0) this.#pending.push({ type: 'new', entries: [...found.values()] });
    if (renamed.length > 0) this.#pending.push({ type: 'renamed', entries: renamed });
    if (removed.length > 0) this.#pending.push({ type: 'removed', entries: removed });
    const { problems } = tree;
    for (; this.#problems < problems.length; this.#problems++)
      this.#pending.push({ type: 'problem', problem: problems[this.#problems]! });
  }
}

/** Adds what an inode is now; nothing when there is none (skipped, or of another type), or when it has no name. */
function addStat(tree: FileTree, ino: number, found: Map<number, FileStat>): void {
  if (!tree.has(ino) || (tree.annex !== null && !tree.annex.names.hasName(ino))) return;
  found.set(ino, statOf(tree, { ino, logPath: tree.pathOf(ino) }));
}

function isSame(problem: Problem, told: Problem | null): boolean {
  return told !== null && problem.entry === told.entry && problem.code === told.code;
}
