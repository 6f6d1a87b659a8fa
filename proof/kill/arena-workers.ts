/** Processes that write and read one arena, and what they were told is in it. */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { type Arena, createArena, fsckArena, openArena } from '../../src/arena/index.js';
import { mkfs, mountFamfs, type Volume } from '../../src/index.js';
import { checkoutDirectory } from '../steps/tool.js';

const MIB = 2 ** 20;
const UUID = '11111111-2222-4333-8444-555555555555';
const PATH = '/kv';

export interface ArenaWorker {
  process: ChildProcess;
  /** What it was told is there: the number of the value by key, or `gone`. */
  certain: Map<string, string>;
  /** The act that did not end: its key may have the new number too. */
  open: [key: string, number: string] | undefined;
  /** Acts that it was told are done. */
  told: number;
  ready: Promise<void>;
  /** What it wrote to stderr. */
  ended: Promise<string>;
}

/** An image with one arena in it, open in this process, and the processes on it. */
export class ArenaWorkers {
  readonly volume: Volume;
  readonly arena: Arena;
  readonly #image: string;
  readonly #all = new Set<ArenaWorker>();

  /** @param options lockWaitMs: of this process's handle */
  constructor(directory: string, eviction: 'none' | 'clock', options: { lockWaitMs?: number } = {}) {
    process.env.UDAX_SYSTEM_UUID = UUID;
    this.#image = path.join(directory, 'pool.img');
    fs.writeFileSync(this.#image, '');
    fs.truncateSync(this.#image, 64 * MIB);
    mkfs(this.#image);
    this.volume = mountFamfs(this.#image);
    createArena(this.volume, PATH, {
      size: (eviction === 'none' ? 40 : 1.5) * MIB,
      slots: 512,
      eviction,
      members: 16,
    });
    this.arena = openArena(this.volume, PATH, options);
  }

  /** @param known what a writer of the same seed was told before */
  start(act: 'write' | 'read', seed: number, count: number, known = new Map<string, string>()): ArenaWorker {
    const script = path.join(checkoutDirectory(), 'proof', 'kill', 'arena-child.mjs');
    const process_ = spawn(process.execPath, [script, this.#image, act, String(seed), String(count)], {
      env: { ...process.env, UDAX_SYSTEM_UUID: UUID },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    process_.stderr.on('data', (data) => {
      err += data;
    });
    let isReady = () => {};
    const worker: ArenaWorker = {
      process: process_,
      certain: known,
      open: undefined,
      told: 0,
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
    this.#all.add(worker);
    void worker.ended.then(() => this.#all.delete(worker));
    return worker;
  }

  /** The number of the value of a key, or `gone`. */
  numberOf(key: string): string {
    const bytes = this.arena.read(key);
    return bytes === null ? 'gone' : Buffer.from(bytes.subarray(0, 64)).toString('latin1').split(' ')[1]!;
  }

  /** What is not as the writers were told, and space that nobody has. */
  problems(writers: readonly ArenaWorker[]): string[] {
    const found: string[] = [];
    for (const { certain, open } of writers)
      for (const [key, number] of certain) {
        const is = this.numberOf(key);
        if (is !== number && !(open?.[0] === key && is === open[1]))
          found.push(`${key} is ${is}, its writer was told ${number}`);
      }
    this.arena.reap();
    const { used, reserved, limbo, free, heap } = this.arena.stats();
    if (reserved !== 0 || limbo !== 0) found.push(`${reserved} bytes stay reserved, ${limbo} in limbo`);
    if (used + free !== heap) found.push(`${used} used and ${free} free are not the heap of ${heap}`);
    found.push(...fsckArena(this.volume, PATH).problems.map((problem) => JSON.stringify(problem)));
    return found;
  }

  /** Kills what still runs, and closes. */
  async end(): Promise<void> {
    const left = [...this.#all];
    for (const worker of left) worker.process.kill('SIGKILL');
    await Promise.all(left.map(({ ended }) => ended));
    this.arena.close();
    this.volume.close();
  }
}

function note(worker: ArenaWorker, line: string): void {
  const [word, key, number] = line.split(' ') as [string, string, string];
  if (word === 'begin') worker.open = [key, number];
  else if (word === 'same') worker.open = undefined;
  else if (word === 'put') {
    worker.certain.set(key, number);
    worker.open = undefined;
    worker.told++;
  }
}
