import { atMost, quotient, type Row, settled, significant, timeMs, withBenchDirectory } from '../harness.js';
import { makePool, type Pool } from '../pool.js';

const PER_ROUND = 400;
const ROUNDS = 15;

/** P4: the cost of one published entry with a small and a large log. It must not depend on the log's length. */
export function append(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const small = makePool(directory, 'log-8m', { size: '64GiB', sparse: true, logLength: 8 * 2 ** 20 });
    const large = makePool(directory, 'log-256m', { size: '64GiB', sparse: true, logLength: 256 * 2 ** 20 });
    const micros: Record<'small' | 'large', number[]> = { small: [], large: [] };
    for (let round = -2; round < ROUNDS; round++) {
      for (const [name, pool] of [
        ['small', small],
        ['large', large],
      ] as const) {
        const each = (timeMs(() => createFiles(pool, round + 2)) / PER_ROUND) * 1000;
        if (round >= 0) micros[name].push(each);
      }
    }
    small.close();
    large.close();
    const cost = { small: settled(micros.small), large: settled(micros.large) };
    const reference = `C famfs (whole-log flush, recorded elsewhere): 16,000 us at 8 MiB, 312,000 us at 256 MiB; here ${significant(cost.small.value)} and ${significant(cost.large.value)} us`;
    return [
      {
        id: 'P4',
        name: 'create of one file, 8 MiB log',
        ...atMost(cost.small, 10),
        unit: 'us',
        reference,
        backing,
      },
      {
        id: 'P4',
        name: 'create of one file, 256 MiB log',
        ...atMost(cost.large, 10),
        unit: 'us',
        reference,
        backing,
      },
      {
        id: 'P4',
        name: 'large log vs small log (flat is 1)',
        ...atMost(quotient(cost.large, cost.small), 1.25),
        unit: 'x',
        reference,
        backing,
      },
    ];
  });
}

function createFiles(pool: Pool, round: number): void {
  for (let i = 0; i < PER_ROUND; i++) {
    pool.volume.create(`/f-${round}-${i}`, { size: 4096, zero: false }).close();
  }
}
