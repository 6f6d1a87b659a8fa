import { describe, expect, it } from 'vitest';
import { codeOf, MiB, temporaryMachine } from '../support.js';

describe('openDax', () => {
  it('maps device memory that stays in it', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    const first = machine.openDax('dax0.0');
    expect(first.size).toBe(4 * MiB);
    first.mmap({ offset: 2 * MiB })[5] = 42;
    first.close();
    const second = machine.openDax('dax0.0', { writable: false });
    expect(second.mmap()[2 * MiB + 5]).toBe(42);
  });

  it('checks bounds and align: EINVAL', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '4MiB' });
    const raw = machine.openDax('dax0.0');
    for (const options of [
      { offset: 4 * MiB },
      { offset: 0, length: 6 * MiB },
      { offset: 4096 },
      { length: 4096 },
      { offset: -2 * MiB },
      { length: 0 },
      { length: 1.5 },
    ]) {
      expect(
        codeOf(() => raw.mmap(options)),
        JSON.stringify(options),
      ).toBe('EINVAL');
    }
  });

  it('gives views of length 0 after close, and EBADF from then on', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const raw = machine.openDax('dax0.0');
    const view = raw.mmap();
    raw.close();
    raw.close();
    expect(view.length).toBe(0);
    expect(codeOf(() => raw.mmap())).toBe('EBADF');
    expect(machine.holders()).toEqual([]);
  });

  it('gives views of length 0 after the machine is closed', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const view = machine.openDax('dax0.0').mmap();
    machine.close();
    expect(view.length).toBe(0);
  });

  it('refuses stores to a handle that only reads: EACCES', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    const raw = machine.openDax('dax0.0', { writable: false });
    expect(codeOf(() => raw.mmap({ writable: true }))).toBe('EACCES');
  });

  it('refuses unbound devices and devices without memory: ENXIO', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '2MiB' });
    machine.disable('dax0.0');
    expect(codeOf(() => machine.openDax('dax0.0'))).toBe('ENXIO');
    machine.destroyDevice('dax0.0');
    expect(codeOf(() => machine.openDax('dax0.0'))).toBe('ENXIO');
    expect(machine.holders()).toEqual([]);
  });
});

describe('node', () => {
  it('gives zeroed memory, first fit, until free or close', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '128MiB', sparse: true, targetNode: 2 });
    expect(codeOf(() => machine.node(2).alloc(4096))).toBe('ENODEV');
    machine.reconfigure('dax0.0', 'system-ram');
    const node = machine.node(2);
    const buffer = node.alloc(5000);
    buffer.bytes.fill(1);
    expect(node.stats()).toMatchObject({ usedBytes: 8192 });
    expect(machine.holders('node2')).toMatchObject([{ pid: process.pid }]);
    buffer.free();
    expect(buffer.bytes.length).toBe(0);
    const again = node.alloc(8192);
    expect(again.bytes.every((byte) => byte === 0)).toBe(true);
    machine.close();
    expect(again.bytes.length).toBe(0);
  });

  it('does not go offline under a buffer: EBUSY', () => {
    const machine = temporaryMachine();
    machine.createRegion({ size: '128MiB', sparse: true, targetNode: 2 });
    machine.reconfigure('dax0.0', 'system-ram');
    const buffer = machine.node(2).alloc(4096);
    expect(codeOf(() => machine.offlineMemory('dax0.0'))).toBe('EBUSY');
    expect(codeOf(() => machine.disable('dax0.0', { force: true }))).toBe('EBUSY');
    expect(buffer.bytes.length).toBe(4096);
    buffer.free();
    expect(machine.offlineMemory('dax0.0')).toBe(1);
  });
});
