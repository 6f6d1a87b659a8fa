import { mountFamfs, openMachine } from '../../src/index.js';
import { atMost, median, type Row, significant, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const COUNTS = [10_000, 100_000, 1_000_000] as const;
/** Two units of 2 MiB for each of the files, and the log. */
const SIZE = '16TiB';
const LOG_BYTES = 2 ** 30;
const MEASURED = 5000;

/** S: how the cost of one more file, and that of a mount, grow to a million files on 16 TiB (sparse). */
export function scale(): Promise<Row[]> {
  return withBenchDirectory((directory, backing) => {
    const pool = makePool(directory, 'scale', { size: SIZE, sparse: true, logLength: LOG_BYTES });
    const creations: number[] = [];
    const mounts: number[] = [];
    let made = 0;
    for (const count of COUNTS) {
      let last = 0;
      for (; made < count; made += MEASURED)
        last = timeMs(() => {
          if (made % 50_000 === 0) pool.volume.mkdir(`/d${made}`);
          for (let i = made; i < made + MEASURED; i++)
            pool.volume
              .create(`/d${Math.floor(made / 50_000) * 50_000}/f${i}`, { size: 4096, zero: false })
              .close();
        });
      creations.push((last / MEASURED) * 1000);
      const other = openMachine(pool.root);
      const device = other.device(pool.device);
      mounts.push(
        median(Array.from({ length: 5 }, () => timeMs(() => mountFamfs(device, { readOnly: true }).close()))),
      );
      other.close();
    }
    pool.close();
    const atEach = (values: readonly number[], unit: string) =>
      COUNTS.map((count, i) => `${count.toLocaleString('en')}: ${significant(values[i]!)} ${unit}`).join(
        ', ',
      );
    const perFile = mounts.map((ms, i) => (ms * 1000) / COUNTS[i]!);
    const common = { id: 'S', unit: 'x', backing };
    return Promise.resolve([
      {
        ...common,
        name: 'creation of the millionth file, as a multiple of that of the ten-thousandth',
        ...atMost(creations[2]! / creations[0]!, 1.5),
        reference: `${atEach(creations, 'us')}; on ${SIZE}, sparse`,
      },
      {
        ...common,
        name: 'mount with a million files, a file, as a multiple of that with ten thousand',
        ...atMost(perFile[2]! / perFile[0]!, 1.5),
        reference: `${atEach(mounts, 'ms')}; on ${SIZE}, sparse`,
      },
    ]);
  });
}
