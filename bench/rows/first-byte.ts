import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { atLeast, interleave, type Row, significant, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 2 ** 30;

/** P2: open + map + first byte of a 1 GiB file on a mounted volume against readFileSync of the same size. */
export function firstByte(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'first-byte', { size: '1200MiB' });
    const file = pool.volume.create('/model.bin', { size: BYTES });
    file.map({ writable: true }).fill(7);
    file.close();
    const plain = join(directory, 'plain.bin');
    writeFileSync(plain, new Uint8Array(BYTES).fill(7));
    let kept = 0;
    const ms = await interleave(5, {
      readFileSync: () => timeMs(() => (kept += readFileSync(plain)[0]!)),
      udax: async () => {
        // Freeing the gigabyte of the previous round (also in the background) must not count in this one.
        globalThis.gc?.();
        await setTimeout(100);
        return timeMs(() => {
          const opened = pool.volume.open('/model.bin');
          kept += opened.map()[0]!;
          opened.close();
        });
      },
    });
    if (kept !== 12 * 7) throw new Error('a first byte was wrong');
    rmSync(plain);
    pool.close();
    return [
      {
        id: 'P2',
        name: 'open + map + first byte of 1 GiB, speed vs readFileSync',
        ...atLeast(ms.ratio('readFileSync', 'udax'), 100),
        unit: 'x',
        reference: `readFileSync ${significant(ms.ms('readFileSync'))} ms, udax ${significant(ms.ms('udax'))} ms`,
        backing,
      },
    ];
  });
}
