import type { NewFiles, NewNode } from './new-files.js';

/** How long publishing may keep the mount from its requests at a time. */
const BURST_MILLISECONDS = 20;

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
      if (!made.hasFailed && isReady(made) && this.#isQuiet(made, now)) this.#try(made);
      if (performance.now() > now + BURST_MILLISECONDS) return;
    }
  }

  /**
   * Publishes all that is closed, settled or not.
   * @returns why something could not be published (the first reason): it is still to be
   */
  flush(): { why: unknown } | undefined {
    let failed: { why: unknown } | undefined;
    for (const made of this.#files.unpublished())
      if (isReady(made)) {
        const failure = this.#try(made);
        failed ??= failure;
      }
    return failed;
  }

  /** Publishes what is closed in a directory, at any depth, and the directory. @param key its number in the log, else its node */
  flushDirectory(key: number): void {
    const directory = this.#files.get(key);
    if (directory?.ino === null) this.publish(directory);
    const at = directory?.ino ?? key;
    for (const made of this.#files.in(at)) {
      if (made.kind === 'directory') this.flushDirectory(made.node);
      else if (isReady(made)) this.#try(made);
    }
  }

  /** Publishes one thing now, after the directories it is in. @throws DaxError what publishing throws */
  publish(made: NewNode): void {
    const parent = this.#files.parentOf(made);
    if (parent) this.publish(parent);
    this.#publisher.publish(made);
  }

  #try(made: NewNode): { why: unknown } | undefined {
    try {
      this.publish(made);
      return undefined;
    } catch (error) {
      made.hasFailed = true;
      this.#publisher.failed(made, error);
      return { why: error };
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
