import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  answerOf,
  atLeast,
  interleave,
  type Row,
  scaled,
  significant,
  timeMs,
  timeMsAsync,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const PROCESSES = 4;
const EACH = 2000;
const child = fileURLToPath(new URL('../children/creator.js', import.meta.url));

/**
 * P4: four processes create files of one volume at once, against one that creates as many as each of them. The log has one lock, and each
 * process applies what the others create before it creates the next: so together they cannot be faster than one file's creation and its
 * application by the others, one after another.
 */
export function creators(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'creators', { size: '512GiB', sparse: true, logLength: 64 * 2 ** 20 });
    const started = Array.from({ length: PROCESSES }, () =>
      fork(child, [pool.root, pool.device], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
    );
    try {
      await Promise.all(started.map(answerOf));
      let round = 0;
      const create = (processes: ChildProcess[]) =>
        timeMsAsync(async () => {
          const now = round++;
          await Promise.all(
            processes.map((process, i) => {
              const done = answerOf(process);
              process.send({ prefix: `f-${now}-${i}`, count: EACH });
              return done;
            }),
          );
        });
      const variants = {
        one: () => create(started.slice(0, 1)),
        apply: () => timeMs(() => void pool.volume.refresh()),
        all: async () => {
          const taken = await create(started);
          pool.volume.refresh();
          return taken;
        },
      };
      const ms = await interleave(9, variants, 'fixed');
      const [one, apply, all] = [ms.ms('one'), ms.ms('apply'), ms.ms('all')];
      const oneLock = one / (one + (PROCESSES - 1) * apply);
      const each = (milliseconds: number, count: number) =>
        `${significant((milliseconds * 1000) / count)} us`;
      return [
        {
          id: 'P4',
          name: `creates by ${PROCESSES} processes at once, as a multiple of those of one`,
          ...atLeast(scaled(ms.ratio('one', 'all'), PROCESSES), significant(Math.min(2, 0.75 * oneLock))),
          unit: 'x',
          reference:
            `one: ${each(one, EACH)} a file, ${PROCESSES} at once: ${each(all, PROCESSES * EACH)}; one lock allows ${significant(oneLock)} x: ` +
            `each applies the files of the others, ${each(apply, EACH)} (goal: 2 x, or 0.75 of that)`,
          backing,
        },
      ];
    } finally {
      for (const process of started) if (process.connected) process.disconnect();
      const running = started.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
      await Promise.all(running.map((process) => once(process, 'exit')));
      pool.close();
    }
  });
}
