// Memory in tmpfs is allocated in huge pages, whatever the host's settings for transparent huge pages are.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Backing, createBacking, openBacking } from '../../src/memory/index.js';
import { afterwards, closedAfterwards, HPA, MiB, mapsOf, memoryOver, temporaryDirectory } from './support.js';

const UNIT = 2 * MiB;

/** Bytes of the mappings of a backing that one entry of the page tables maps 2 MiB of each. */
function mappedHuge(backing: Backing): number {
  let bytes = 0;
  let isOurs = false;
  for (const line of fs.readFileSync('/proc/self/smaps', 'latin1').split('\n')) {
    if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) isOurs = line.endsWith(backing.name);
    else if (isOurs && /^(ShmemPmdMapped|FilePmdMapped):/.test(line))
      bytes += Number(/\d+/.exec(line)![0]) * 1024;
  }
  return bytes;
}

const allocated = (file: string) => fs.statSync(file).blocks * 512;
const directory = () => temporaryDirectory('/dev/shm');

function touched(backing: Backing): Uint8Array {
  const view = memoryOver(backing).view(HPA, backing.size) as Uint8Array;
  for (let at = 0; at < view.length; at += UNIT) view[at + 5] = 7;
  return view;
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
  it('back a new file in /dev/shm, and are mapped as such', () => {
    const file = path.join(directory(), 'pool');
    const backing = closedAfterwards(createBacking(file, 32 * MiB));
    expect(allocated(file)).toBe(32 * MiB);
    touched(backing);
    expect(mappedHuge(backing)).toBe(32 * MiB);
  });

  it('back a file whose end is in the middle of one but for that end, which has small pages', () => {
    const file = path.join(directory(), 'pool');
    const backing = closedAfterwards(createBacking(file, 33 * MiB));
    expect(allocated(file)).toBe(33 * MiB);
    touched(backing);
    expect(mappedHuge(backing)).toBe(32 * MiB);
  });

  it('come where holes are filled, and what is there stays', () => {
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
    expect(mappedHuge(backing)).toBe(64 * MiB);
  });

  it('are still there when a large range was zeroed', () => {
    const backing = closedAfterwards(createBacking(path.join(directory(), 'pool'), 64 * MiB));
    const view = touched(backing);
    backing.zero(16 * MiB, 32 * MiB);
    for (let at = 5; at < view.length; at += UNIT) {
      expect(view[at]).toBe(at >= 16 * MiB && at < 48 * MiB ? 0 : 7);
      view[at] = 7;
    }
    expect(mappedHuge(backing)).toBe(64 * MiB);
  });
});

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
