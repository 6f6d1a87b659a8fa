import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HPA, MIB, PAGE, PMD, pattern, type TestDevice, testDevice, testFile } from './support.js';

const FIRST_PFN = HPA / PAGE;

describe('a file on dax memory', () => {
  let device: TestDevice;
  beforeEach(() => {
    device = testDevice();
  });
  afterEach(() => {
    device.close();
  });

  describe('read and write', () => {
    it('write stores where the extents say, and read gives it back', () => {
      const file = testFile(device.dax, 3 * PAGE, [
        [10 * PMD, PAGE],
        [4 * PMD, 2 * PAGE],
      ]);
      const bytes = pattern(2 * PAGE);
      expect(file.write(bytes, 100)).toBe(2 * PAGE);
      const back = new Uint8Array(2 * PAGE);
      expect(file.read(back, 100)).toBe(2 * PAGE);
      expect(back).toEqual(bytes);
      const raw = new Uint8Array(PAGE);
      const fd = fs.openSync(device.path, 'r');
      fs.readSync(fd, raw, 0, PAGE, 10 * PMD);
      expect(raw.subarray(100)).toEqual(bytes.subarray(0, PAGE - 100));
      fs.readSync(fd, raw, 0, PAGE, 4 * PMD);
      fs.closeSync(fd);
      expect(raw).toEqual(bytes.subarray(PAGE - 100, 2 * PAGE - 100));
    });

    it('read stops at the end of the file, and gives 0 past it', () => {
      const file = testFile(device.dax, 1000, [[PMD, PMD]]);
      const into = new Uint8Array(100);
      expect(file.read(into, 950)).toBe(50);
      expect(file.read(into, 1000)).toBe(0);
      expect(file.read(into, 5000)).toBe(0);
    });

    it('write past the end is ENOSPC and writes nothing', () => {
      const file = testFile(device.dax, 1000, [[PMD, PMD]]);
      expect(() => file.write(pattern(100), 901)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      expect(() => file.write(pattern(1), 1000)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      const all = new Uint8Array(1000);
      file.read(all, 0);
      expect(all).toEqual(new Uint8Array(1000));
    });

    it.each([-1, 0.5, Number.NaN, 2 ** 53])('position %s is EINVAL', (position) => {
      const file = testFile(device.dax, 1000, [[PMD, PMD]]);
      expect(() => file.read(new Uint8Array(1), position)).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
      expect(() => file.write(new Uint8Array(1), position)).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
    });

    it('zero clears exactly its range', () => {
      const file = testFile(device.dax, 5 * PAGE, [[PMD, PMD]]);
      file.write(pattern(5 * PAGE), 0);
      file.zero(100, 3 * PAGE);
      const all = new Uint8Array(5 * PAGE);
      file.read(all, 0);
      const expected = pattern(5 * PAGE);
      expected.fill(0, 100, 100 + 3 * PAGE);
      expect(all).toEqual(expected);
    });

    it('zero within one page leaves the rest of it', () => {
      const file = testFile(device.dax, PAGE, [[PMD, PMD]]);
      file.write(pattern(PAGE), 0);
      file.zero(10, 20);
      const all = new Uint8Array(PAGE);
      file.read(all, 0);
      expect(all).toEqual(pattern(PAGE).fill(0, 10, 30));
    });
  });

  describe('map', () => {
    it('gives exactly the bytes asked for, at any offset', () => {
      const file = testFile(device.dax, 3 * PAGE + 17, [[PMD, PMD]]);
      file.write(pattern(3 * PAGE + 17), 0);
      const mapping = file.map(PAGE - 3, 2 * PAGE + 20);
      expect(mapping.bytes).toEqual(pattern(3 * PAGE + 17).subarray(PAGE - 3));
      mapping.close();
      expect(mapping.bytes.length).toBe(0);
    });

    it('stitches extents into one span', () => {
      const file = testFile(device.dax, 4 * PMD, [
        [10 * PMD, PMD],
        [4 * PMD, 2 * PMD],
        [20 * PMD, PMD],
      ]);
      file.write(pattern(4 * PMD), 0);
      const mapping = file.map(0, 4 * PMD);
      expect(Buffer.from(mapping.bytes).equals(pattern(4 * PMD))).toBe(true);
      mapping.close();
    });

    it('a writable mapping is the memory, a read-only one keeps stray stores to itself', () => {
      const file = testFile(device.dax, PAGE, [[PMD, PMD]]);
      const writable = file.map(0, PAGE, { writable: true });
      const readOnly = file.map(0, PAGE);
      writable.bytes[1] = 11;
      expect(readOnly.bytes[1]).toBe(11);
      readOnly.bytes[2] = 22;
      expect(writable.bytes[2]).toBe(0);
      const seen = new Uint8Array(3);
      file.read(seen, 0);
      expect([...seen]).toEqual([0, 11, 0]);
      writable.close();
      readOnly.close();
    });

    it('the same span is the same memory and view, gone with its last mapping', () => {
      const file = testFile(device.dax, PAGE, [[PMD, PMD]]);
      const one = file.map(0, PAGE);
      const two = file.map(0, PAGE);
      const part = file.map(10, 20);
      expect(two.bytes).toBe(one.bytes);
      expect(part.bytes.buffer).toBe(one.bytes.buffer);
      expect(file.pins).toBe(1);
      one.close();
      expect(one.bytes.length).toBe(0);
      expect(two.bytes.length).toBe(PAGE);
      two.close();
      expect(part.bytes.length).toBe(20);
      part.close();
      expect(part.bytes.length).toBe(0);
      expect(file.pins).toBe(0);
    });

    // What went wrong: a second close() of one user released the use of another one, whose view ended. Right: each mapping is
    // closed once.
    it('a mapping that is closed twice gives up one use', () => {
      const file = testFile(device.dax, PAGE, [[PMD, PMD]]);
      const [one, two] = [file.map(0, PAGE), file.map(0, PAGE)];
      one.close();
      one.close();
      expect(two.bytes.length).toBe(PAGE);
      expect(device.dax.pages.refcount(FIRST_PFN + 512)).toBe(1);
      two.close();
      expect(device.dax.pages.refcount(FIRST_PFN + 512)).toBe(0);
    });

    it.each([
      [0, 0],
      [0, PAGE + 1],
      [-1, 1],
      [PAGE, 1],
      [0.5, 1],
      [0, Number.NaN],
    ])('%s + %s is EINVAL', (offset, length) => {
      const file = testFile(device.dax, PAGE, [[PMD, PMD]]);
      expect(() => file.map(offset, length)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
      expect(file.entries()).toEqual([]);
    });
  });

  describe('faults', () => {
    it('aligned file range and memory make PMD entries whose folios point back to the file', () => {
      const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
      const mapping = file.map(0, 2 * PMD);
      expect(file.entries()).toEqual([
        { index: 0, pfn: FIRST_PFN + 4 * 512, order: 9 },
        { index: 512, pfn: FIRST_PFN + 5 * 512, order: 9 },
      ]);
      expect(device.dax.pages.describe(FIRST_PFN + 5 * 512 + 7)).toMatchObject({
        order: 9,
        head: FIRST_PFN + 5 * 512,
        mapping: file,
        index: 512,
        refcount: 1,
      });
      mapping.close();
      expect(device.dax.pages.refcount(FIRST_PFN + 5 * 512)).toBe(0);
    });

    it('what a PMD does not fit into gets PTEs: the tail of a file', () => {
      const file = testFile(device.dax, PMD + 2 * PAGE + 1, [[4 * PMD, 2 * PMD]]);
      const mapping = file.map(0, file.size);
      expect(file.entries().map(({ index, order }) => [index, order])).toEqual([
        [0, 9],
        [512, 0],
        [513, 0],
        [514, 0],
      ]);
      mapping.close();
    });

    it('extents that are not 2 MiB aligned get PTEs', () => {
      const file = testFile(device.dax, 4 * PAGE, [[4 * PMD + PAGE, 4 * PAGE]]);
      const mapping = file.map(0, file.size);
      expect(file.entries().every(({ order }) => order === 0)).toBe(true);
      expect(file.entries()).toHaveLength(4);
      mapping.close();
    });

    it('a PMD request that meets PTEs falls back to PTEs', () => {
      const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
      const small = file.map(5 * PAGE, PAGE);
      const whole = file.map(0, PMD);
      expect(file.entries()).toHaveLength(512);
      expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512 + 5)).toBe(2);
      expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512 + 6)).toBe(1);
      small.close();
      expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512 + 5)).toBe(1);
      whole.close();
    });

    it('a PTE request under a PMD uses the PMD', () => {
      const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
      const whole = file.map(0, PMD);
      const small = file.map(5 * PAGE, PAGE);
      expect(file.entries()).toHaveLength(1);
      expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512)).toBe(2);
      whole.close();
      small.close();
      expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512)).toBe(0);
    });

    it('a refcount is the number of live mappings over a page', () => {
      const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
      const mappings = [file.map(0, PMD), file.map(0, 2 * PMD), file.map(0, PMD, { writable: true })];
      const counts = () => [0, 1].map((i) => device.dax.pages.refcount(FIRST_PFN + (4 + i) * 512));
      expect(counts()).toEqual([3, 1]);
      mappings[1]!.close();
      expect(counts()).toEqual([2, 0]);
      mappings[0]!.close();
      mappings[2]!.close();
      expect(counts()).toEqual([0, 0]);
    });

    it('breaking the layout takes the mappings away and gives the folios back', () => {
      const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
      const mapping = file.map(0, 2 * PMD);
      file.breakLayout();
      expect(mapping.bytes.length).toBe(0);
      expect(file.entries()).toEqual([]);
      expect(device.dax.pages.describe(FIRST_PFN + 4 * 512)).toMatchObject({
        order: 0,
        mapping: null,
        refcount: 0,
      });
    });

    it('a page that somebody else pins is a busy layout', () => {
      const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
      file.map(0, 2 * PMD);
      device.dax.pages.get(FIRST_PFN + 5 * 512, 9);
      expect(file.layoutBusyPage()).toBe(512);
      expect(() => file.breakLayout()).toThrow(expect.objectContaining({ code: 'EBUSY' }));
      device.dax.pages.put(FIRST_PFN + 5 * 512, 9);
      file.breakLayout();
      expect(file.entries()).toEqual([]);
    });

    it('two files over the same memory count shares', () => {
      const one = testFile(device.dax, PMD, [[4 * PMD, PMD]], { shared: true });
      const two = testFile(device.dax, PMD, [[4 * PMD, PMD]], { shared: true });
      const mappings = [one.map(0, PMD), two.map(0, PMD)];
      expect(device.dax.pages.describe(FIRST_PFN + 4 * 512)).toMatchObject({
        mapping: null,
        share: 2,
        refcount: 2,
      });
      mappings[0]!.close();
      one.breakLayout();
      expect(device.dax.pages.describe(FIRST_PFN + 4 * 512)).toMatchObject({ share: 1, refcount: 1 });
      mappings[1]!.close();
      two.breakLayout();
      expect(device.dax.pages.describe(FIRST_PFN + 4 * 512)).toMatchObject({
        order: 0,
        share: 0,
        refcount: 0,
      });
    });

    it('a failed mapping leaves no pin and no entry', () => {
      const file = testFile(device.dax, 2 * PMD, [
        [4 * PMD, PMD],
        [1000 * PMD, PMD],
      ]);
      expect(() => file.map(0, 2 * PMD)).toThrow(expect.objectContaining({ code: 'ERANGE' }));
      expect(file.entries()).toEqual([]);
      expect(device.dax.pages.describe(FIRST_PFN + 4 * 512)).toMatchObject({ mapping: null, refcount: 0 });
    });
  });
});

describe('a device whose backing was cut', () => {
  it('data past its end is EIO for read, write, zero and map; the rest works', () => {
    const device = testDevice({ backed: 5 * PMD });
    const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
    const eio = expect.objectContaining({ code: 'EIO' });
    expect(() => file.read(new Uint8Array(10), PMD)).toThrow(eio);
    expect(() => file.write(new Uint8Array(10), PMD)).toThrow(eio);
    expect(() => file.zero(0, 2 * PMD)).toThrow(eio);
    expect(() => file.map(0, 2 * PMD)).toThrow(eio);
    expect(file.read(new Uint8Array(10), 0)).toBe(10);
    file.map(0, PMD).close();
    device.close();
  });
});

describe('a device whose memory starts off 2 MiB', () => {
  it('its files get PTEs', () => {
    const device = testDevice({ size: 16 * MIB, start: HPA + PAGE });
    const file = testFile(device.dax, PMD, [[PMD, PMD]]);
    const mapping = file.map(0, PMD);
    expect(file.entries()).toHaveLength(512);
    mapping.close();
    device.close();
  });
});
