/**
 * Python and Node on one arena. Python has no atomics: its pin is one store and a fence before the second look. On real cores, with
 * Node reusing the space as fast as it can, no pinned value may change; and Python's writers, killed, must lose nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Arena, createArena, fsckArena, openArena } from '../../src/arena/index.js';
import { mkfs, mountFamfs, type Volume } from '../../src/index.js';
import { because, environment, house, noPython, pythons, UUID } from './support.js';

const MIB = 2 ** 20;

interface Running {
  process: ChildProcess;
  lines: string[];
  ready: Promise<void>;
  ended: Promise<string>;
}

describe('an arena between Python and Node', () => {
  const directories: string[] = [];
  const running: Running[] = [];
  afterEach(async () => {
    for (const each of running) each.process.kill('SIGKILL');
    await Promise.all(running.splice(0).map(({ ended }) => ended));
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });

  function make(
    megabytes: number,
    eviction: 'none' | 'clock',
  ): { image: string; volume: Volume; arena: Arena } {
    process.env.UDAX_SYSTEM_UUID = UUID;
    const directory = mkdtempSync(join(tmpdir(), 'udax-arena-py-'));
    directories.push(directory);
    const image = join(directory, 'pool.img');
    writeFileSync(image, '');
    truncateSync(image, 64 * MIB);
    mkfs(image);
    const volume = mountFamfs(image);
    createArena(volume, '/kv', { size: megabytes * MIB, slots: 512, eviction, members: 16 });
    return { image, volume, arena: openArena(volume, '/kv', { lockWaitMs: 10_000 }) };
  }

  function start(program: string, file: string, ...words: (string | number)[]): Running {
    const child = spawn(program, [join(house, file), ...words.map(String)], { env: environment() });
    let err = '';
    let out = '';
    let isReady = () => {};
    const lines: string[] = [];
    child.stderr.on('data', (data) => {
      err += data;
    });
    child.stdout.on('data', (data) => {
      out += data;
      const whole = out.split('\n');
      out = whole.pop()!;
      lines.push(...whole);
      isReady();
    });
    const each: Running = {
      process: child,
      lines,
      ready: new Promise((resolve) => {
        isReady = resolve;
        child.on('close', resolve as () => void);
      }),
      ended: new Promise((resolve) => child.on('close', () => resolve(err))),
    };
    running.push(each);
    return each;
  }

  const node = (...words: (string | number)[]) =>
    start(process.execPath, 'proof/kill/arena-child.mjs', ...words);
  const python = (...words: (string | number)[]) =>
    start(pythons[0]!.program, 'test/python/arena.py', ...words);

  function expectSound(arena: Arena, volume: Volume): void {
    arena.reap();
    const { used, reserved, limbo, free, heap } = arena.stats();
    expect([reserved, limbo, used + free]).toEqual([0, 0, heap]);
    expect(fsckArena(volume, '/kv').problems).toEqual([]);
  }

  it.skipIf(noPython)(
    `keeps what Python has pinned while Node reuses the space, and the other way${because}`,
    async () => {
      const { image, volume, arena } = make(1.5, 'clock');
      const all = [
        node(image, 'write', 1, 1200),
        python(image, 'write', 2, 500),
        node(image, 'write', 3, 1200),
        python(image, 'read', 4, 250),
        python(image, 'read', 5, 250),
        node(image, 'read', 6, 250),
      ];
      for (const each of all) expect(await each.ended).toBe('');
      expect(arena.stats().evictions).toBeGreaterThan(0);
      expectSound(arena, volume);
      arena.close();
      volume.close();
    },
    600_000,
  );

  it.skipIf(noPython)(
    `loses nothing of killed Python writers${because}`,
    async () => {
      const { image, volume, arena } = make(40, 'none');
      const known = new Map<string, string>();
      for (let round = 0; round < 3; round++) {
        const writers = [
          python(image, 'write', 1, 1e9),
          python(image, 'write', 2, 1e9),
          python(image, 'read', 9, 1e9),
        ];
        await Promise.all(writers.map(({ ready }) => ready));
        await new Promise((resolve) => setTimeout(resolve, 200 + round * 100));
        for (const { process: child } of writers) child.kill('SIGKILL');
        for (const each of writers) expect(await each.ended).toBe('');
        const maybe = new Map<string, string>();
        for (const { lines } of writers) {
          for (const line of lines) {
            const [word, key, number] = line.split(' ') as [string, string, string];
            if (word === 'begin') maybe.set(key, number);
            else if (word === 'put' || word === 'same') maybe.delete(key);
            if (word === 'put') known.set(key, number);
          }
        }
        const there = (key: string): string => {
          const bytes = arena.read(key);
          return bytes === null
            ? 'gone'
            : Buffer.from(bytes.subarray(0, 64)).toString('latin1').split(' ')[1]!;
        };
        for (const [key, number] of known) expect([number, maybe.get(key)], key).toContain(there(key));
        for (const key of maybe.keys()) known.set(key, there(key));
        expectSound(arena, volume);
      }
      arena.close();
      volume.close();
    },
    600_000,
  );
});
