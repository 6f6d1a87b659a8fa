import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { failMappings } from '../../src/fsdax/index.js';
import { HPA, PAGE, PMD, pattern, type TestDevice, testDevice, testFile } from './support.js';

const FIRST_PFN = HPA / PAGE;
const eio = expect.objectContaining({ code: 'EIO' });

describe('memory failure', () => {
  let device: TestDevice;
  beforeEach(() => {
    device = testDevice();
  });
  afterEach(() => {
    device.close();
  });

  /** What a holder does when it is told of a failure. */
  function fail(offset: number, length: number): number {
    device.dax.pages.poison(FIRST_PFN + offset / PAGE, length / PAGE);
    return failMappings(device.dax, offset, length);
  }

  it('detaches the mappings over it and tells them; others stay', () => {
    const hit = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
    const spared = testFile(device.dax, PMD, [[8 * PMD, PMD]]);
    const [over, beside, other] = [hit.map(0, 2 * PMD), hit.map(0, PMD), spared.map(0, PMD)];
    const told: string[] = [];
    over.onLost((error) => told.push(error.code));
    beside.onLost(() => told.push('beside'));
    expect(fail(5 * PMD + PAGE, PAGE)).toBe(1);
    expect(over.bytes.length).toBe(0);
    expect(beside.bytes.length).toBe(PMD);
    expect(other.bytes.length).toBe(PMD);
    expect(told).toEqual(['EIO']);
    expect(device.dax.pages.refcount(FIRST_PFN + 5 * 512)).toBe(0);
  });

  it('reads and maps of the failed page are EIO and name it; the other pages are read', () => {
    const file = testFile(device.dax, 2 * PMD, [[4 * PMD, 2 * PMD]]);
    fail(5 * PMD + PAGE, PAGE);
    const into = new Uint8Array(PAGE);
    expect(() => file.read(into, PMD + PAGE)).toThrow(eio);
    expect(() => file.read(into, PMD + PAGE)).toThrow(`file offset ${PMD + PAGE}`);
    expect(() => file.map(0, 2 * PMD)).toThrow(eio);
    expect(file.read(into, PMD)).toBe(PAGE);
    expect(file.read(into, PMD + 2 * PAGE)).toBe(PAGE);
    file.map(0, PMD).close();
    expect(device.dax.pages.refcount(FIRST_PFN + 4 * 512)).toBe(0);
  });

  it('writing whole pages repairs them', () => {
    const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
    fail(4 * PMD + PAGE, PAGE);
    file.write(pattern(PAGE), PAGE);
    const into = new Uint8Array(PAGE);
    file.read(into, PAGE);
    expect(into).toEqual(pattern(PAGE));
    expect(device.dax.pages.poisonedRanges()).toEqual([]);
    file.map(0, PMD).close();
  });

  it('writing a part of a failed page does not', () => {
    const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
    fail(4 * PMD + PAGE, PAGE);
    file.write(pattern(100), PAGE + 50);
    expect(() => file.read(new Uint8Array(10), PAGE)).toThrow(eio);
  });

  it('overwriting a small file whole repairs its page', () => {
    const file = testFile(device.dax, 100, [[4 * PMD, PMD]]);
    fail(4 * PMD, PAGE);
    file.write(pattern(100), 0);
    const into = new Uint8Array(100);
    file.read(into, 0);
    expect(into).toEqual(pattern(100));
  });

  it('zeroing whole pages repairs them', () => {
    const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
    fail(4 * PMD + PAGE, PAGE);
    file.zero(0, 3 * PAGE);
    expect(file.read(new Uint8Array(3 * PAGE), 0)).toBe(3 * PAGE);
  });

  it('a disabled device ends all views; later calls say ENXIO', () => {
    const file = testFile(device.dax, PMD, [[4 * PMD, PMD]]);
    const mapping = file.map(0, PMD);
    const told: string[] = [];
    mapping.onLost((error) => told.push(error.code));
    const holder = {};
    device.dax.holderGet(holder, {
      notifyFailure: () => {
        failMappings(device.dax, 0, Number.POSITIVE_INFINITY);
        file.forget();
      },
    });
    device.bus.unbind('fsdev_dax', 'dax0.0');
    expect(mapping.bytes.length).toBe(0);
    expect(told).toEqual(['ENXIO']);
    expect(() => file.read(new Uint8Array(1), 0)).toThrow(expect.objectContaining({ code: 'ENXIO' }));
    expect(() => file.map(0, PMD)).toThrow(expect.objectContaining({ code: 'ENXIO' }));
  });
});
