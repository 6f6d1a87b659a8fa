/** Processes on one arena, killed in the middle: what was committed is whole and there, nothing pinned is reused, no space is lost. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Arena, createArena, fsckArena, openArena } from '../../src/arena/index.js';
import { mkfs, mountFamfs, type Volume } from '../../src/index.js';

const child = join(import.meta.dirname, 'child.mjs');
const UUID = '11111111-2222-4333-8444-555555555555';
const MIB = 2 ** 20;
/** Rounds of the kill loop; the long run sets more. */
const ROUNDS = Number(process.env.UDAX_ARENA_ROUNDS ?? 4);

interface Worker {
  process: ChildProcess;
  /** What it was told is there: number by key, or what may be there of an act that did not end. */
  certain: Map<string, string>;
  open: [key: string, number: string] | undefined;
  ready: Promise<void>;
  ended: Promise<string>;
}

describe('an arena and its processes', () => {
  const directories: string[] = [];
  const workers: Worker[] = [];
  afterEach(async () => {
    for (const worker of workers) worker.process.kill('SIGKILL');
    await Promise.all(workers.splice(0).map(({ ended }) => ended));
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });

  function make(eviction: 'none' | 'clock'): { image: string; volume: Volume; arena: Arena } {
    process.env.UDAX_SYSTEM_UUID = UUID;
    const directory = mkdtempSync(join(tmpdir(), 'udax-arena-'));
    directories.push(directory);
    const image = join(directory, 'pool.img');
    writeFileSync(image, '');
    truncateSync(image, 64 * MIB);
    mkfs(image);
    const volume = mountFamfs(image);
    createArena(volume, '/kv', {
      size: (eviction === 'none' ? 40 : 1.5) * MIB,
      slots: 512,
      eviction,
      members: 16,
    });
    return { image, volume, arena: openArena(volume, '/kv') };
  }

  function start(
    image: string,
    act: string,
    seed: number,
    count: number,
    known?: Map<string, string>,
  ): Worker {
    const process_ = spawn(process.execPath, [child, image, act, String(seed), String(count)], {
      env: { ...process.env, UDAX_SYSTEM_UUID: UUID },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    process_.stderr.on('data', (data) => {
      err += data;
    });
    let isReady = () => {};
    const worker: Worker = {
      process: process_,
      certain: known ?? new Map(),
      open: undefined,
      ready: new Promise((resolve) => {
        isReady = resolve;
      }),
      ended: new Promise((resolve) => process_.on('close', () => resolve(err))),
    };
    let rest = '';
    process_.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        isReady();
        note(worker, line);
      }
    });
    process_.on('close', isReady);
    workers.push(worker);
    return worker;
  }

  function note(worker: Worker, line: string): void {
    const [word, key, number] = line.split(' ') as [string, string, string];
    if (word === 'begin') worker.open = [key, number];
    else if (word === 'same') worker.open = undefined;
    else if (word === 'put') {
      worker.certain.set(key, number);
      worker.open = undefined;
    }
  }

  function numberOf(arena: Arena, key: string): string {
    const bytes = arena.read(key);
    return bytes === null ? 'gone' : Buffer.from(bytes.subarray(0, 64)).toString('latin1').split(' ')[1]!;
  }

  function expectWhole(arena: Arena, volume: Volume, writers: readonly Worker[]): void {
    for (const { certain, open } of writers)
      for (const [key, number] of certain) {
        const allowed = open?.[0] === key ? [number, open[1]] : [number];
        expect(allowed, key).toContain(numberOf(arena, key));
      }
    arena.reap();
    const { used, reserved, limbo, free, heap } = arena.stats();
    expect([reserved, limbo]).toEqual([0, 0]);
    expect(used + free).toBe(heap);
    expect(fsckArena(volume, '/kv').problems).toEqual([]);
  }

  it(
    'loses nothing of killed writers, and reuses nothing that readers have pinned',
    async () => {
      const { image, volume, arena } = make('none');
      const known = [1, 2, 3].map(() => new Map<string, string>());
      for (let round = 0; round < ROUNDS; round++) {
        const writers = known.map((certain, i) => start(image, 'write', i + 1, 1e9, certain));
        const readers = [7, 8].map((seed) => start(image, 'read', seed + round * 10, 1e9));
        await Promise.all([...writers, ...readers].map(({ ready }) => ready));
        await new Promise((resolve) => setTimeout(resolve, 150 + (round % 5) * 50));
        for (const { process: running } of [...writers, ...readers]) running.kill('SIGKILL');
        for (const each of [...writers, ...readers]) expect(await each.ended).toBe('');
        expectWhole(arena, volume, writers);
        for (const { certain, open } of writers) if (open) certain.set(open[0], numberOf(arena, open[0]));
        workers.splice(0);
      }
      expect(arena.stats().members).toHaveLength(1);
      arena.close();
      volume.close();
    },
    120_000 + ROUNDS * 10_000,
  );

  it('goes on under eviction, with whole values only', async () => {
    const { image, volume, arena } = make('clock');
    const all = [
      ...[1, 2, 3, 4].map((seed) => start(image, 'write', seed, 1500)),
      ...[5, 6].map((seed) => start(image, 'read', seed, 300)),
    ];
    for (const each of all) expect(await each.ended).toBe('');
    workers.splice(0);
    expect(arena.stats().evictions).toBeGreaterThan(0);
    expectWhole(arena, volume, []);
    arena.close();
    volume.close();
  });

  it('is told by name who keeps the lock, and goes on after a kill', async () => {
    const { image, volume, arena: first } = make('none');
    first.close();
    // A longer wait than the default looks for the holder for longer too: this machine may be busy.
    const arena = openArena(volume, '/kv', { lockWaitMs: 100 });
    const writer = start(image, 'write', 1, 1e9);
    await writer.ready;
    // Stop it until it is caught with the lock: it has it most of the time.
    let message = '';
    for (let tries = 0; message === '' && tries < 500; tries++) {
      writer.process.kill('SIGSTOP');
      try {
        arena.put('mine', Uint8Array.of(1));
        writer.process.kill('SIGCONT');
        await new Promise((resolve) => setTimeout(resolve, 2));
      } catch (error) {
        message = (error as Error).message;
      }
    }
    expect(message).toContain(`pid ${writer.process.pid} `);
    writer.process.kill('SIGKILL');
    expect(await writer.ended).toBe('');
    arena.put('mine', Uint8Array.of(2));
    expectWhole(arena, volume, [writer]);
    arena.close();
    volume.close();
  });
});
