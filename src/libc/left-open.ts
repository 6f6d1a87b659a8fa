import fs from 'node:fs';

/** What must be released when a handle is collected without close(). */
interface Left {
  /** Names the handle in warnings. */
  readonly what: string;
  readonly release: () => void;
}

/**
 * Releases what a handle held when it is collected without close(): descriptors, locks and files must not stay until the
 * process ends (decision 5). This is only a backstop: nobody knows when the garbage collector runs. The registry keeps no
 * handle alive, so two machines share no state through it.
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
 * Has `release` called when `handle` is garbage collected before whenClosed() was called.
 * @param release must not reference the handle: make it in a function without access to the handle, such as closing()
 */
export function whenCollected(handle: object, what: string, release: () => void): void {
  collected.register(handle, { what, release }, handle);
}

/** Forgets a handle that was closed: there is nothing left to release. */
export function whenClosed(handle: object): void {
  collected.unregister(handle);
}

/** A release function that removes `file`, if given, and then closes the descriptor. */
export function closing(fd: number, file?: string): () => void {
  return () => {
    if (file !== undefined) fs.rmSync(file, { force: true });
    fs.closeSync(fd);
  };
}
