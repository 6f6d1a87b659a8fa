import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atLeast, atMost, median, type Row, significant, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 2 ** 30;
const child = fileURLToPath(new URL('../children/map-and-wait.js', import.meta.url));

/** P8: eight processes on one 1 GiB file: the memory of all mappings together, and the time of each to its first byte. */
export function eightProcesses(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'eight', { size: '1200MiB' });
    const file = pool.volume.create('/model.bin', { size: BYTES });
    file.map({ writable: true }).fill(7);
    file.close();
    const plain = join(directory, 'plain.bin');
    writeFileSync(plain, new Uint8Array(BYTES).fill(7));
    const readMs = median([1, 2, 3].map(() => timeMs(() => void readFileSync(plain))));

    const children: ChildProcess[] = [];
    const firstByteMs: number[] = [];
    const mountMs: number[] = [];
    for (let i = 0; i < 8; i++) {
      const started = fork(child, [pool.root, pool.device, '/model.bin'], { stdio: 'inherit' });
      const [message] = (await once(started, 'message')) as [{ firstByteMs: number; mountMs: number }];
      firstByteMs.push(message.firstByteMs);
      mountMs.push(message.mountMs);
      children.push(started);
    }
    // All eight processes are alive and have read every page, so each page is shared by eight.
    pool.volume.close();
    pool.machine.close();
    let pssBytes = 0;
    for (const started of children) {
      const answer = once(started, 'message') as Promise<[{ pssBytes: number }]>;
      started.send('measure');
      pssBytes += (await answer)[0].pssBytes;
    }
    for (const started of children) {
      const ended = once(started, 'exit');
      started.send('end');
      await ended;
    }
    const startMs = median(firstByteMs);
    return [
      {
        id: 'P8',
        name: 'eight processes on 1 GiB: PSS of all mappings',
        ...atMost(pssBytes / 2 ** 30, 1.02),
        unit: 'GiB',
        reference: 'eight plain copies: 8 GiB',
        backing,
      },
      {
        id: 'P8',
        name: 'open + map + first byte in each fresh process, speed vs reading 1 GiB',
        ...atLeast(readMs / startMs, 100),
        unit: 'x',
        reference: `readFileSync ${significant(readMs)} ms, udax ${significant(startMs)} ms; before it, once a process, openMachine + mount ${significant(median(mountMs))} ms`,
        backing,
      },
    ];
  });
}
