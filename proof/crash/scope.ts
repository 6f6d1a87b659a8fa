import type { ProofDevice } from '../media/device.js';
import type { MemoryKind } from '../media/traced-backing.js';
import type { Trace, TraceEvent } from '../media/tracer.js';

/** What a scope works on. */
export interface Bench {
  readonly device: ProofDevice;
  /** The same device as the other host sees it. */
  readonly other: ProofDevice;
  /** Number of the volume to begin with. */
  readonly variant: number;
  /** How many memories were replayed before this one. */
  readonly turn: number;
  /** Marks the end of an operation: from here on a crash must not lose its result. */
  mark(): void;
}

export type FailureModel = 'kill' | 'power';

/** One operation whose crashes are explored. */
export interface Scope {
  readonly name: string;
  /** What the operation does, for the table. */
  readonly about: string;
  readonly memories: readonly MemoryKind[];
  /** Makes the state before the operation. Not traced. */
  prepare(bench: Bench): void | Promise<void>;
  /** The operation, traced. */
  act(bench: Bench): void | Promise<void>;
  /**
   * Returns the state as text: equal texts are equal states. Throws when a state is invalid.
   * After a crash the state must be the one before the operation or the one after it (or one between two marks), and no other.
   */
  read(bench: Bench): string;
  /** Matches the texts of other states that are documented after a crash. */
  readonly alsoAllowed?: RegExp;
  /** Continues with a new writer. Throws when that fails. @param text the result of read() */
  goOn(bench: Bench, text: string): void;
  /** Wrong orders, which a run must find. */
  readonly mutants: readonly Mutant[];
}

/** A wrong order of an operation. It is made from the events of the right one, never from its source. */
export interface Mutant {
  readonly name: string;
  readonly about: string;
  /** The kind of memory on which it must be found. */
  readonly memory: MemoryKind;
  change(events: readonly TraceEvent[]): TraceEvent[];
}

export interface Finding {
  /** The two acts between which the crash came. */
  where: string;
  model: FailureModel;
  state: string;
  /** Which lines had reached memory, and which had not. */
  lines: string;
  said: string;
}

export type { Trace, TraceEvent };
