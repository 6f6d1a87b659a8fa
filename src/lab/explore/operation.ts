/** One kind of event: a row of the operation tables. */
import type { OperationGroup } from './scope.js';
import type { World } from './world.js';

export interface Operation {
  /** First word of the event. */
  readonly name: string;
  /** Words that follow, for messages: "DRIVER DEVICE". */
  readonly words: string;
  readonly group: OperationGroup;
  /** Arguments of every event of this kind that may happen now. Those that must fail are wanted too (I12). */
  offers(world: World): readonly (readonly string[])[];
  /** Does it. Throws what the model throws. */
  apply(world: World, words: readonly string[]): void;
}

/** An event of a trace. One object per text within a search. */
export interface ExploreEvent {
  readonly id: number;
  readonly text: string;
  readonly operation: Operation;
  readonly words: readonly string[];
}

/** All pairs. */
export function pairs(first: Iterable<string>, second: readonly string[]): (readonly [string, string])[] {
  return [...first].flatMap((one) => second.map((other) => [one, other] as const));
}
