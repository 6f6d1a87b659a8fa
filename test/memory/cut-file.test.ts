// What went wrong: after a file under memory was cut, the next load through a view of it was a fatal SIGBUS, and sync() of bytes
// that are gone reported success. Right: a request for a view checks that the memory is there, and a missing part does not block
// the rest.
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openBacking, PhysicalMemory } from '../../src/memory/index.js';
import { closedAfterwards, HPA, MiB, memoryOver, PAGE, temporaryDirectory } from './support.js';

describe('memory over a file that is cut', () => {
  function cutFile() {
    const file = path.join(temporaryDirectory(), 'memory');
    fs.writeFileSync(file, new Uint8Array(8 * MiB).fill(9));
    const backing = closedAfterwards(openBacking(file));
    const memory = memoryOver(backing);
    return { file, backing, memory };
  }
  const eio = (file: string, end: number) =>
    expect.objectContaining({ code: 'EIO', message: expect.stringContaining(`${file} ends at byte ${end}`) });

  it('gives views of what is left, before and after its windows are mapped, and EIO for the rest', () => {
    for (const isMapped of [false, true]) {
      const { file, memory } = cutFile();
      if (isMapped) expect(memory.bytes(HPA, 8 * MiB)).toHaveLength(8 * MiB);
      fs.truncateSync(file, MiB);
      expect(memory.bytes(HPA + MiB - 1, 1)[0]).toBe(9);
      expect(() => memory.bytes(HPA + MiB, 1)).toThrow(eio(file, MiB));
      expect(() => memory.dataBytes(HPA, 2 * MiB)).toThrow(eio(file, MiB));
      expect(() => memory.assertThere(HPA + 7 * MiB, PAGE)).toThrow(eio(file, MiB));
      fs.truncateSync(file, 8 * MiB);
      expect(memory.bytes(HPA + 7 * MiB, 1)[0]).toBe(0);
    }
  });

  it('cannot be made durable where it is gone', () => {
    const { file, backing } = cutFile();
    backing.sync(0, 8 * MiB);
    fs.truncateSync(file, MiB);
    backing.sync(0, MiB);
    expect(() => backing.sync(0, 8 * MiB)).toThrow(eio(file, MiB));
    expect(() => backing.zero(2 * MiB, PAGE)).toThrow(eio(file, MiB));
    expect(backing.endNow()).toBe(MiB);
    expect(fs.statSync(file).size).toBe(MiB);
  });

  it('that is an image shorter than its device reads zero there for metadata, and has no data there', () => {
    const { file, backing } = cutFile();
    const memory = closedAfterwards(new PhysicalMemory());
    memory.insert({ start: HPA, length: 16 * MiB, backing, offset: 0, zeroExtend: true });
    expect(memory.bytes(HPA + 12 * MiB, 1)[0]).toBe(0);
    expect(() => memory.dataBytes(HPA + 12 * MiB, 1)).toThrow(eio(file, 8 * MiB));
  });
});
