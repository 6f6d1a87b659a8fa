import fs from 'node:fs';

/** What is left of a handle that nobody closed. */
interface Left {
  /** For the report. */
  readonly what: string;
  readonly release: () => void;
}

/**
 * A handle that is collected without close() must not keep descriptors, locks and files until the process ends (decision 5).
 * This is a backstop: the collector comes when it likes. Keeps nothing alive, so it is no state that two machines could meet in.
 */
const collected = new FinalizationRegistry<Left>(({ what, release }) => {
  try {
    release();
  } catch (error) {
    process.emitWarning(`${what}: ${(error as Error).message}`, { code: 'UDAX_LEAK' });
  }
  if (process.env.UDAX_DEBUG) {
    process.emitWarning(`${what}: dropped without close(), the garbage collector ended it`, {
      code: 'UDAX_LEAK',
    });
  }
});

/**
 * Has `release` called when `handle` is collected before whenClosed().
 * @param release must not reach the handle: make it in a function that does not see it (as closing() is)
 */
export function whenCollected(handle: object, what: string, release: () => void): void {
  collected.register(handle, { what, release }, handle);
}

/** The handle was closed: there is nothing left to release. */
export function whenClosed(handle: object): void {
  collected.unregister(handle);
}

/** Closes a descriptor; before that removes the file that stands for it, if there is one. */
export function closing(fd: number, file?: string): () => void {
  return () => {
    if (file !== undefined) fs.rmSync(file, { force: true });
    fs.closeSync(fd);
  };
}
