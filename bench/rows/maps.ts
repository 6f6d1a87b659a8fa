import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { MAP_SHARED, mmap, munmap, PROT_READ, viewMemory } from '../../src/libc/index.js';
import { Detacher } from '../../src/memory/detacher.js';
import { atMost, median, type Row, settled, significant, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 2 ** 30;
const MAPS = 1000;
const WARM_UP = 100;

/** P2: a thousand times open + map + first byte + close of one file of 1 GiB, beside a program that only makes a view of 1 GiB. */
export function maps(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'maps', { size: '1200MiB' });
    pool.volume.create('/model.bin', { size: BYTES }).close();
    const fd = openSync(join(pool.root, 'regions', '0.mem'), 'r');
    const detacher = new Detacher();
    let kept = 0;
    const udax = (): (() => void) => {
      const file = pool.volume.open('/model.bin');
      kept += file.map()[0]!;
      return () => file.close();
    };
    const bare = (): (() => void) => {
      const address = mmap(0, BYTES, PROT_READ, MAP_SHARED, fd, 0);
      const buffer = viewMemory(address, BYTES);
      kept += new Uint8Array(buffer, BYTES - 1)[0]!;
      return () => {
        detacher.detach(buffer);
        munmap(address, BYTES);
      };
    };
    const times = { udax: [] as number[], bare: [] as number[] };
    const round = (open: () => () => void, into: number[]): void => {
      const start = performance.now();
      const close = open();
      into.push(performance.now() - start);
      close();
    };
    const measure = (open: () => () => void, into: number[]): void => {
      for (let i = 0; i < WARM_UP; i++) round(open, []);
      for (let i = 0; i < MAPS; i++) round(open, into);
    };
    // Not in turns: what one leaves of a collection, the other would have to finish.
    measure(bare, times.bare);
    let collections = 0;
    const collector = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries()) if (isWhole(detail)) collections++;
    });
    collector.observe({ entryTypes: ['gc'] });
    measure(udax, times.udax);
    await pause(100); // collections are told in a later turn
    collector.disconnect();
    if (kept !== 0) throw new Error('a first byte was wrong');
    closeSync(fd);
    pool.close();
    // How far the medians spread, but nine of ten of all maps.
    const { tenths } = settled(times.udax);
    const medians = {
      udax: { ...settled(mediansOf(times.udax)), ...(tenths && { tenths }) },
      bare: median(times.bare),
    };
    const slow = { udax: ninetyNinth(times.udax), bare: ninetyNinth(times.bare) };
    const reference =
      `a program that does nothing but mmap and a view of V8's: median ${significant(medians.bare)} ms, 99 of 100 within ` +
      `${significant(slow.bare)} ms. V8 collected the whole heap ${collections} times meanwhile, as the garbage of the maps made it`;
    const common = { id: 'P2', unit: 'ms', backing, reference };
    return [
      {
        ...{ ...common, name: 'open + map + first byte of 1 GiB, median of 1,000' },
        ...atMost(medians.udax, 0.15),
      },
      {
        ...{ ...common, name: 'open + map + first byte of 1 GiB, 99 of 100 within' },
        ...atMost({ value: slow.udax, spread: medians.udax.spread }, 1),
      },
    ];
  });
}

/** Node's number for a collection of the whole heap, not of its young part. */
const MAJOR = 4;

function isWhole(detail: unknown): boolean {
  return (detail as { kind?: number }).kind === MAJOR;
}

/** Of each hundred. */
function mediansOf(list: readonly number[]): number[] {
  return Array.from({ length: list.length / 100 }, (_, i) => median(list.slice(i * 100, i * 100 + 100)));
}

function ninetyNinth(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(0.99 * list.length)]!;
}
