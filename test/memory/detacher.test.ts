import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { MAP_ANONYMOUS, MAP_PRIVATE, mmap, munmap, viewMemory } from '../../src/libc/index.js';
import { Detacher } from '../../src/memory/detacher.js';
import { detachByEngine } from '../../src/memory/engine-detach.js';

const BYTES = 2 ** 27;
const module = new URL('../../dist/memory/engine-detach.js', import.meta.url).href;

/** Node's types have no WebAssembly. */
declare class WasmMemory {
  constructor(size: { initial: number });
  readonly buffer: ArrayBuffer;
}

const ways = {
  'the engine': new Detacher(),
  'a transfer, where the engine has no such operation': new Detacher(() => false),
};

describe.each(Object.entries(ways))('a buffer over foreign memory is detached by %s', (_, detacher) => {
  it('leaves views of length 0, also in compiled code, and the collector counts its bytes no more', () => {
    const address = mmap(0, BYTES, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const before = process.memoryUsage().external;
    const buffer = viewMemory(address, BYTES);
    const view = new Uint8Array(buffer, 1024, 4096);
    const sum = (bytes: Uint8Array): number => {
      let all = bytes.length;
      for (let i = 0; i < bytes.length; i++) all += bytes[i]!;
      return all;
    };
    for (let i = 0; i < 2000; i++) expect(sum(view)).toBe(4096);
    expect(process.memoryUsage().external - before).toBeGreaterThan(BYTES / 2);
    expect(detacher.detach(buffer)).toBe(true);
    expect([buffer.byteLength, view.length, sum(view), view[0]]).toEqual([0, 0, 0, undefined]);
    expect(process.memoryUsage().external - before).toBeLessThan(BYTES / 2);
    expect(detacher.detach(buffer), 'again').toBe(true);
    munmap(address, BYTES);
  });
});

describe('the engine detaches', () => {
  it('after it forgot the bytecode, and takes its flag back; who started Node with that flag keeps it', () => {
    const script = `
      const { detachByEngine } = await import('${module}');
      const gc = globalThis.gc;
      const detach = () => { const one = new ArrayBuffer(8); return [detachByEngine(one), one.byteLength]; };
      const answers = [detach()];
      for (let i = 0; i < 20; i++) { gc(); await new Promise((done) => setImmediate(done)); }
      answers.push(detach());
      let names = true;
      try { new Function('%GetUndetectable()'); } catch { names = false; }
      process.stdout.write(JSON.stringify({ answers, names }));`;
    const run = (...flags: string[]): unknown =>
      JSON.parse(
        execFileSync(process.execPath, ['--expose-gc', ...flags, '--input-type=module', '-e', script], {
          encoding: 'utf8',
        }),
      );
    const answers = [
      [true, 0],
      [true, 0],
    ];
    expect(run('--stress-flush-code')).toEqual({ answers, names: false });
    expect(run('--allow-natives-syntax')).toEqual({ answers, names: true });
  });

  it('refuses what it cannot detach', () => {
    const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: typeof WasmMemory } }).WebAssembly;
    const { buffer } = new Memory({ initial: 1 });
    expect(detachByEngine(buffer)).toBe(false);
    expect(buffer.byteLength).toBe(65_536);
  });
});
