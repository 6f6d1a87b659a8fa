import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import {
  atLeast,
  atMost,
  gigabytesPerSecond,
  interleave,
  type Row,
  significant,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const BYTES = 2 ** 30;
/** The speed of one pass differs by 10 % from the next on a virtual machine, so that few rounds say nothing. */
const ROUNDS = 21;
const PROCESSES = 4;
/** Paths from build/bench/rows, where the compiled benchmark runs. */
const child = resolve(import.meta.dirname, '../../../bench/children/map-file.py');
const binary = resolve(import.meta.dirname, '../../../bin/udax.js');

/** Python with one file open, which maps it and works on it when told. */
class Mapper {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(words: readonly string[]) {
    this.#process = spawn(words[0]!, words.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout! })[Symbol.asyncIterator]();
  }

  async ask(what: 'sequential' | 'random' | 'pss'): Promise<number> {
    this.#process.stdin!.write(`${what}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the Python that maps ended at ${what}`);
    return Number(value);
  }

  async end(): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.stdin!.end();
    await ended;
  }
}

/**
 * ZR: Python's mmap of a 1 GiB file of a mount under `udax run`, against a plain file of the same memory file system, and against
 * the mount without it. Each measurement maps, works and unmaps.
 */
export function run(): Promise<Row[]> {
  if (spawnSync('python3', ['--version']).status !== 0 || process.geteuid?.() !== 0) {
    process.stderr.write('bench: row ZR skipped: it needs python3, and root to mount\n');
    return Promise.resolve([]);
  }
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'run', { size: '1200MiB' });
    const file = pool.volume.create('/a', { size: BYTES });
    const words = new Uint32Array(2 ** 18).map((_, i) => Math.imul(i, 2654435761));
    for (let at = 0; at < BYTES; at += words.byteLength) file.write(new Uint8Array(words.buffer), at);
    file.close();
    pool.close();
    const at = join(directory, 'mnt');
    mkdirSync(at);
    const server = spawn(process.execPath, [binary, '--root', pool.root, 'mount', '-f', pool.device, at], {
      stdio: 'ignore',
    });
    try {
      while (!readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${at} `)) await pause(20);
      const plain = join(directory, 'plain');
      writeFileSync(plain, '');
      copyFileSync(join(at, 'a'), plain);
      return [...(await speed(at, plain, backing)), await sharing(at, backing)];
    } finally {
      spawnSync('umount', ['-l', at]);
      server.kill('SIGTERM');
    }
  });
}

const underRun = (...words: string[]) => [process.execPath, binary, 'run', '--', 'python3', child, ...words];

async function speed(at: string, plain: string, backing: string): Promise<Row[]> {
  const mappers = {
    run: new Mapper(underRun(join(at, 'a'))),
    tmpfs: new Mapper(['python3', child, plain]),
    mount: new Mapper(['python3', child, join(at, 'a')]),
  };
  const rows: Row[] = [];
  for (const [what, bytes] of [
    ['sequential', BYTES],
    ['random', 50_000 * 4096],
  ] as const) {
    const asked = (mapper: Mapper) => async () => (await mapper.ask(what)) * 1000;
    const { run, tmpfs, mount } = mappers;
    const ms = await interleave(ROUNDS, { run: asked(run), tmpfs: asked(tmpfs), mount: asked(mount) });
    const figures = (['run', 'tmpfs', 'mount'] as const).map(
      (name) => `${name} ${gigabytesPerSecond(bytes, ms.ms(name))} GB/s`,
    );
    rows.push({
      id: 'ZR',
      name: `Python mmap, ${what === 'random' ? 'random 4 KiB' : 'sequential'}: udax run, speed vs a plain file`,
      ...atLeast(ms.ratio('tmpfs', 'run'), 0.95),
      unit: 'x',
      reference: `${figures.join(', ')}; the mount is ${significant(ms.ratio('tmpfs', 'mount').value)} of the plain file`,
      backing,
    });
  }
  for (const mapper of Object.values(mappers)) await mapper.end();
  return rows;
}

async function sharing(at: string, backing: string): Promise<Row> {
  const mappers = Array.from({ length: PROCESSES }, () => new Mapper(underRun(join(at, 'a'), '.mem')));
  for (const mapper of mappers) await mapper.ask('sequential');
  let pss = 0;
  for (const mapper of mappers) pss += await mapper.ask('pss');
  for (const mapper of mappers) await mapper.end();
  return {
    id: 'ZR',
    name: `${PROCESSES} Python processes on 1 GiB: PSS of all mappings`,
    ...atMost(pss / BYTES, 1.02),
    unit: 'copies',
    reference: `${PROCESSES} private copies: ${PROCESSES}`,
    backing,
  };
}
