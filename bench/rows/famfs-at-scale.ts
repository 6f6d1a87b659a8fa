import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mountFamfs, type Volume } from '../../src/index.js';
import {
  atLeast,
  atMost,
  interleave,
  type Row,
  settled,
  significant,
  timeMs,
  timeMsAsync,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const MIB = 2 ** 20;
/** Cost of one append in C famfs with an 8 MiB log (it flushes the whole log), measured elsewhere. */
const C_APPEND_MS = 16;

/** C1: append with a 1 GiB log; C2: replay of 490,000 entries and its heap; C3: cp -r of 5,000 small files. */
export async function famfsAtScale(): Promise<Row[]> {
  return [await appendToGigabyteLog(), ...(await replayOf490000()), ...(await copyOf5000())];
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
        ...atMost(settled(times) / 1000, 1.5),
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

function copyOf5000(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const tree = join(directory, 'tree');
    const files: string[] = [];
    for (let d = 0; d < 50; d++) {
      mkdirSync(join(tree, `d${d}`), { recursive: true });
      for (let f = 0; f < 100; f++) {
        files.push(`/d${d}/f${f}`);
        writeFileSync(join(tree, `d${d}`, `f${f}`), `file ${d} ${f}\n`.repeat(50));
      }
    }
    const pool = makePool(directory, 'copies', { size: '64GiB', sparse: true, logLength: 64 * MIB });
    let round = 0;
    const ms = await interleave(3, {
      udax: () =>
        timeMsAsync(async () => {
          const top = `/copy-${round++}`;
          pool.volume.mkdir(top);
          for (let d = 0; d < 50; d++) pool.volume.mkdir(`${top}/d${d}`);
          for (const path of files) await pool.volume.copyIn(join(tree, path), `${top}${path}`);
        }),
      cp: () => timeMs(() => void execFileSync('cp', ['-r', tree, join(directory, `cp-${round}`)])),
    });
    pool.close();
    return [
      {
        id: 'C3',
        name: 'copy of 5,000 small files, speed vs the appends of C famfs alone',
        ...atLeast((C_APPEND_MS * files.length) / ms.udax!, 5),
        unit: 'x',
        reference: `${C_APPEND_MS} ms an append: ${C_APPEND_MS * files.length} ms; udax ${significant(ms.udax!)} ms for all`,
        backing,
      },
      {
        id: 'C3',
        name: 'copy of a tree of 5,000 small files, speed vs cp -r to tmpfs',
        ...atLeast(ms.cp! / ms.udax!, 2),
        unit: 'x',
        reference: `cp -r ${significant(ms.cp!)} ms, udax ${significant(ms.udax!)} ms`,
        backing,
      },
    ];
  });
}

function createFiles(volume: Volume, prefix: string, count: number): void {
  for (let i = 0; i < count; i++) volume.create(`/${prefix}-${i}`, { size: 4096, zero: false }).close();
}
