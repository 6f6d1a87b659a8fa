import { describe, expect, it } from 'vitest';
import { LATENCY_BOUNDS_SECONDS, OperationStats } from '../../src/fuse/operation-stats.js';
import { opcodeOf } from '../../src/fuse/protocol/index.js';

const READ = opcodeOf('READ');

describe('OperationStats', () => {
  it('is seen by every object over the same memory', () => {
    const written = new OperationStats();
    written.note(READ, 0.5, false);
    written.noteRead(4096);
    written.noteWritten(5);
    const seen = new OperationStats(written.memory);
    expect(seen.figures().map(({ name, count }) => [name, count])).toEqual([['READ', 1]]);
    expect([seen.readBytes, seen.writtenBytes]).toEqual([4096, 5]);
  });

  it('puts a time that is a bound into the bucket of that bound, and what is longer into the next', () => {
    const stats = new OperationStats();
    for (const bound of LATENCY_BOUNDS_SECONDS) stats.note(READ, bound, false);
    stats.note(READ, 0, false);
    stats.note(READ, LATENCY_BOUNDS_SECONDS.at(-1)! * 2, true);
    const [read] = stats.figures();
    expect(read!.buckets).toEqual([2, ...Array(LATENCY_BOUNDS_SECONDS.length - 1).fill(1), 1]);
    expect([read!.count, read!.errors]).toEqual([LATENCY_BOUNDS_SECONDS.length + 2, 1]);
  });

  it('has the rows of kinds that came, in the order of the protocol, and none for what it does not know', () => {
    const stats = new OperationStats();
    stats.note(opcodeOf('WRITE'), 0.001, false);
    stats.note(opcodeOf('LOOKUP'), 0.002, false);
    stats.note(999, 1, false);
    expect(stats.figures().map(({ name, seconds }) => [name, seconds])).toEqual([
      ['LOOKUP', 0.002],
      ['WRITE', 0.001],
    ]);
  });
});
