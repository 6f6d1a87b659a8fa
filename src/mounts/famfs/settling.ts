import { hasCode } from '../../libc/index.js';
import type { NewFiles, NewNode } from './new-files.js';

/** How long one tick may publish. Requests to the mount wait meanwhile. */
const BURST_MILLISECONDS = 20;
/** Publishing that met EBUSY is tried again after this time: a stopped process that has the log goes on, or ends. */
const RETRY_MILLISECONDS = 5000;

/** Puts one file or directory into the log. Its directory is published already. */
export interface Publisher {
  publish(made: NewNode): void;
  /** Whether it can be published as it is: closed and whole. */
  isReady(made: NewNode): boolean;
  /** Called for each failed attempt to publish. */
  failed(made: NewNode, error: unknown): void;
}

/**
 * Decides when files and directories made through a mount are published. The log fixes mode and owner, but programs set them late
 * (chmod, chown after close; the mode of a directory after its contents). So a file is published when it is closed and has not
 * changed for a while. A directory waits for the writers and changes of what is in it. The directories above are published
 * first. Publishing at once (fsync, unmount, no settling) publishes them too.
 */
export class Settling {
  readonly #files: NewFiles;
  readonly #publisher: Publisher;
  readonly #milliseconds: number;

  /** @param milliseconds the time without changes; 0 publishes files when they are closed, and directories when they are made */
  constructor(files: NewFiles, milliseconds: number, publisher: Publisher) {
    this.#files = files;
    this.#milliseconds = milliseconds;
    this.#publisher = publisher;
  }

  get isImmediate(): boolean {
    return this.#milliseconds === 0;
  }

  /** Publishes what has settled. Must be called regularly. */
  tick(): void {
    if (this.#files.unpublishedCount === 0) return;
    const now = performance.now();
    for (const made of this.#files.unpublished()) {
      if (now >= made.retryAt && this.#publisher.isReady(made) && this.#isQuiet(made, now))
        this.tryToPublish(made);
      if (performance.now() > now + BURST_MILLISECONDS) return;
    }
  }

  /**
   * Publishes all that is closed, settled or not.
   * @returns the first reason why something could not be published; undefined when all was published
   */
  flush(): { why: unknown } | undefined {
    let failed: { why: unknown } | undefined;
    for (const made of this.#files.unpublished()) {
      if (!this.#publisher.isReady(made)) continue;
      const failure = this.tryToPublish(made);
      failed ??= failure;
    }
    return failed;
  }

  /**
   * Publishes a directory, and what is closed in it at any depth.
   * @param key its inode number, or its node while unpublished
   * @returns as flush()
   */
  flushDirectory(key: number): { why: unknown } | undefined {
    const directory = this.#files.get(key);
    let failed = directory?.ino === null ? this.tryToPublish(directory) : undefined;
    if (failed) return failed;
    const at = directory?.ino ?? key;
    for (const { made } of [...this.#files.in(at)]) {
      if (made.kind !== 'directory' && !this.#publisher.isReady(made)) continue;
      const failure = made.kind === 'directory' ? this.flushDirectory(made.node) : this.tryToPublish(made);
      failed ??= failure;
    }
    return failed;
  }

  /** Publishes a file or directory now, after the unpublished directories above it. @throws DaxError what publishing throws */
  publish(made: NewNode): void {
    for (const parent of [...this.#files.parentsOf(made)]) this.publish(parent);
    this.#publisher.publish(made);
  }

  /** publish() where no caller waits for the answer. @returns why it failed */
  tryToPublish(made: NewNode): { why: unknown } | undefined {
    try {
      this.publish(made);
      return undefined;
    } catch (error) {
      const isFirst = made.retryAt === 0;
      made.retryAt = hasCode(error, 'EBUSY')
        ? performance.now() + RETRY_MILLISECONDS
        : Number.POSITIVE_INFINITY;
      if (isFirst) this.#publisher.failed(made, error);
      return { why: error };
    }
  }

  /** Whether it, and the directories that must be published with it, have not changed for long enough and have no writers. */
  #isQuiet(made: NewNode, now: number): boolean {
    if (made.writers > 0 || now - made.changedAt < this.#milliseconds) return false;
    for (const parent of this.#files.parentsOf(made)) if (!this.#isQuiet(parent, now)) return false;
    return true;
  }
}
