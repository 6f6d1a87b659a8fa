// What went wrong: the first huge page that the kernel refused, for a moment, gave small pages to all of a region from there on. The
// refusals are injected here; the memory and the kernel's answer to everything else are real.
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DaxError } from '../../src/libc/index.js';
import { createBacking } from '../../src/memory/index.js';
import { mappedHuge, touched, UNIT } from './huge-support.js';
import { closedAfterwards, MiB, temporaryDirectory } from './support.js';

const SIZE = 96 * MiB;
/** Refuses a range, by the number of huge pages asked for so far one by one. */
let refuses: (asked: number, pages: number) => boolean = () => false;
let single = 0;
let calls = 0;
/** How many single ones the kernel itself refused. */
let refusedByKernel = 0;

vi.mock(import('../../src/libc/index.js'), async (original) => {
  const real = await original();
  return {
    ...real,
    collapsePages(address: number, length: number): void {
      calls++;
      const pages = length / UNIT;
      if (pages === 1) single++;
      if (refuses(single, pages)) throw new real.DaxError('ENOMEM', 'no huge page is free');
      try {
        real.collapsePages(address, length);
      } catch (error) {
        if (pages === 1) refusedByKernel++;
        throw error;
      }
    },
  };
});

beforeEach(() => {
  calls = single = refusedByKernel = 0;
});

const pool = () => path.join(temporaryDirectory('/dev/shm'), 'pool');
const allocated = (file: string) => fs.statSync(file).blocks * 512;

describe('a huge page that is refused', () => {
  it('has small pages, and those behind it are huge', (context) => {
    // All steps fail as a whole, and of the pages the third and the fourth one.
    refuses = (asked, pages) => pages > 1 || asked === 3 || asked === 4;
    const file = pool();
    const backing = closedAfterwards(createBacking(file, SIZE));
    touched(backing);
    expect(allocated(file)).toBe(SIZE);
    if (refusedByKernel > 0) context.skip(`the kernel itself refused ${refusedByKernel} huge pages now`);
    expect(mappedHuge(backing)).toBe(SIZE - 2 * UNIT);
  });

  it('is not asked for again and again where there are none', () => {
    refuses = () => true;
    const file = pool();
    closedAfterwards(createBacking(file, SIZE));
    expect(allocated(file)).toBe(SIZE);
    expect(calls).toBeGreaterThan(1);
    expect(calls).toBeLessThan(SIZE / UNIT / 2);
  });

  it('is no reason to hide another error', () => {
    refuses = () => {
      throw new TypeError('a fault of ours');
    };
    expect(() => createBacking(pool(), SIZE)).toThrow(TypeError);
    refuses = () => false;
    expect(() => createBacking(pool(), 2 ** 50)).toThrow(DaxError);
  });
});
