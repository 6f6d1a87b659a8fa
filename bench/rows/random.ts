import { atLeast, interleave, type Row, significant, timeMs, withBenchDirectory } from '../harness.js';
import { heapInHugePages } from '../heap.js';
import { makePool } from '../pool.js';

const GIB = 2 ** 30;
/** One view is at most so long; together they are more than the processor's tables of huge pages reach. */
const VIEWS = 8;
const PER_VIEW = GIB / 8;
const READS = 2_000_000;

/** P1: reads of 8 bytes all over mapped files of 8 GiB, against arrays of V8's own memory in pages of the same size. */
export function randomReads(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'random', { size: `${VIEWS + 1}GiB` });
    const files = Array.from({ length: VIEWS }, (_, i) => pool.volume.create(`/numbers-${i}`, { size: GIB }));
    for (const file of files) file.mapAs(Float64Array, { writable: true }).fill(1);
    const mapped = files.map((file) => file.mapAs(Float64Array));
    const heap = Array.from({ length: VIEWS }, () => heapInHugePages(GIB).fill(1));
    const ms = await interleave(9, {
      heap: () => timeMs(() => mustBe(READS, sumOfRandom(heap))),
      mapped: () => timeMs(() => mustBe(READS, sumOfRandom(mapped))),
    });
    pool.close();
    const each = (milliseconds: number) => `${significant((milliseconds * 1e6) / READS)} ns`;
    return [
      {
        id: 'P1',
        name: `random reads of 8 bytes over ${VIEWS} GiB, speed vs heap arrays`,
        ...atLeast(ms.ratio('heap', 'mapped'), 0.95),
        unit: 'x',
        reference: `a read from the heap ${each(ms.ms('heap'))}, mapped ${each(ms.ms('mapped'))}; all in huge pages where the kernel has any`,
        backing,
      },
    ];
  });
}

function mustBe(wanted: number, found: number): void {
  if (found !== wanted) throw new Error(`the reads give ${found}, not ${wanted}`);
}

function sumOfRandom(views: readonly Float64Array[]): number {
  let state = 0x9e3779b9 | 0;
  let sum = 0;
  for (let i = 0; i < READS; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    sum += views[state & (VIEWS - 1)]![(state >>> 3) & (PER_VIEW - 1)]!;
  }
  return sum;
}
