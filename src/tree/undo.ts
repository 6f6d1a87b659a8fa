import { DaxError } from '../libc/index.js';
import type { DaxTree } from './dax-tree.js';

/**
 * The way back of a change that has several steps: each step done says how to undo it. When a later one fails, all are undone,
 * last first, and the error says what failed and, if the way back failed too, that.
 */
export class Undo {
  readonly #steps: { what: string; undo: () => void }[] = [];

  /** @param what the state that is given back: `memory online` */
  add(what: string, undo: () => void): void {
    this.#steps.push({ what, undo });
  }

  /**
   * Runs a change whole or not at all.
   * @param describeNow what to say of the state that is left when the way back fails
   * @throws Error that of `change`, its message extended by how the way back went
   */
  static run<T>(tree: DaxTree, name: string, describeNow: () => string, change: (undo: Undo) => T): T {
    const undo = new Undo();
    try {
      return change(undo);
    } catch (error) {
      // What upstream's helpers do (kernel-dax.md 21): the device is left as the failure found it.
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
    // Before the first step is done there is nothing to go back from: the error is the whole story.
    if (this.#steps.length === 0) return error;
    return new DaxError(error.code, `${error.message}; ${name} is as it was before`, details);
  }
}
