import { operations } from './protocol/index.js';
import type { OperationFigures } from './session-types.js';

/** Upper bounds of the latency histogram, seconds. What takes longer is counted behind the last. */
export const LATENCY_BOUNDS_SECONDS = [
  0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1, 1,
] as const;

const ERRORS = 0;
const SECONDS = 1;
const BUCKETS = 2;
const ROW = BUCKETS + LATENCY_BOUNDS_SECONDS.length + 1;
const READ_BYTES = operations.length * ROW;
const WRITTEN_BYTES = READ_BYTES + 1;
const WORDS = WRITTEN_BYTES + 1;

const rowOf: (number | undefined)[] = [];
operations.forEach(({ opcode }, index) => {
  rowOf[opcode] = index * ROW;
});

/**
 * Counts and latencies of a session's requests, in memory that two threads share: the worker that serves adds to it, the main thread
 * reads. One thread writes, with plain stores of numbers, so a reader may see a request counted whose time is not added yet.
 */
export class OperationStats {
  readonly #words: Float64Array;

  constructor(readonly memory = new SharedArrayBuffer(WORDS * Float64Array.BYTES_PER_ELEMENT)) {
    this.#words = new Float64Array(memory);
  }

  /** Adds a request. Opcodes that the protocol table does not have are left out. */
  note(opcode: number, seconds: number, isError: boolean): void {
    const row = rowOf[opcode];
    if (row === undefined) return;
    const words = this.#words;
    if (isError) words[row + ERRORS]!++;
    words[row + SECONDS]! += seconds;
    let bucket = 0;
    while (seconds > LATENCY_BOUNDS_SECONDS[bucket]!) bucket++;
    words[row + BUCKETS + bucket]!++;
  }

  noteRead(bytes: number): void {
    this.#words[READ_BYTES]! += bytes;
  }

  noteWritten(bytes: number): void {
    this.#words[WRITTEN_BYTES]! += bytes;
  }

  get readBytes(): number {
    return this.#words[READ_BYTES]!;
  }

  get writtenBytes(): number {
    return this.#words[WRITTEN_BYTES]!;
  }

  /** The kinds of requests that came, in the order of their opcodes. */
  figures(): OperationFigures[] {
    return operations.flatMap(({ name }, index) => {
      const row = [...this.#words.subarray(index * ROW, (index + 1) * ROW)];
      const buckets = row.slice(BUCKETS);
      const count = buckets.reduce((sum, some) => sum + some, 0);
      return count === 0 ? [] : [{ name, count, errors: row[ERRORS]!, seconds: row[SECONDS]!, buckets }];
    });
  }
}
