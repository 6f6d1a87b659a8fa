// Memory in tmpfs is allocated in huge pages, whatever the host's settings for transparent huge pages are.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it, type TestContext } from 'vitest';
import {
  collapsePages,
  MAP_FIXED,
  MAP_SHARED,
  memfdCreate,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  populateForStores,
  reserveAddresses,
} from '../../src/libc/index.js';
import { type Backing, createBacking, openBacking } from '../../src/memory/index.js';
import { mappedHuge, touched, UNIT } from './huge-support.js';
import { afterwards, closedAfterwards, MiB, mapsOf, temporaryDirectory } from './support.js';

const allocated = (file: string) => fs.statSync(file).blocks * 512;
const directory = () => temporaryDirectory('/dev/shm');

/**
 * Requires that `make` gives memory of which `bytes` are huge. It may try again, and skips aloud, where the kernel has none for this test
 * either: a busy machine's memory is in pieces at times.
 */
function mustBeHuge(context: TestContext, bytes: number, make: () => Backing): void {
  for (let attempt = 0; ; attempt++) {
    const huge = mappedHuge(make());
    const given = huge === bytes ? bytes : hugeBytesOf(bytes);
    if (given < bytes) context.skip(`the kernel makes only ${given} of ${bytes} bytes huge now`);
    if (huge !== bytes && attempt < 3) continue;
    expect(huge).toBe(bytes);
    return;
  }
}

/** How many of so many bytes the kernel makes huge when it is asked for one huge page after the other. */
function hugeBytesOf(bytes: number): number {
  const fd = memfdCreate('udax-test-huge');
  const base = reserveAddresses(bytes, UNIT, 0);
  let given = 0;
  try {
    fs.ftruncateSync(fd, bytes);
    mmap(base, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
    for (let at = 0; at < bytes; at += UNIT) {
      populateForStores(base + at, 4096);
      try {
        collapsePages(base + at, UNIT);
        given += UNIT;
      } catch {
        // Counted as not given.
      }
    }
  } finally {
    munmap(base, bytes);
    fs.closeSync(fd);
  }
  return given;
}

/** Why this kernel makes no huge pages of a range that has small ones; undefined when it does. */
function missing(): string | undefined {
  const [major, minor] = fs.readFileSync('/proc/sys/kernel/osrelease', 'latin1').split('.').map(Number);
  if (major! < 6 || (major === 6 && minor! < 1)) return 'MADV_COLLAPSE came with Linux 6.1';
  if (!fs.existsSync('/sys/kernel/mm/transparent_hugepage/shmem_enabled'))
    return 'a kernel without huge pages';
  if (fs.readFileSync('/sys/kernel/mm/transparent_hugepage/shmem_enabled', 'latin1').includes('[deny]'))
    return 'shmem_enabled is deny';
  return undefined;
}
const why = missing();

describe.skipIf(why !== undefined)(`huge pages${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  it('back a new file in /dev/shm, and are mapped as such', (context) => {
    mustBeHuge(context, 32 * MiB, () => {
      const file = path.join(directory(), 'pool');
      const backing = closedAfterwards(createBacking(file, 32 * MiB));
      expect(allocated(file)).toBe(32 * MiB);
      touched(backing);
      return backing;
    });
  });

  it('back a file whose end is in the middle of one but for that end, which has small pages', (context) => {
    mustBeHuge(context, 32 * MiB, () => {
      const file = path.join(directory(), 'pool');
      const backing = closedAfterwards(createBacking(file, 33 * MiB));
      expect(allocated(file)).toBe(33 * MiB);
      touched(backing);
      return backing;
    });
  });

  it('come where holes are filled, and what is there stays', (context) => {
    mustBeHuge(context, 64 * MiB, filled);
  });

  it('are still there when a large range was zeroed', (context) => {
    mustBeHuge(context, 64 * MiB, () => {
      const backing = closedAfterwards(createBacking(path.join(directory(), 'pool'), 64 * MiB));
      const view = touched(backing);
      backing.zero(16 * MiB, 32 * MiB);
      for (let at = 5; at < view.length; at += UNIT) {
        expect(view[at]).toBe(at >= 16 * MiB && at < 48 * MiB ? 0 : 7);
        view[at] = 7;
      }
      return backing;
    });
  });
});

/** A file with some bytes and holes, whose holes were filled. */
function filled(): Backing {
  const file = path.join(directory(), 'pool');
  fs.writeFileSync(file, '');
  fs.truncateSync(file, 64 * MiB);
  const fd = fs.openSync(file, 'r+');
  const content = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 37) & 0xff));
  for (const at of [0, 3 * MiB - 17, 40 * MiB]) fs.writeSync(fd, content, 0, content.length, at);
  fs.closeSync(fd);
  const backing = closedAfterwards(openBacking(file, { writable: true }));
  const before = fs.readFileSync(file);
  expect(backing.ensure(0, backing.size)).toBe(true);
  expect(allocated(file)).toBe(64 * MiB);
  expect(fs.readFileSync(file).equals(before)).toBe(true);
  touched(backing);
  return backing;
}

it('a sparse file gets no memory before it is used', () => {
  const file = path.join(directory(), 'pool');
  closedAfterwards(createBacking(file, 64 * MiB, { sparse: true }));
  expect(allocated(file)).toBe(0);
});

it('a tmpfs without so much room is ENOSPC, and no file is left', (context) => {
  const place = temporaryDirectory();
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24M', 'udax-test', place]);
  if (mounted.status !== 0) return context.skip('needs the right to mount a tmpfs');
  afterwards(() => spawnSync('umount', ['-l', place]));
  const file = path.join(place, 'pool');
  expect(() => createBacking(file, 32 * MiB)).toThrow(
    expect.objectContaining({ code: 'ENOSPC', path: file }),
  );
  expect(fs.readdirSync(place)).toEqual([]);
  const backing = closedAfterwards(createBacking(file, 20 * MiB));
  expect(mapsOf(backing)).toEqual([]);
  expect(allocated(file)).toBe(20 * MiB);
});
