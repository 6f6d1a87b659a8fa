import { atLeast, gigabytesPerSecond, interleave, type Row, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 256 * 2 ** 20;

/** P1: a numeric scan of a mapped file against the same scan of a heap array. */
export function scan(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'scan', { size: '512MiB' });
    const file = pool.volume.create('/numbers.f64', { size: BYTES });
    const writable = file.mapAs(Float64Array, { writable: true });
    const heap = new Float64Array(BYTES / 8);
    for (let i = 0; i < heap.length; i++) heap[i] = i % 1000;
    writable.set(heap);
    const mapped = pool.volume.open('/numbers.f64').mapAs(Float64Array);
    const expected = sum(heap);
    if (sum(mapped) !== expected) throw new Error('the mapped file does not hold what was written');
    const ms = await interleave(31, {
      heap: () => timeMs(() => void sum(heap)),
      mapped: () => timeMs(() => void sum(mapped)),
    });
    pool.close();
    return [
      {
        id: 'P1',
        name: 'scan of a mapped file, speed vs heap array',
        ...atLeast(ms.ratio('heap', 'mapped'), 0.98),
        unit: 'x',
        reference: `heap ${gigabytesPerSecond(BYTES, ms.ms('heap'))} GB/s, mapped ${gigabytesPerSecond(BYTES, ms.ms('mapped'))} GB/s`,
        backing,
      },
    ];
  });
}

function sum(values: Float64Array): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
