import type { DaxDevice } from '../../dax/index.js';
import { dataStart } from '../media/allocator.js';
import { LogAppender } from '../media/append.js';
import type { NewLogEntry } from '../media/entry.js';
import type { Superblock } from '../media/layout.js';
import { type FileTree, inodeOfEntry } from '../media/tree.js';
import type { DeviceMedia } from './device-media.js';
import { LogMemory } from './log-memory.js';

interface WrittenLog {
  readonly tree: FileTree;
  readonly media: DeviceMedia;
  readonly superblock: Superblock;
  readonly dax: DaxDevice;
}

/** Appends to the log of a mounted famfs: the log has its memory before, and the tree has the entry behind. All within a session. */
export class LogWriter {
  readonly #log: WrittenLog;
  readonly #appender: LogAppender;
  readonly #memory: LogMemory;
  #isDoubted = false;
  /** Entries of together() that the tree does not have yet; null outside of it. */
  #unreplayed: number | null = null;

  constructor(written: WrittenLog) {
    const { log } = written.tree;
    this.#log = written;
    this.#appender = new LogAppender(log);
    this.#memory = new LogMemory(log, written.dax);
  }

  /** @throws DaxError ENOSPC the log has not this many slots left */
  assertRoom(entries: number): void {
    this.#appender.assertRoom(entries);
  }

  /** Superblock and log are checked again before the next entry. */
  doubtMemory(): void {
    this.#isDoubted = true;
  }

  /** Publishes one entry. @returns the inode it makes */
  append(entry: NewLogEntry): number {
    const { tree, media, superblock } = this.#log;
    // Checked before the append: once the entry is in the log, no error may say that it is not.
    if (this.#isDoubted) media.proveStart(dataStart(superblock));
    this.#isDoubted = false;
    this.#memory.ensureFor(tree.nextIndex + (this.#unreplayed ?? 0));
    const index = this.#appender.append(entry);
    if (this.#unreplayed === null) tree.replay();
    else this.#unreplayed++;
    return inodeOfEntry(index);
  }

  /**
   * Calls `act`, whose entries are in the log one by one, but in the tree all at once when it is done: none of them may need to find
   * another there.
   */
  together(act: () => void): void {
    this.#unreplayed = 0;
    try {
      act();
    } finally {
      this.replayAppended();
    }
  }

  /** Brings what together() has appended into the tree. The rest of it comes there one by one. */
  replayAppended(): void {
    if (this.#unreplayed === null) return;
    this.#unreplayed = null;
    this.#log.tree.replay();
  }
}
