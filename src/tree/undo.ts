import { DaxError } from '../libc/index.js';
import type { DaxTree } from './dax-tree.js';

/**
 * Undoes a change of several steps. Each completed step adds its undo. When a later step fails, all undos run, last first. The
 * error says what failed, and whether an undo failed too.
 */
export class Undo {
  readonly #steps: { what: string; undo: () => void }[] = [];

  /** Adds the undo of a step. @param what the state that it restores: `memory online` */
  add(what: string, undo: () => void): void {
    this.#steps.push({ what, undo });
  }

  /**
   * Runs a change; when it fails, undoes its steps.
   * @param describeNow describes the state that is left when an undo fails
   * @throws Error the error of `change`; its message also says how the undo went
   */
  static run<T>(tree: DaxTree, name: string, describeNow: () => string, change: (undo: Undo) => T): T {
    const undo = new Undo();
    try {
      return change(undo);
    } catch (error) {
      // Nothing is undone after an error that is no DaxError (a bug), or with the quirk of upstream's helpers (kernel-dax.md 21).
      if (!(error instanceof DaxError) || tree.quirks?.has('mode-not-restored')) throw error;
      throw undo.#goBack(name, describeNow, error);
    }
  }

  #goBack(name: string, describeNow: () => string, error: DaxError): DaxError {
    const details = { path: error.path ?? name, cause: error };
    for (const { what, undo } of this.#steps.reverse()) {
      try {
        undo();
      } catch (failure) {
        if (!(failure instanceof DaxError)) throw failure;
        return new DaxError(
          error.code,
          `${error.message}; going back failed as well, at "${what}": ${failure.message} (${failure.code}); ${describeNow()}`,
          details,
        );
      }
    }
    // Without a completed step there is nothing to undo, and nothing to add to the error.
    if (this.#steps.length === 0) return error;
    return new DaxError(error.code, `${error.message}; ${name} is as it was before`, details);
  }
}
