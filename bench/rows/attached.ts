import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { mountFamfs, openMachine } from '../../src/index.js';
import {
  atMost,
  interleave,
  type Rounds,
  type Row,
  significant,
  timeMs,
  withBenchDirectory,
} from '../harness.js';
import { makePool, type Pool } from '../pool.js';

const PROCESSES = 1000;
const EACH = 400;
/** Of milliseconds for one turn below. */
const UNITS = { create: ['us', 1000 / EACH], open: ['us', 1000], mount: ['ms', 1] } as const;
/** Path from build/bench/rows, where the compiled benchmark runs. */
const checkout = resolve(import.meta.dirname, '../../..');

/** S: what a volume costs with a thousand processes attached to it, each with the file mapped, against none. */
export async function attached(): Promise<Row[]> {
  if (spawnSync('python3', ['--version']).status !== 0) {
    process.stderr.write('bench: processes attached are skipped: they need python3\n');
    return [];
  }
  return await withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'attached', { size: '64GiB', sparse: true });
    pool.volume.create('/shared', { size: 2 ** 21 }).close();
    const without = await costs(pool, 'alone');
    const python = spawn(
      'python3',
      [
        ...[resolve(checkout, 'bench/children/attach.py'), resolve(checkout, 'clients/python/src')],
        ...[pool.root, '/shared', String(PROCESSES)],
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      const [ready] = await Promise.race([once(python.stdout, 'data'), once(python, 'exit')]);
      if (!Buffer.isBuffer(ready)) throw new Error(`attach.py ended: exit ${ready}`);
      const { holders, ms: naming } = namedHolders(pool);
      const many = await costs(pool, 'many');
      const row = (name: string, key: keyof typeof UNITS, most: number): Row => {
        const [unit, factor] = UNITS[key];
        const all = many.settled(key, factor);
        return {
          ...{ id: 'S', name: `${name} with ${PROCESSES} processes attached`, ...atMost(all, most), unit },
          ...{ reference: `${significant(without.ms(key) * factor)} ${unit} with none`, backing },
        };
      };
      return [
        row('creation of a file', 'create', 200),
        row('open, map and first byte', 'open', 1000),
        row('mount', 'mount', 60),
        {
          ...{ id: 'S', name: `all ${holders} holders of a device named`, ...atMost(naming, 1000) },
          ...{ unit: 'ms', reference: 'the processes of this host, from /proc', backing },
        },
      ];
    } finally {
      python.stdin.end();
      if (python.exitCode === null && python.signalCode === null) await once(python, 'exit');
      pool.close();
    }
  });
}

function costs({ root, device, volume }: Pool, name: string): Promise<Rounds<keyof typeof UNITS>> {
  let round = 0;
  return interleave(9, {
    create: () =>
      timeMs(() => {
        const prefix = `/${name}-${round++}`;
        for (let i = 0; i < EACH; i++) volume.create(`${prefix}-${i}`, { size: 4096, zero: false }).close();
      }),
    open: () =>
      timeMs(() => {
        const file = volume.open('/shared');
        if (file.map()[0] !== 0) throw new Error('the first byte is wrong');
        file.close();
      }),
    mount: () =>
      timeMs(() => {
        const machine = openMachine(root);
        mountFamfs(machine.device(device)).close();
        machine.close();
      }),
  });
}

function namedHolders({ machine, device }: Pool): { holders: number; ms: number } {
  let holders = 0;
  const ms = timeMs(() => {
    holders = machine.holders(device).length;
  });
  if (holders < PROCESSES) throw new Error(`${holders} holders of ${PROCESSES} were named`);
  return { holders, ms };
}
