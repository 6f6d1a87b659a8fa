import { execFileSync } from 'node:child_process';
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { addressOf, memcpy } from '../../src/libc/index.js';
import {
  atLeast,
  gigabytesPerSecond,
  interleave,
  type Row,
  timeMs,
  timeMsAsync,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 512 * 2 ** 20;

/** P3: copyIn (source in the page cache, target touched before) against C memcpy and `cp` to tmpfs. */
export function copyIn(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'copy-in', { size: '1200MiB' });
    const source = join(tmpdir(), `udax-bench-source-${process.pid}`);
    writeFileSync(source, new Uint8Array(BYTES).fill(3));
    const written = openSync(source, 'r+');
    fsyncSync(written);
    closeSync(written);
    const inCache = readFileSync(source);
    const target = pool.volume.create('/memcpy-target', { size: BYTES });
    const targetBytes = target.map({ writable: true });
    const cpTarget = join(directory, 'cp-target');
    const fromAddress = addressOf(inCache);
    const toAddress = addressOf(targetBytes);
    const ms = await interleave(7, {
      memcpy: () => timeMs(() => memcpy(toAddress, fromAddress, BYTES)),
      cp: () => timeMs(() => execFileSync('cp', [source, cpTarget])),
      // The first (warm-up) round creates the file; the others overwrite it in place.
      udax: () => timeMsAsync(() => pool.volume.copyIn(source, '/copy-target')),
    });
    if (statSync(cpTarget).size !== BYTES) throw new Error('cp did not copy');
    rmSync(source);
    pool.close();
    const speeds = `memcpy ${gigabytesPerSecond(BYTES, ms.memcpy!)}, cp ${gigabytesPerSecond(BYTES, ms.cp!)}, udax ${gigabytesPerSecond(BYTES, ms.udax!)} GB/s`;
    return [
      {
        id: 'P3',
        name: 'copyIn of 512 MiB, speed vs C memcpy',
        ...atLeast(ms.memcpy! / ms.udax!, 0.7),
        unit: 'x',
        reference: speeds,
        backing,
      },
      {
        id: 'P3',
        name: 'copyIn of 512 MiB, speed vs cp to tmpfs',
        ...atLeast(ms.cp! / ms.udax!, 1),
        unit: 'x',
        reference: speeds,
        backing,
      },
    ];
  });
}
