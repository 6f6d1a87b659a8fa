import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBacking, openBacking, PhysicalMemory, windowsOf } from '../../src/memory/index.js';
import {
  closedAfterwards,
  errorOf,
  freshMemfd,
  freshMemory,
  GiB,
  HPA,
  isMapped,
  MiB,
  mapsOf,
  memoryOver,
  PAGE,
  temporaryDirectory,
} from './support.js';

const shared = { access: 'shared', label: '/a on dax0.0' } as const;

describe('map()', () => {
  it('gives exactly the bytes asked for, aliasing every other view of them', () => {
    const { memory } = freshMemory(4 * PAGE);
    const whole = new Uint8Array(memory.map([{ start: HPA, length: 4 * PAGE }], shared).buffer);
    const part = new Uint8Array(memory.map([{ start: HPA + PAGE + 3, length: 1000 }], shared).buffer);
    expect(part.length).toBe(1000);
    part[0] = 42;
    whole[PAGE + 3 + 999] = 43;
    expect([whole[PAGE + 3], part[999], memory.bytes(HPA + PAGE + 3, 1)[0]]).toEqual([42, 43, 42]);
  });

  it('stitches interleaved 2 MiB chunks of two devices into one span, in order', () => {
    const chunk = 2 * MiB;
    const memory = closedAfterwards(new PhysicalMemory());
    const backings = [freshMemfd(8 * chunk), freshMemfd(8 * chunk)];
    backings.forEach((backing, device) => {
      memory.insert({ start: HPA + device * GiB, length: 8 * chunk, backing, offset: 0 });
      for (let i = 0; i < 8; i++) memory.bytes(HPA + device * GiB + i * chunk, chunk).fill(16 * device + i);
    });
    const ranges = Array.from({ length: 16 }, (_, i) => ({
      start: HPA + (i % 2) * GiB + (i >> 1) * chunk,
      length: chunk,
    }));
    const view = new Uint8Array(memory.map(ranges, shared).buffer);
    expect(view.length).toBe(16 * chunk);
    for (let i = 0; i < 16; i++) {
      const expected = 16 * (i % 2) + (i >> 1);
      expect([view[i * chunk], view[i * chunk + chunk - 1]]).toEqual([expected, expected]);
    }
    view[3 * chunk] = 99;
    expect(memory.bytes(HPA + GiB + chunk, 1)[0]).toBe(99);
  });

  it('uses one mmap for pieces that are neighbours on the backing', () => {
    const { memory, backing } = freshMemory(8 * PAGE);
    const ranges = [4, 5, 6, 0, 1].map((page) => ({ start: HPA + page * PAGE, length: PAGE }));
    const mapping = memory.map(ranges, shared);
    expect(mapsOf(backing)).toHaveLength(2);
    mapping.close();
    expect(mapsOf(backing)).toEqual([]);
  });

  it('joins neighbours on the backing although their addresses are apart', () => {
    const backing = freshMemfd(4 * PAGE);
    const memory = closedAfterwards(new PhysicalMemory());
    memory.insert({ start: HPA, length: 2 * PAGE, backing, offset: 0 });
    memory.insert({ start: HPA + GiB, length: 2 * PAGE, backing, offset: 2 * PAGE });
    memory.map(
      [
        { start: HPA, length: 2 * PAGE },
        { start: HPA + GiB, length: 2 * PAGE },
      ],
      shared,
    );
    expect(mapsOf(backing)).toHaveLength(1);
  });

  it('lets the outer edges of a stitched span lie anywhere in a page', () => {
    const { memory } = freshMemory(8 * PAGE);
    memory.bytes(HPA, 8 * PAGE).forEach((_, i, all) => {
      all[i] = (i * 7 + (i >> 12)) & 255;
    });
    const ranges = [
      { start: HPA + 5 * PAGE + 10, length: PAGE - 10 },
      { start: HPA + 2 * PAGE, length: PAGE },
      { start: HPA + 7 * PAGE, length: 33 },
    ];
    const view = new Uint8Array(memory.map(ranges, shared).buffer);
    const expected = Buffer.concat(ranges.map(({ start, length }) => memory.bytes(start, length)));
    expect(Buffer.compare(view, expected)).toBe(0);
  });

  it('refuses a seam inside a page, with nothing left mapped', () => {
    const { memory, backing } = freshMemory(8 * PAGE);
    const ranges = [
      { start: HPA, length: PAGE + 1 },
      { start: HPA + 4 * PAGE, length: PAGE },
    ];
    expect(errorOf(() => memory.map(ranges, shared))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('4096'),
    });
    expect(mapsOf(backing)).toEqual([]);
  });

  it('refuses 4 GiB and a byte and names windows()', () => {
    const file = path.join(temporaryDirectory(), 'big');
    const memory = memoryOver(closedAfterwards(createBacking(file, 5 * GiB, { sparse: true })));
    const error = errorOf(() => memory.map([{ start: HPA, length: 4 * GiB + 1 }], shared));
    expect(error).toMatchObject({ code: 'ERANGE', message: expect.stringContaining('windows()') });
    expect(memory.map([{ start: HPA, length: 4 * GiB }], shared).buffer.byteLength).toBe(4 * GiB);
  });

  it('refuses more pieces than the process may have maps, naming the sysctl', () => {
    const limit = Number(fs.readFileSync('/proc/sys/vm/max_map_count', 'latin1'));
    const pages = Math.min(limit, 2 ** 20 - 1);
    const backing = freshMemfd(pages * PAGE);
    const memory = memoryOver(backing);
    const backwards = Array.from({ length: pages }, (_, i) => ({
      start: HPA + (pages - 1 - i) * PAGE,
      length: PAGE,
    }));
    const error = errorOf(() => memory.map(backwards, shared));
    expect(error).toMatchObject({ code: 'ENOMEM', message: expect.stringContaining('vm.max_map_count') });
    expect(mapsOf(backing)).toEqual([]);
  });

  it('refuses an empty list and senseless ranges', () => {
    const { memory } = freshMemory(PAGE);
    expect(errorOf(() => memory.map([], shared)).code).toBe('EINVAL');
    for (const length of [0, -1, 0.5, Number.NaN]) {
      expect(errorOf(() => memory.map([{ start: HPA, length }], shared)).code).toBe('EINVAL');
    }
  });

  it('says EIO for a truncated file, naming it and its end, instead of dying of SIGBUS later', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(4 * PAGE));
    const memory = memoryOver(closedAfterwards(openBacking(file)));
    fs.truncateSync(file, PAGE);
    const { code, message } = errorOf(() => memory.map([{ start: HPA, length: 2 * PAGE }], shared));
    expect(code).toBe('EIO');
    expect(message).toContain(`${file} ends at byte ${PAGE}`);
    expect(memory.map([{ start: HPA, length: PAGE }], shared).alive).toBe(true);
  });

  it('says EIO beyond the end of a zero-extended file, where our own view reads zeroes', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(2 * PAGE));
    const memory = closedAfterwards(new PhysicalMemory());
    const backing = closedAfterwards(openBacking(file));
    memory.insert({ start: HPA, length: MiB, backing, offset: 0, zeroExtend: true });
    expect(errorOf(() => memory.map([{ start: HPA + PAGE, length: 2 * PAGE }], shared)).code).toBe('EIO');
    expect(errorOf(() => memory.map([{ start: HPA + 8 * PAGE, length: PAGE }], shared)).code).toBe('EIO');
    expect(memory.bytes(HPA + 8 * PAGE, 1)[0]).toBe(0);
  });

  it('faults everything in when asked to', () => {
    const { memory, backing } = freshMemory(64 * PAGE);
    memory.map([{ start: HPA + 5, length: 63 * PAGE }], { ...shared, populate: true });
    expect(fs.fstatSync(backing.fd).blocks * 512).toBe(64 * PAGE);
  });
});

describe('access', () => {
  it('private: stores stay in the view', () => {
    const { memory } = freshMemory(PAGE);
    const view = new Uint8Array(memory.map([{ start: HPA, length: PAGE }], { access: 'private' }).buffer);
    view[0] = 1;
    expect([view[0], memory.bytes(HPA, 1)[0]]).toEqual([1, 0]);
  });

  it('private: stitched pieces too, and stores of others are seen', () => {
    const { memory } = freshMemory(2 * PAGE);
    const ranges = [1, 0].map((page) => ({ start: HPA + page * PAGE, length: PAGE }));
    const view = new Uint8Array(memory.map(ranges, { access: 'private' }).buffer);
    view[0] = 1;
    memory.bytes(HPA, 1)[0] = 8;
    expect([memory.bytes(HPA + PAGE, 1)[0], view[PAGE]]).toEqual([0, 8]);
  });

  it('shared: refused over a backing open for reading, private is not', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(PAGE, 7));
    const memory = memoryOver(closedAfterwards(openBacking(file, { writable: false })));
    const range = [{ start: HPA, length: PAGE }];
    expect(errorOf(() => memory.map(range, shared))).toMatchObject({
      code: 'EACCES',
      message: expect.stringContaining(file),
    });
    expect(new Uint8Array(memory.map(range, { access: 'private' }).buffer)[0]).toBe(7);
    expect(new Uint8Array(memory.map(range, { access: 'protected' }).buffer)[0]).toBe(7);
  });
});

describe('a handle', () => {
  it('shares its buffer with others on the same bytes and access only', () => {
    const { memory } = freshMemory(4 * PAGE);
    const range = [{ start: HPA, length: 2 * PAGE }];
    const halves = [
      { start: HPA, length: PAGE },
      { start: HPA + PAGE, length: PAGE },
    ];
    const first = memory.map(range, shared);
    expect(memory.map(range, shared).buffer).toBe(first.buffer);
    expect(memory.map(halves, shared).buffer).toBe(first.buffer);
    expect(memory.map(range, { access: 'private' }).buffer).not.toBe(first.buffer);
    expect(memory.map([{ start: HPA, length: PAGE }], shared).buffer).not.toBe(first.buffer);
    expect(memory.stats()).toMatchObject({ mappings: 5, mappedBytes: 5 * PAGE });
  });

  it('never shares with another machine over the same memory', () => {
    const { memory, backing } = freshMemory(PAGE);
    const other = memoryOver(backing);
    const range = [{ start: HPA, length: PAGE }];
    const [mine, theirs] = [memory.map(range, shared), other.map(range, shared)];
    expect(mine.buffer).not.toBe(theirs.buffer);
    memory.close();
    expect(theirs.buffer.byteLength).toBe(PAGE);
  });

  it('keeps the memory until the last one closes; then views have length 0 and it is unmapped', () => {
    const { memory, backing } = freshMemory(PAGE);
    const [a, b] = [1, 2].map(() => memory.map([{ start: HPA, length: PAGE }], shared));
    const view = new Uint8Array(a!.buffer);
    a!.close();
    a!.close();
    expect([a!.alive, b!.alive, view.length]).toEqual([false, true, PAGE]);
    b![Symbol.dispose]();
    expect([b!.alive, view.length, b!.length]).toEqual([false, 0, PAGE]);
    expect(isMapped(a!.address, PAGE)).toBe(false);
    expect(mapsOf(backing)).toEqual([]);
  });

  it('is a new mapping after the last close', () => {
    const { memory } = freshMemory(PAGE);
    const range = [{ start: HPA, length: PAGE }];
    memory.map(range, shared).close();
    expect(memory.map(range, shared).buffer.byteLength).toBe(PAGE);
  });

  it('outlives the descriptor of its backing', () => {
    const backing = freshMemfd(PAGE);
    const memory = memoryOver(backing);
    const view = new Uint8Array(memory.map([{ start: HPA, length: PAGE }], shared).buffer);
    backing.close();
    view[7] = 7;
    expect(view[7]).toBe(7);
  });
});

describe('windowsOf', () => {
  it('walks more than 4 GiB in parts that map one by one', () => {
    const file = path.join(temporaryDirectory(), 'big');
    const memory = memoryOver(closedAfterwards(createBacking(file, 9 * GiB, { sparse: true })));
    const whole = [
      { start: HPA, length: 5 * GiB },
      { start: HPA + 6 * GiB, length: 3 * GiB },
    ];
    const seen = [...windowsOf(whole, 3 * GiB)].map(({ offset, length, ranges }) => {
      const mapping = memory.map(ranges, shared);
      expect(mapping.buffer.byteLength).toBe(length);
      mapping.close();
      return [offset / GiB, length / GiB, ranges.length];
    });
    expect(seen).toEqual([
      [0, 3, 1],
      [3, 3, 2],
      [6, 2, 1],
    ]);
  });

  it('refuses windows no view can hold', () => {
    expect(errorOf(() => [...windowsOf([{ start: 0, length: 1 }], 4 * GiB + 1)]).code).toBe('EINVAL');
  });
});
