import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { mountFamfs, openMachine } from '../../src/index.js';
import { atMost, interleave, type Row, significant, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

/** Path from build/bench/rows, where the compiled benchmark runs. */
const binary = resolve(import.meta.dirname, '../../../bin/udax.js');

/** P5: how long a command takes to start, beside node itself; and a volume in a process that runs already. */
export function start(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'start', { size: '64MiB' });
    for (let i = 0; i < 10; i++) pool.volume.create(`/f-${i}`, { size: 100 }).close();
    pool.volume.close();
    pool.machine.close();
    const ls = ['--root', pool.root, 'ls', `${pool.device}:/`];
    const ms = await interleave(15, {
      node: () => timeMs(() => run('-e', '0')),
      version: () => timeMs(() => run(binary, '--version')),
      ls: () => timeMs(() => run(binary, ...ls)),
      open: () =>
        timeMs(() => {
          const machine = openMachine(pool.root);
          mountFamfs(machine.device(pool.device)).close();
          machine.close();
        }),
    });
    const reference = `node -e 0: ${significant(ms.ms('node'))} ms`;
    const times = (name: string, own: 'version' | 'ls', goal: number): Row => ({
      ...{ id: 'P5', name: `${name}, as a multiple of node -e 0`, ...atMost(ms.ratio(own, 'node'), goal) },
      ...{ unit: 'x', reference: `${reference}; ${significant(ms.ms(own))} ms`, backing },
    });
    return [
      times('udax --version', 'version', 1.3),
      times('udax ls of a directory', 'ls', 2.5),
      {
        ...{ id: 'P5', name: 'openMachine + mountFamfs + close, warm', ...atMost(ms.settled('open'), 10) },
        ...{ unit: 'ms', reference: '10 files', backing },
      },
    ];
  });
}

function run(...words: string[]): void {
  const { status, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${words.join(' ')}: exit ${status} ${stderr}`);
}
