import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createBacking, openBacking } from '../../src/memory/index.js';
import {
  afterwards,
  closedAfterwards,
  errorOf,
  HPA,
  MiB,
  memoryOver,
  temporaryDirectory,
} from './support.js';

const NR_HUGEPAGES = '/proc/sys/vm/nr_hugepages';
const WANTED = 8;

/** Asks the host for a few huge pages for as long as these tests run. */
function hugePagesFree(): number {
  if (process.getuid?.() !== 0) return 0;
  try {
    changeHugePages(WANTED);
  } catch {
    return 0;
  }
  afterAll(() => changeHugePages(-WANTED));
  const meminfo = fs.readFileSync('/proc/meminfo', 'latin1');
  const is2MiB = /Hugepagesize:\s+2048 kB/.test(meminfo);
  return is2MiB ? Number(/HugePages_Free:\s+(\d+)/.exec(meminfo)?.[1]) : 0;
}

/** Changes the number by a difference, because another process may change it too. */
function changeHugePages(by: number): void {
  const now = Number(fs.readFileSync(NR_HUGEPAGES, 'latin1'));
  fs.writeFileSync(NR_HUGEPAGES, String(Math.max(0, now + by)));
}

const free = hugePagesFree();
const skip = free < WANTED;
const why = skip ? ` (skipped: only ${free} huge pages, sysctl vm.nr_hugepages cannot be raised here)` : '';

function hugeDirectory(): string {
  const directory = temporaryDirectory();
  execFileSync('mount', ['-t', 'hugetlbfs', '-o', 'pagesize=2M', 'udax-test', directory]);
  afterwards(() => execFileSync('umount', [directory]));
  return directory;
}

describe.skipIf(skip)(`hugetlbfs${why}`, () => {
  it('is memory in huge pages that is volatile', () => {
    const file = path.join(hugeDirectory(), 'huge');
    closedAfterwards(createBacking(file, 4 * MiB));
    expect(closedAfterwards(openBacking(file))).toMatchObject({
      kind: 'hugetlbfs',
      granule: 2 * MiB,
      size: 4 * MiB,
      persistent: false,
    });
  });

  it('refuses a size that is no multiple of its pages, and leaves no file', () => {
    const file = path.join(hugeDirectory(), 'huge');
    expect(errorOf(() => createBacking(file, 3 * MiB)).code).toBe('EINVAL');
    expect(fs.existsSync(file)).toBe(false);
  });

  it('says ENOSPC and how to get more pages, and leaves no file', () => {
    const file = path.join(hugeDirectory(), 'huge');
    const error = errorOf(() => createBacking(file, 2 ** 40));
    expect(error).toMatchObject({ code: 'ENOSPC', message: expect.stringContaining('vm.nr_hugepages') });
    expect(fs.existsSync(file)).toBe(false);
  });

  it('stitches huge pages in any order, and hands out single bytes of one', () => {
    const memory = memoryOver(closedAfterwards(createBacking(path.join(hugeDirectory(), 'huge'), 8 * MiB)));
    for (let i = 0; i < 4; i++) memory.bytes(HPA + i * 2 * MiB, 2 * MiB).fill(i + 1);
    const order = [2, 0, 3, 1];
    const ranges = order.map((i) => ({ start: HPA + i * 2 * MiB, length: 2 * MiB }));
    const stitched = memory.map(ranges, { access: 'shared' });
    const view = new Uint8Array(stitched.buffer);
    expect(order.map((_, i) => view[i * 2 * MiB + 5])).toEqual([3, 1, 4, 2]);
    expect(stitched.address % (2 * MiB)).toBe(0);
    const single = memory.map([{ start: HPA + 2 * MiB + 5, length: 10 }], { access: 'private' });
    expect([...new Uint8Array(single.buffer)]).toEqual(Array(10).fill(2));
    memory.close();
  });

  it('refuses seams inside a huge page', () => {
    const memory = memoryOver(closedAfterwards(createBacking(path.join(hugeDirectory(), 'huge'), 8 * MiB)));
    const ranges = [0, 4].map((i) => ({ start: HPA + i * MiB, length: MiB }));
    expect(errorOf(() => memory.map(ranges, { access: 'shared' }))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining(String(2 * MiB)),
    });
  });

  it('zeroes any bytes', () => {
    const backing = closedAfterwards(createBacking(path.join(hugeDirectory(), 'huge'), 4 * MiB));
    const memory = memoryOver(backing);
    memory.bytes(HPA, 4 * MiB).fill(9);
    backing.zero(MiB, 2 * MiB);
    const view = memory.bytes(HPA, 4 * MiB);
    expect([view[MiB - 1], view[MiB], view[3 * MiB - 1], view[3 * MiB]]).toEqual([9, 0, 0, 9]);
    memory.close();
  });
});
