import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { freemem, tmpdir } from 'node:os';
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

const MIB = 2 ** 20;
const BYTES = 512 * MIB;
const LARGE_BYTES = 8 * 2 ** 30;
/** A source, and a target of the same size. */
const LARGE_NEEDS = 2 * LARGE_BYTES + 2 ** 30;

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
    const speeds = `memcpy ${gigabytesPerSecond(BYTES, ms.ms('memcpy'))}, cp ${gigabytesPerSecond(BYTES, ms.ms('cp'))}, udax ${gigabytesPerSecond(BYTES, ms.ms('udax'))} GB/s`;
    return [
      {
        id: 'P3',
        name: 'copyIn of 512 MiB, speed vs C memcpy',
        ...atLeast(ms.ratio('memcpy', 'udax'), 0.8),
        unit: 'x',
        reference: speeds,
        backing,
      },
      {
        id: 'P3',
        name: 'copyIn of 512 MiB, speed vs cp to tmpfs',
        ...atLeast(ms.ratio('cp', 'udax'), 1),
        unit: 'x',
        reference: speeds,
        backing,
      },
      ...(await largeCopyIn(directory)).map((row) => ({ ...row, backing })),
    ];
  });
}

/** The same with 8 GiB; its source is in tmpfs, where no disk is asked. C memcpy goes over the target 512 MiB by 512 MiB. */
async function largeCopyIn(directory: string): Promise<Omit<Row, 'backing'>[]> {
  const { bavail, bsize } = statfsSync(directory);
  if (Math.min(bavail * bsize, freemem()) < LARGE_NEEDS) {
    process.stderr.write(`bench: P3 of 8 GiB skipped: it needs ${LARGE_NEEDS / MIB} MiB of free memory\n`);
    return [];
  }
  const pool = makePool(directory, 'copy-in-large', { size: `${LARGE_BYTES / MIB + 64}MiB` });
  const piece = new Uint8Array(BYTES).fill(5);
  const source = join(directory, 'large-source');
  for (let at = 0; at < LARGE_BYTES; at += BYTES) writeFileSync(source, piece, { flag: 'a' });
  const target = pool.volume.create('/large-target', { size: LARGE_BYTES });
  const views = Array.from({ length: LARGE_BYTES / BYTES }, (_, i) =>
    target.map({ writable: true, offset: i * BYTES, length: BYTES }),
  );
  const addresses = views.map((view) => addressOf(view));
  const fromAddress = addressOf(piece);
  const ms = await interleave(3, {
    memcpy: () =>
      timeMs(() => {
        for (const address of addresses) memcpy(address, fromAddress, BYTES);
      }),
    udax: () => timeMsAsync(() => pool.volume.copyIn(source, '/large-target')),
  });
  if (views.at(-1)!.at(-1) !== 5) throw new Error('the large copy did not copy');
  rmSync(source);
  pool.close();
  const speeds = `memcpy ${gigabytesPerSecond(LARGE_BYTES, ms.ms('memcpy'))}, udax ${gigabytesPerSecond(LARGE_BYTES, ms.ms('udax'))} GB/s`;
  return [
    {
      id: 'P3',
      name: 'copyIn of 8 GiB, speed vs C memcpy',
      ...atLeast(ms.ratio('memcpy', 'udax'), 0.8),
      unit: 'x',
      reference: speeds,
    },
  ];
}
