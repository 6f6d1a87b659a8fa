/** Processes on one arena at once. Killed ones: npm run kill, whose short form is test/proof/kill.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ArenaWorkers } from '../../proof/kill/arena-workers.js';

describe('an arena and its processes', () => {
  let directory: string | undefined;
  let workers: ArenaWorkers | undefined;
  afterEach(async () => {
    await workers?.end();
    workers = undefined;
    if (directory !== undefined) rmSync(directory, { recursive: true });
    directory = undefined;
  });

  function make(eviction: 'none' | 'clock', options?: { lockWaitMs: number }): ArenaWorkers {
    directory = mkdtempSync(join(tmpdir(), 'udax-arena-'));
    workers = new ArenaWorkers(directory, eviction, options);
    return workers;
  }

  it('goes on under eviction, with whole values only', async () => {
    const made = make('clock');
    const all = [
      ...[1, 2, 3, 4].map((seed) => made.start('write', seed, 1500)),
      ...[5, 6].map((seed) => made.start('read', seed, 300)),
    ];
    for (const each of all) expect(await each.ended).toBe('');
    expect(made.arena.stats().evictions).toBeGreaterThan(0);
    expect(made.problems([])).toEqual([]);
  });

  it('is told by name who keeps the lock, and goes on after a kill', async () => {
    // A longer wait than the default looks for the holder for longer too: this machine may be busy.
    const made = make('none', { lockWaitMs: 100 });
    const { arena } = made;
    const writer = made.start('write', 1, 1e9);
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
    expect(made.problems([writer])).toEqual([]);
  });
});
