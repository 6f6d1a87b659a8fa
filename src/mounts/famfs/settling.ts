import { hasCode } from '../../libc/index.js';
import type { NewFiles, NewNode } from './new-files.js';

/** How long publishing may keep the mount from its requests at a time. */
const BURST_MILLISECONDS = 20;
/** Publishing that met EBUSY is tried again after this time: a stopped process that has the log goes on, or ends. */
const RETRY_MILLISECONDS = 5000;

/** What puts one thing into the log; what it is in is there already. */
export interface Publisher {
  publish(made: NewNode): void;
  /** Told once of each that could not be published. */
  failed(made: NewNode, error: unknown): void;
}

/**
 * When what was made through a mount goes into the log. The log says things once and for good, and programs make first and say
 * later what it is (chmod, chown after close, a directory's mode after its contents): so it is published when it is closed and
 * has not been changed for a while. A directory waits for what is in it; the directories something is in are published before it.
 * Publishing something at once (fsync, unmount, no settling at all) publishes those with it.
 */
export class Settling {
  readonly #files: NewFiles;
  readonly #publisher: Publisher;
  readonly #milliseconds: number;

  /** @param milliseconds of quiet; 0: files when they are closed, directories when they are made */
  constructor(files: NewFiles, milliseconds: number, publisher: Publisher) {
    this.#files = files;
    this.#milliseconds = milliseconds;
    this.#publisher = publisher;
  }

  get isImmediate(): boolean {
    return this.#milliseconds === 0;
  }

  /** Publishes what has settled. To be called from time to time. */
  tick(): void {
    if (this.#files.unpublishedCount === 0) return;
    const now = performance.now();
    for (const made of this.#files.unpublished()) {
      if (now >= made.retryAt && isReady(made) && this.#isQuiet(made, now)) this.tryToPublish(made);
      if (performance.now() > now + BURST_MILLISECONDS) return;
    }
  }

  /** Publishes all that is closed, settled or not. */
  flush(): void {
    for (const made of this.#files.unpublished()) if (isReady(made)) this.tryToPublish(made);
  }

  /** Publishes what is closed in a directory, at any depth, and the directory. @param key its number in the log, else its node */
  flushDirectory(key: number): void {
    const directory = this.#files.get(key);
    if (directory?.ino === null) this.publish(directory);
    const at = directory?.ino ?? key;
    for (const made of this.#files.in(at)) {
      if (made.kind === 'directory') this.flushDirectory(made.node);
      else if (isReady(made)) this.tryToPublish(made);
    }
  }

  /** Publishes one thing now, after the directories it is in. @throws DaxError what publishing throws */
  publish(made: NewNode): void {
    const parent = this.#files.parentOf(made);
    if (parent) this.publish(parent);
    this.#publisher.publish(made);
  }

  /** publish() where nobody waits for the answer. */
  tryToPublish(made: NewNode): void {
    try {
      this.publish(made);
    } catch (error) {
      const isFirst = made.retryAt === 0;
      made.retryAt = hasCode(error, 'EBUSY')
        ? performance.now() + RETRY_MILLISECONDS
        : Number.POSITIVE_INFINITY;
      if (isFirst) this.#publisher.failed(made, error);
    }
  }

  /** Nothing happened to it for long enough, nor to the directories that have to be published with it. */
  #isQuiet(made: NewNode, now: number): boolean {
    for (let at: NewNode | undefined = made; at !== undefined; at = this.#files.parentOf(at)) {
      if (at.writers > 0 || now - at.changedAt < this.#milliseconds) return false;
    }
    return true;
  }
}

/** Whether it can be published as it is: closed, and not empty. */
function isReady(made: NewNode): boolean {
  return made.kind === 'directory' || (made.writers === 0 && made.growing.isWhole);
}
