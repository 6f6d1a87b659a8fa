import { mountFamfs, type Volume } from '../../src/index.js';
import { atMost, type Row, settled, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const MIB = 2 ** 20;

/** C1: append with a 1 GiB log; C2: replay of 490,000 entries and its heap. */
export async function famfsAtScale(): Promise<Row[]> {
  return [await appendToGigabyteLog(), ...(await replayOf490000())];
}

function appendToGigabyteLog(): Promise<Row> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'log-1g', { size: '64GiB', sparse: true, logLength: 1024 * MIB });
    const micros: number[] = [];
    for (let round = -2; round < 15; round++) {
      const append = () => {
        for (let i = 0; i < 400; i++) pool.volume.mkdir(`/d-${round}-${i}`);
      };
      const each = (timeMs(append) / 400) * 1000;
      if (round >= 0) micros.push(each);
    }
    pool.close();
    return {
      id: 'C1',
      name: 'append of one entry (mkdir), 1 GiB log',
      ...atMost(settled(micros), 20),
      unit: 'us',
      reference: 'C famfs flushes the whole log at each append',
      backing,
    };
  });
}

function replayOf490000(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'huge', { size: '2TiB', sparse: true, logLength: 256 * MIB });
    for (let d = 0; d < 490; d++) {
      pool.volume.mkdir(`/d${d}`);
      createFiles(pool.volume, `d${d}/f`, 999);
    }
    pool.volume.close();
    const collect = globalThis.gc ?? (() => {});
    const times: number[] = [];
    const heaps: number[] = [];
    for (let round = 0; round < 5; round++) {
      collect();
      const before = process.memoryUsage();
      let volume: Volume | undefined;
      times.push(timeMs(() => (volume = mountFamfs(pool.machine.device(pool.device)))));
      collect();
      const after = process.memoryUsage();
      // Mapped views count as external, not as heap or array buffers. The first round grows; later ones may reuse memory that was
      // not collected yet. So the largest value counts.
      heaps.push(after.heapUsed - before.heapUsed + after.arrayBuffers - before.arrayBuffers);
      const { files, directories } = volume!.statfs();
      if (files + directories !== 490_000)
        throw new Error(`${files + directories} entries instead of 490,000`);
      volume!.close();
    }
    pool.close();
    const reference = 'a 256 MiB log, nearly full';
    return [
      {
        id: 'C2',
        name: 'mount of 490,000 entries',
        ...atMost(settled(times, 0.001), 1.5),
        unit: 's',
        reference,
        backing,
      },
      {
        id: 'C2',
        name: 'heap a file of a mounted volume',
        ...atMost(Math.max(...heaps) / 490_000, 300),
        unit: 'B',
        reference,
        backing,
      },
    ];
  });
}

function createFiles(volume: Volume, prefix: string, count: number): void {
  for (let i = 0; i < count; i++) volume.create(`/${prefix}-${i}`, { size: 4096, zero: false }).close();
}
