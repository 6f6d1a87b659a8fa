import { abortError, DaxError, fail, hasCode } from '../../libc/index.js';
import type { Problem } from '../media/problem.js';
import type { FileTree } from '../media/tree.js';
import { statOf } from './names.js';
import type { FileStat } from './types.js';

export interface WatchOptions {
  /** Aborting ends the iteration with an AbortError. */
  signal?: AbortSignal;
  /** How often to look, milliseconds, 1 to 1000; default 4. A look is cheap: a few loads and a query of the backing's size. */
  intervalMs?: number;
  /** Default true: a pending next() keeps the process alive. */
  persistent?: boolean;
}

/** `new`: files and directories that appeared, made by any process. `problem`: a bad or skipped entry, reported once. */
export type WatchEvent = { type: 'new'; entries: FileStat[] } | { type: 'problem'; problem: Problem };

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
 * Reports new files and directories: `for await (const event of volume.watch())`. There is no queue: next() makes an event from
 * what the log holds then. So a slow reader loses nothing and costs no memory.
 */
export class VolumeWatcher implements AsyncIterableIterator<WatchEvent> {
  readonly #source: WatchSource;
  readonly #intervalMs: number;
  readonly #isPersistent: boolean;
  readonly #signal: AbortSignal | undefined;
  /** Index of the first log entry that is not reported yet. */
  #seen: number;
  #told: Problem | null = null;
  /** Problems of skipped entries that the next events report. */
  #skipped: Problem[] = [];
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
    const skipped = this.#skipped.shift();
    if (skipped) return { type: 'problem', problem: skipped };
    if (tree.nextIndex > this.#seen) {
      const entries = this.#takeEntries();
      if (entries.length > 0) return { type: 'new', entries };
      return this.#take();
    }
    const { stopped } = tree;
    if (stopped === null || isSame(stopped, this.#told)) return null;
    this.#told = stopped;
    return { type: 'problem', problem: stopped };
  }

  #takeEntries(): FileStat[] {
    const { tree } = this.#source;
    const end = Math.min(tree.nextIndex, this.#seen + MAX_ENTRIES);
    const entries: FileStat[] = [];
    const reasons = tree.problems;
    for (; this.#seen < end; this.#seen++) {
      const stat = statOfEntry(tree, this.#seen);
      const reason = stat ? undefined : reasons.find(({ entry }) => entry === this.#seen);
      if (stat) entries.push(stat);
      else if (reason) this.#skipped.push(reason);
    }
    return entries;
  }
}

/** The file or directory that a log entry made; null when it made none (skipped, or of another type). */
function statOfEntry(tree: FileTree, index: number): FileStat | null {
  const ino = index + FIRST_FILE_INO;
  try {
    return statOf(tree, { ino, logPath: tree.pathOf(ino) });
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

function isSame(problem: Problem, told: Problem | null): boolean {
  return told !== null && problem.entry === told.entry && problem.code === told.code;
}
