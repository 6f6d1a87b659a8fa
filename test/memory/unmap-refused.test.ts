/**
 * Incident: munmap(2) of a span whose view had ended a minute ago was refused (ENOMEM, near the limit of mappings). That was thrown
 * in a timer and ended the process. Right: the span waits once more.
 */
import { expect, it, vi } from 'vitest';
import { interposeCalls, type NativeFunction } from '../../src/libc/load.js';

let isRefused = false;
let unmapped = 0;
interposeCalls((prototype: string, call: NativeFunction): NativeFunction => {
  if (!prototype.startsWith('int munmap(')) return call;
  return (...args) => {
    if (isRefused) return -1;
    unmapped++;
    return call(...args);
  };
});
const { quarantine } = await import('../../src/memory/quarantine.js');
const { memfdBacking, PhysicalMemory } = await import('../../src/memory/index.js');

it('a span that cannot be unmapped waits once more', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const memory = new PhysicalMemory();
  const backing = memfdBacking('udax-test', 2 ** 20);
  try {
    memory.insert({ start: 0, length: 2 ** 20, backing, offset: 0 });
    const mapping = memory.map([{ start: 0, length: 2 ** 20 }], { access: 'shared' });
    mapping.close();
    expect(quarantine.size).toBe(1);
    isRefused = true;
    vi.advanceTimersByTime(61_000);
    expect(quarantine.size).toBe(1);
    isRefused = false;
    vi.advanceTimersByTime(61_000);
    expect([quarantine.size, quarantine.bytes, unmapped]).toEqual([0, 0, 1]);
  } finally {
    vi.useRealTimers();
    memory.close();
    backing.close();
  }
});
