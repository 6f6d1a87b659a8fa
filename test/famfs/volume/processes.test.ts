import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { contentOf, MIB, Pool, pattern, THIS_HOST, UNIT } from './support.js';

const SCRIPT = fileURLToPath(new URL('./child.mjs', import.meta.url));
const BUILT = fileURLToPath(new URL('../../../dist/famfs/volume/index.js', import.meta.url));
const children: ChildProcess[] = [];

class Child {
  readonly lines: unknown[] = [];
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  #waiting: (() => void)[] = [];
  #rest = '';
  #stderr = '';

  constructor(pool: Pool, ...command: string[]) {
    this.process = spawn(process.execPath, [SCRIPT, pool.file, THIS_HOST, ...command]);
    children.push(this.process);
    this.process.stdout!.on('data', (chunk) => this.#take(String(chunk)));
    this.process.stderr!.on('data', (chunk) => {
      this.#stderr += chunk;
    });
    this.ended = new Promise((resolve) =>
      this.process.on('close', (code) => {
        if (code) console.error(this.#stderr);
        resolve(code);
        for (const wake of this.#waiting) wake();
      }),
    );
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.lines.push(JSON.parse(line));
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Waits until it has printed `count` lines (or ended). */
  async printed(count: number): Promise<void> {
    while (this.lines.length < count && this.process.exitCode === null) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await this.ended;
  }
}

describe.skipIf(!fs.existsSync(BUILT))('several processes (on dist/: npm run build)', () => {
  afterEach(() => {
    for (const child of children.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  });

  it('A creates and writes, B sees it after refresh without reopening', async () => {
    const pool = new Pool();
    const child = new Child(pool, 'waitFor', '/greeting');
    await child.printed(1);
    const file = pool.mount().create('/greeting', { size: 5 });
    file.map({ writable: true }).set(Buffer.from('hello'));
    expect(await child.ended).toBe(0);
    expect(child.lines[1]).toBe('hello');
    pool.close();
  });

  it('4 processes create 250 files each at once: 1,000 files, each its own, fsck clean', async () => {
    const pool = new Pool({ size: 1010 * UNIT + 10 * MIB });
    const creators = ['a', 'b', 'c', 'd'].map((prefix) => new Child(pool, 'create', prefix, '250'));
    expect(await Promise.all(creators.map(({ ended }) => ended))).toEqual([0, 0, 0, 0]);
    const volume = pool.mount();
    expect(volume.readdir('/')).toHaveLength(1000);
    for (const { path } of volume.walk()) expect(Buffer.from(contentOf(volume, path)).toString()).toBe(path);
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });

  it('kill -9 in the middle of creates: fsck clean, no committed file lost, the next writer goes on', async () => {
    // Room for everything that the children create before the signal comes on a busy machine.
    const pool = new Pool({ size: 256 * 2 ** 30, logLength: 64 * MIB });
    for (let round = 0; round < 4; round++) {
      const killed = ['x', 'y'].map((name) => new Child(pool, 'createForever', `${name}${round}-`));
      await Promise.all(killed.map((child) => child.printed(50 + round * 37)));
      await Promise.all(killed.map((child) => child.kill()));
      const volume = pool.mount();
      for (const child of killed)
        for (const path of child.lines) expect(volume.exists(String(path))).toBe(true);
      volume.create(`/after${round}`, { size: 1 });
      volume.close();
      expect(pool.fsck()).toEqual([]);
    }
    pool.close();
  });

  it('kill -9 in the middle of copies: whole files or none, reserved space comes back', async () => {
    const pool = new Pool({ size: 16 * 2 ** 30 });
    const bytes = pattern(20 * MIB);
    const source = pool.hostFile('source', bytes);
    const killed = ['x', 'y'].map((name) => new Child(pool, 'copyInForever', name, source));
    await Promise.all(killed.map((child) => child.printed(3)));
    await Promise.all(killed.map((child) => child.kill()));
    const volume = pool.mount();
    for (const child of killed)
      for (const path of child.lines) expect(volume.exists(String(path))).toBe(true);
    for (const { path } of volume.walk()) {
      expect(Buffer.from(contentOf(volume, path)).equals(bytes)).toBe(true);
    }
    expect(pool.fsck()).toEqual([]);
    volume.create('/rest', { size: volume.statfs().free, zero: false });
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });

  it('space reserved by a living process is refused, that of a killed one is not', async () => {
    const pool = new Pool({ size: 64 * MIB });
    const source = pool.hostFile('source', pattern(30 * MIB));
    const child = new Child(pool, 'copyInAndHang', '/a', source);
    await child.printed(1);
    const volume = pool.mount();
    expect(() => volume.create('/b', { size: 30 * MIB })).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    );
    expect(volume.create('/c', { size: 24 * MIB }).fmap.extents[0]!.offset).toBeGreaterThanOrEqual(40 * MIB);
    await child.kill();
    volume.create('/b', { size: 30 * MIB });
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });
});
