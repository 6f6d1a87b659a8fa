import { describe, expect, it } from 'vitest';
import { errorOf, freshMemory, HPA, isMapped, mapsOf, PAGE, runChild } from './support.js';

const shared = { access: 'shared' } as const;
const page = (number: number, pages = 1) => ({ start: HPA + number * PAGE, length: pages * PAGE });

describe('kill()', () => {
  it('gives every kind of view length 0 and lets late accesses reach nothing', () => {
    const { memory } = freshMemory(4 * PAGE);
    const { buffer } = memory.map([page(0, 4)], shared);
    const floats = new Float64Array(buffer, 64, 8);
    const node = Buffer.from(buffer, 0, 100);
    const data = new DataView(buffer);
    const words = new Int32Array(buffer);
    memory.kill(HPA, PAGE);
    expect([buffer.byteLength, floats.length, node.length, words.length]).toEqual([0, 0, 0, 0]);
    expect(floats[0]).toBeUndefined();
    floats[0] = 1;
    expect(() => data.getUint8(0)).toThrow(TypeError);
    expect(() => Atomics.load(words, 0)).toThrow(TypeError);
    expect(() => node.writeUInt8(1, 0)).toThrow(RangeError);
  });

  it('unmaps, and nothing is left of the mapping', () => {
    const { memory, backing } = freshMemory(4 * PAGE);
    const mapping = memory.map([page(2), page(0)], shared);
    const { address } = mapping;
    memory.kill(HPA + 2 * PAGE, 1);
    expect(isMapped(address, 2 * PAGE)).toBe(false);
    expect(mapsOf(backing)).toEqual([]);
    expect(memory.stats()).toMatchObject({ mappings: 0, mappedBytes: 0 });
  });

  it('ends what touches the bytes and nothing else', () => {
    const { memory } = freshMemory(8 * PAGE);
    const before = memory.map([page(0, 2)], shared);
    const over = memory.map([page(1, 2)], shared);
    const stitched = memory.map([page(6), page(2)], shared);
    const after = memory.map([page(3, 2)], shared);
    expect(memory.kill(HPA + 2 * PAGE, PAGE)).toBe(2);
    expect([before, over, stitched, after].map(({ alive }) => alive)).toEqual([true, false, false, true]);
  });

  it('counts and tells every handle, once, after all that dies is dead', () => {
    const { memory } = freshMemory(2 * PAGE);
    const [a, b, c] = [
      memory.map([page(0)], shared),
      memory.map([page(0)], shared),
      memory.map([page(0, 2)], shared),
    ];
    const told: string[] = [];
    const all = () => [a, b, c].map(({ buffer }) => buffer.byteLength).join();
    a!.onKill(() => told.push(`a ${all()}`));
    b!.onKill(() => told.push(`b ${all()}`));
    c!.onKill(() => told.push(`c ${all()}`));
    expect(memory.kill(HPA, 1)).toBe(3);
    expect(memory.kill(HPA, 1)).toBe(0);
    expect(told).toEqual(['a 0,0,0', 'b 0,0,0', 'c 0,0,0']);
    b!.close();
  });

  it('does not tell who closed before, and tells who asks after at once', () => {
    const { memory } = freshMemory(PAGE);
    const [closed, killed] = [memory.map([page(0)], shared), memory.map([page(0)], shared)];
    const told: string[] = [];
    closed!.onKill(() => told.push('closed'));
    closed!.close();
    expect(memory.kill(HPA, 1)).toBe(1);
    closed!.onKill(() => told.push('closed'));
    killed!.onKill(() => told.push('killed'));
    expect(told).toEqual(['killed']);
  });

  it('tells everybody although one listener fails, and passes the failure on', () => {
    const { memory } = freshMemory(PAGE);
    const [a, b] = [memory.map([page(0)], shared), memory.map([page(0)], shared)];
    let told = false;
    a!.onKill(() => {
      throw new Error('listener failed');
    });
    b!.onKill(() => {
      told = true;
    });
    expect(errorOf(() => memory.kill(HPA, 1)).message).toBe('listener failed');
    expect(told).toBe(true);
  });

  it('lets a listener map the memory anew', () => {
    const { memory } = freshMemory(PAGE);
    const mapping = memory.map([page(0)], shared);
    let again = 0;
    mapping.onKill(() => {
      again = memory.map([page(0)], shared).buffer.byteLength;
    });
    memory.kill(HPA, 1);
    expect(again).toBe(PAGE);
  });

  it('comes with remove(), for a mapping that is only partly there too', () => {
    const { memory } = freshMemory(2 * PAGE);
    const view = new Uint8Array(memory.map([page(1)], shared).buffer);
    memory.remove(HPA);
    expect(view.length).toBe(0);
  });

  it('detaches thousands of mappings one after the other', () => {
    const { memory, backing } = freshMemory(PAGE);
    for (let i = 0; i < 10_000; i++) {
      const mapping = memory.map([page(0)], shared);
      mapping.close();
      if (mapping.buffer.byteLength !== 0) expect.fail(`mapping ${i} kept its buffer`);
    }
    expect(mapsOf(backing)).toEqual([]);
  });

  it('keeps the memory mapped, and says so, when the engine will not let go of a buffer', () => {
    const { stdout, stderr, status } = runChild(`
      const backing = memory.memfdBacking('held', 4096);
      const physical = new memory.PhysicalMemory();
      physical.insert({ start: 0, length: 4096, backing, offset: 0 });
      const mapping = physical.map([{ start: 0, length: 4096 }], { access: 'shared', label: '/held' });
      const view = new Uint8Array(mapping.buffer).fill(3);
      const { default: v8 } = await import('node:v8');
      v8.setFlagsFromString = () => {}; // its own operation cannot be named then
      globalThis.ReadableStream = class { getReader() { return { read: async () => ({}) }; } };
      ArrayBuffer.prototype.transfer = function () {};
      mapping.close();
      console.log(view.length, view[0], mapping.alive);
    `);
    expect({ stdout, status }).toEqual({ stdout: '4096 3 false\n', status: 0 });
    expect(stderr).toMatch(/\/held: the engine did not let go/);
  });

  it('is survived by a loop the compiler has already optimised', () => {
    const { stdout, status, signal } = runChild(`
      const backing = memory.memfdBacking('hot', 1 << 20);
      const physical = new memory.PhysicalMemory();
      physical.insert({ start: 0, length: 1 << 20, backing, offset: 0 });
      const mapping = physical.map([{ start: 0, length: 1 << 20 }], { access: 'shared' });
      const view = new Uint32Array(mapping.buffer).fill(1);
      const sum = (words, n) => { let s = 0; for (let i = 0; i < n; i++) s += words[i] | 0; return s; };
      const fill = (words, n) => { for (let i = 0; i < n; i++) words[i] = 7; };
      for (let i = 0; i < 200; i++) { sum(view, 1 << 18); fill(view, 1 << 10); }
      physical.kill(0, 1);
      fill(view, 1 << 18);
      console.log(sum(view, 1 << 18), view.length);
    `);
    expect({ stdout, status, signal }).toEqual({ stdout: '0 0\n', status: 0, signal: null });
  });
});
