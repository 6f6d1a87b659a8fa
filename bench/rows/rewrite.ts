import { atMost, type Row, settled, significant, timeMsAsync, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const FILES = 10_000;
const ROUNDS = 5;

/** K3: removing every other file of a volume of 10,000: the new log, checked, packed, put in place and mounted. No data is copied. */
export function rewrite(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const milliseconds: number[] = [];
    for (let round = -1; round < ROUNDS; round++) {
      const pool = makePool(directory, `rewrite-${round}`, { size: '64GiB', sparse: true });
      for (let i = 0; i < FILES; i++) pool.volume.create(`/f-${i}`, { size: 4096, zero: false }).close();
      const remove = Array.from({ length: FILES / 2 }, (_, i) => `/f-${2 * i}`);
      const ms = await timeMsAsync(async () => void (await pool.volume.rewrite({ remove })));
      if (pool.volume.statfs().files !== FILES / 2) throw new Error('not all of them were removed');
      pool.close();
      if (round >= 0) milliseconds.push(ms);
    }
    const ms = settled(milliseconds);
    const reference = `C famfs has none of it; copying 5,000 files out and in is ${(FILES / 2) * 2} MiB through memory; here ${significant(ms.value)} ms`;
    return [
      { id: 'K3', name: 'remove 5,000 of 10,000 files', ...atMost(ms, 100), unit: 'ms', reference, backing },
    ];
  });
}
