import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createBacking, openBacking, PhysicalMemory } from '../../src/memory/index.js';
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

describe('the physical address map', () => {
  it('refuses memory at addresses that are taken and names both', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    const other = freshMemfd(4 * PAGE);
    for (const start of [HPA - PAGE, HPA, HPA + PAGE]) {
      const error = errorOf(() => memory.insert({ start, length: 4 * PAGE, backing: other, offset: 0 }));
      expect(error.code).toBe('EBUSY');
      expect(error.message).toContain(backing.name);
      expect(error.message).toContain(other.name);
    }
    memory.insert({ start: HPA + 4 * PAGE, length: 4 * PAGE, backing: other, offset: 0 });
    memory.insert({ start: HPA - 4 * PAGE, length: 4 * PAGE, backing: other, offset: 0 });
  });

  it.each([
    { start: HPA + 1, length: PAGE, offset: 0 },
    { start: HPA, length: 0, offset: 0 },
    { start: HPA, length: PAGE, offset: 12 },
    { start: -PAGE, length: PAGE, offset: 0 },
    { start: Number.NaN, length: PAGE, offset: 0 },
  ])('refuses to insert $length bytes at $start from $offset', (range) => {
    const memory = closedAfterwards(new PhysicalMemory());
    expect(errorOf(() => memory.insert({ ...range, backing: freshMemfd(PAGE) })).code).toBe('EINVAL');
  });

  it('locates bytes across two ranges', () => {
    const [a, b] = [freshMemfd(4 * PAGE), freshMemfd(4 * PAGE)];
    const memory = closedAfterwards(new PhysicalMemory());
    memory.insert({ start: HPA + 2 * PAGE, length: PAGE, backing: b, offset: PAGE });
    memory.insert({ start: HPA, length: 2 * PAGE, backing: a, offset: 2 * PAGE });
    expect(memory.locate(HPA + PAGE + 1, PAGE)).toEqual([
      { backing: a, offset: 3 * PAGE + 1, length: PAGE - 1 },
      { backing: b, offset: PAGE, length: 1 },
    ]);
  });

  it('says ENXIO where there is no memory', () => {
    const { memory } = freshMemory(PAGE);
    expect(errorOf(() => memory.locate(HPA + PAGE, 1)).code).toBe('ENXIO');
    expect(errorOf(() => memory.locate(HPA, PAGE + 1)).code).toBe('ENXIO');
    expect(errorOf(() => memory.bytes(HPA - 1, 2)).code).toBe('ENXIO');
    expect(errorOf(() => memory.map([{ start: 0, length: PAGE }], { access: 'shared' })).code).toBe('ENXIO');
    expect(errorOf(() => memory.remove(HPA + PAGE)).code).toBe('ENXIO');
  });
});

describe('bytes()', () => {
  it('is the memory itself: what the file holds, and stores reach it', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    fs.writeSync(backing.fd, 'hello', 5000);
    const view = memory.bytes(HPA + 5000, 5);
    expect(Buffer.from(view).toString()).toBe('hello');
    view[0] = 'J'.charCodeAt(0);
    const back = Buffer.alloc(5);
    fs.readSync(backing.fd, back, 0, 5, 5000);
    expect(back.toString()).toBe('Jello');
  });

  it('maps a window once, however often it is asked', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    for (let i = 0; i < 100; i++) memory.bytes(HPA + i, 10);
    expect(mapsOf(backing)).toHaveLength(1);
    expect(memory.stats()).toEqual({ mappings: 0, mappedBytes: 0, windows: 1 });
  });

  it('serves any request up to 4 GiB, across window seams too', () => {
    const file = path.join(temporaryDirectory('/dev/shm'), 'big');
    const backing = closedAfterwards(createBacking(file, 6 * GiB, { sparse: true }));
    const memory = memoryOver(backing);
    fs.writeSync(backing.fd, 'seam', GiB - 2);
    fs.writeSync(backing.fd, 'last', 6 * GiB - 4);
    const text = (view: Uint8Array) => Buffer.from(view).toString();
    expect(text(memory.bytes(HPA + GiB - 2, 4))).toBe('seam');
    expect(text(memory.bytes(HPA + 6 * GiB - 4, 4))).toBe('last');
    const long = memory.bytes(HPA + GiB - 2, 3 * GiB);
    expect(long.length).toBe(3 * GiB);
    expect(text(long.subarray(0, 4))).toBe('seam');
    const whole = memory.bytes(HPA + 2 * GiB, 4 * GiB);
    expect(text(whole.subarray(-4))).toBe('last');
    expect(errorOf(() => memory.bytes(HPA, 4 * GiB + 1)).code).toBe('ERANGE');
  });

  it('crosses from one range to the next', () => {
    const { memory, backing } = freshMemory(2 * PAGE);
    const other = freshMemfd(PAGE);
    memory.insert({ start: HPA + 2 * PAGE, length: PAGE, backing: other, offset: 0 });
    memory.bytes(HPA + 2 * PAGE - 1, 2).set([1, 2]);
    expect([...memory.bytes(HPA + 2 * PAGE - 1, 1), ...memory.bytes(HPA + 2 * PAGE, 1)]).toEqual([1, 2]);
    memory.remove(HPA);
    expect(mapsOf(backing)).toEqual([]);
  });

  it('reads zeroes beyond the end of a zero-extended file', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(PAGE + 100, 7));
    const memory = closedAfterwards(new PhysicalMemory());
    const backing = closedAfterwards(openBacking(file, { writable: false }));
    memory.insert({ start: HPA, length: 3 * GiB, backing, offset: 0, zeroExtend: true });
    const view = memory.bytes(HPA, 64 * PAGE);
    expect(view.subarray(0, PAGE + 100).every((byte) => byte === 7)).toBe(true);
    expect(view.subarray(PAGE + 100).every((byte) => byte === 0)).toBe(true);
    expect(memory.bytes(HPA + 2 * GiB + 5, PAGE).every((byte) => byte === 0)).toBe(true);
    expect(memory.bytes(HPA, 2 * GiB)[PAGE + 99]).toBe(7);
    expect(memory.bytes(HPA, 2 * GiB)[2 * GiB - 1]).toBe(0);
  });

  it('keeps a stray store into read-only memory to itself', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(PAGE, 7));
    const memory = memoryOver(closedAfterwards(openBacking(file, { writable: false })));
    memory.bytes(HPA, 1)[0] = 9;
    expect(fs.readFileSync(file)[0]).toBe(7);
  });

  it('says EIO when the file was truncated, instead of dying of SIGBUS', () => {
    const file = path.join(temporaryDirectory(), 'image');
    fs.writeFileSync(file, Buffer.alloc(4 * PAGE));
    const memory = memoryOver(closedAfterwards(openBacking(file)));
    fs.truncateSync(file, PAGE);
    expect(errorOf(() => memory.bytes(HPA + 2 * PAGE, 1))).toMatchObject({
      code: 'EIO',
      message: expect.stringContaining(file),
    });
  });

  it('gives views of length 0 once the range is removed', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    const view = memory.bytes(HPA, 4 * PAGE);
    memory.remove(HPA);
    expect(view.length).toBe(0);
    expect(view[0]).toBeUndefined();
    expect(mapsOf(backing)).toEqual([]);
    expect(errorOf(() => memory.bytes(HPA, 1)).code).toBe('ENXIO');
  });

  it('survives a kill, which ends user mappings only', () => {
    const { memory } = freshMemory(PAGE);
    const view = memory.bytes(HPA, PAGE);
    const mapping = memory.map([{ start: HPA, length: PAGE }], { access: 'shared' });
    expect(memory.kill(HPA, PAGE)).toBe(1);
    expect(mapping.buffer.byteLength).toBe(0);
    expect(view.length).toBe(PAGE);
  });

  it.each([-1, 0.5, Number.NaN])('refuses %d bytes without reading anything', (length) => {
    const { memory } = freshMemory(PAGE);
    expect(errorOf(() => memory.bytes(HPA, length)).code).toBe('EINVAL');
  });
});

describe('close()', () => {
  it('takes every mapping and window away, and leaves the backing open', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    const window = memory.bytes(HPA, 1);
    const mapping = memory.map([{ start: HPA, length: 2 * PAGE }], { access: 'shared' });
    const { address } = mapping;
    memory.close();
    memory.close();
    expect([window.length, mapping.buffer.byteLength, mapping.alive]).toEqual([0, 0, false]);
    expect(isMapped(address, 2 * PAGE)).toBe(false);
    expect(mapsOf(backing)).toEqual([]);
    expect(memory.stats()).toEqual({ mappings: 0, mappedBytes: 0, windows: 0 });
    backing.checkRange(0, MiB / 256);
  });
});
