/** One kind of event: a row of the operation tables. */
import { DaxError } from '../../libc/index.js';
import type { OperationGroup } from './scope.js';
import type { World } from './world.js';

export interface Operation {
  /** First word of the event. */
  readonly name: string;
  /** The words that follow, for messages: "DRIVER DEVICE". */
  readonly words: string;
  readonly group: OperationGroup;
  /** Arguments of every event of this kind that is possible now. Events that must fail are included (I12). */
  offers(world: World): readonly (readonly string[])[];
  /** Runs the event. Throws what the model throws. */
  apply(world: World, words: readonly string[]): void;
}

/** An event of a trace. A search has one object for each text. */
export interface ExploreEvent {
  readonly id: number;
  readonly text: string;
  readonly operation: Operation;
  readonly words: readonly string[];
}

/**
 * Runs one event. An error without an errno is recorded as a violation.
 * @returns the errno it failed with; null when it succeeded
 */
export function applyEvent(world: World, { operation, words, text }: ExploreEvent): string | null {
  try {
    operation.apply(world, words);
    return null;
  } catch (error) {
    if (error instanceof DaxError) return error.code;
    world.violated('crash', `${text}: ${error instanceof Error ? error.message : String(error)}`);
    return 'EFAULT';
  }
}

/** All pairs of the two lists. */
export function pairs(first: Iterable<string>, second: readonly string[]): (readonly [string, string])[] {
  return [...first].flatMap((one) => second.map((other) => [one, other] as const));
}
