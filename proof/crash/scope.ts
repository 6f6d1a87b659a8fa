import type { ProofDevice } from '../media/device.js';
import type { MemoryKind } from '../media/traced-backing.js';
import type { Trace, TraceEvent } from '../media/tracer.js';

/** What a scope does its work with. */
export interface Bench {
  readonly device: ProofDevice;
  /** The same device, seen by the other host. */
  readonly other: ProofDevice;
  /** Which of the volumes to begin with. */
  readonly variant: number;
  /** How many memories were replayed before this one. */
  readonly turn: number;
  /** Tells that what was asked for is done: from here on a crash may not lose it. */
  mark(): void;
}

export type FailureModel = 'kill' | 'power';

/** One operation whose crashes are explored. */
export interface Scope {
  readonly name: string;
  /** What it does, for the table. */
  readonly about: string;
  readonly memories: readonly MemoryKind[];
  /** Makes what is there before. Not traced. */
  prepare(bench: Bench): void | Promise<void>;
  /** The operation, traced. */
  act(bench: Bench): void | Promise<void>;
  /**
   * What is there, as text: equal texts are equal states. What must not be there at all is thrown.
   * After a crash it must be what was there before the operation, or after it (or between two marks), and nothing else.
   */
  read(bench: Bench): string;
  /** What else is documented to be there after a crash, by its text. */
  readonly alsoAllowed?: RegExp;
  /** A new writer goes on from here; throws when it cannot. @param text what read() said */
  goOn(bench: Bench, text: string): void;
  /** Orders that are wrong, which a run must find. */
  readonly mutants: readonly Mutant[];
}

/** A wrong order of an operation: made from the right one's events, never from its source. */
export interface Mutant {
  readonly name: string;
  readonly about: string;
  /** Where it must be found. */
  readonly memory: MemoryKind;
  change(events: readonly TraceEvent[]): TraceEvent[];
}

export interface Finding {
  /** Between which two acts. */
  where: string;
  model: FailureModel;
  state: string;
  /** What of it had reached memory, and what had not. */
  lines: string;
  said: string;
}

export type { Trace, TraceEvent };
