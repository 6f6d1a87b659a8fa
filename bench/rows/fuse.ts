import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, interleave, type Row, significant, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const BIG_BYTES = 256 * 2 ** 20;
const DIRECTORIES = 100;
const FILES_IN_EACH = 100;
const ROUNDS = 7;
/** Server and client share this CPU: a wake-up on another CPU costs more than the work and would hide it. */
const CPU = '0';

/** Path from build/bench/rows, where the compiled benchmark runs. */
const sources = resolve(import.meta.dirname, '../../../bench/c');
const binary = resolve(import.meta.dirname, '../../../bin/udax.js');

/** One measurement: `run` returns the milliseconds that the command takes on a mount. */
interface Act {
  id: string;
  name: string;
  goal: number;
  /** Number of operations in one run, in `unit`s (reads, lookups ...). */
  count: number;
  unit: string;
  run(at: string): number;
}

/**
 * D: the JavaScript server against one in C, on the same kernel, CPU and memory, in the same run. Neither has extended
 * attributes.
 */
export function fuse(): Promise<Row[]> {
  const missing = whatIsMissing();
  if (missing !== '') {
    process.stderr.write(`bench: row D skipped: ${missing}\n`);
    return Promise.resolve([]);
  }
  return withBenchDirectory(async (directory, backing) => {
    const [server, client] = ['fuse-server', 'fuse-client'].map((name) => compiled(name, directory)) as [
      string,
      string,
    ];
    const big = makeFiles(directory);
    const [ours, theirs] = ['ours', 'theirs'].map((name) => join(directory, name)) as [string, string];
    mkdirSync(ours);
    mkdirSync(theirs);
    const words = [theirs, big.memory, ...[big.offset, BIG_BYTES, DIRECTORIES, FILES_IN_EACH].map(String)];
    const node = ['--root', join(directory, 'fuse'), 'mount', '-f', '--no-xattr', 'dax0.0', ours];
    const servers = [pinned(server, words), pinned(process.execPath, [binary, ...node])];
    try {
      await mounted(theirs);
      await mounted(ours);
      const rows: Row[] = [];
      for (const act of acts(client)) rows.push(await row(act, ours, theirs, backing));
      return rows;
    } finally {
      for (const at of [ours, theirs]) spawnSync('umount', ['-l', at]);
      for (const child of servers) child.kill('SIGTERM');
    }
  });
}

async function row(act: Act, ours: string, theirs: string, backing: string): Promise<Row> {
  const ms = await interleave(ROUNDS, { c: () => act.run(theirs), js: () => act.run(ours) });
  const rate = (milliseconds: number) => `${significant((act.count / milliseconds) * 1000)} ${act.unit}/s`;
  return {
    id: act.id,
    name: act.name,
    ...atLeast(ms.c! / ms.js!, act.goal),
    unit: 'x',
    reference: `C libfuse ${rate(ms.c!)}, udax ${rate(ms.js!)}; one CPU`,
    backing,
  };
}

function acts(client: string): Act[] {
  const seconds = (...words: string[]) => Number(output('taskset', ['-c', CPU, client, ...words])) * 1000;
  const files = DIRECTORIES * FILES_IN_EACH;
  const read = (at: string, block: number, count: number) =>
    seconds('read', join(at, 'big'), String(block), String(count));
  const list = (at: string) => timed('taskset', ['-c', CPU, 'ls', '-lR', at]);
  const cold = (act: (at: string) => number) => (at: string) => {
    writeFileSync('/proc/sys/vm/drop_caches', '2');
    return act(at);
  };
  const stat = (at: string) => seconds('stat', at, String(DIRECTORIES), String(FILES_IN_EACH));
  return [
    {
      id: 'D1',
      name: 'FUSE: random 4 KiB reads',
      goal: 0.95,
      count: 60_000,
      unit: 'reads',
      run: (at) => read(at, 4096, 60_000),
    },
    {
      id: 'D2',
      name: 'FUSE: random 1 MiB reads',
      goal: 0.95,
      count: 2000,
      unit: 'MiB',
      run: (at) => read(at, 2 ** 20, 2000),
    },
    {
      id: 'D3',
      name: `FUSE: ls -lR of ${files}, cached`,
      goal: 0.95,
      count: files,
      unit: 'files',
      run: list,
    },
    {
      id: 'D4',
      name: `FUSE: ls -lR of ${files}, cold`,
      goal: 0.7,
      count: files,
      unit: 'files',
      run: cold(list),
    },
    { id: 'D5', name: 'FUSE: lookups', goal: 0.85, count: files, unit: 'lookups', run: cold(stat) },
  ];
}

function whatIsMissing(): string {
  if (process.getuid?.() !== 0 || !existsSync('/dev/fuse')) return 'mounting needs root and /dev/fuse';
  if (spawnSync('gcc', ['--version']).status !== 0) return 'there is no C compiler (gcc)';
  if (spawnSync('pkg-config', ['--exists', 'fuse3']).status !== 0) return 'there is no libfuse3-dev';
  return spawnSync('taskset', ['-c', CPU, 'true']).status === 0 ? '' : 'there is no taskset (util-linux)';
}

function compiled(name: string, directory: string): string {
  const flags = output('pkg-config', ['--cflags', '--libs', 'fuse3']).trim().split(/\s+/);
  const program = join(directory, name);
  output('gcc', ['-O2', '-Wall', '-o', program, join(sources, `${name}.c`), ...flags]);
  return program;
}

/** A volume with the names that the C server has. Both serve the big file from the same memory. */
function makeFiles(directory: string): { memory: string; offset: number } {
  const pool = makePool(directory, 'fuse', { size: '24GiB', sparse: true });
  const big = pool.volume.create('/big', { size: BIG_BYTES });
  const view = big.map({ writable: true });
  for (let at = 0; at < view.length; at += 4096) view[at] = at / 4096;
  for (let d = 0; d < DIRECTORIES; d++) {
    pool.volume.mkdir(`/d${d}`);
    for (let f = 0; f < FILES_IN_EACH; f++)
      pool.volume.create(`/d${d}/f${f}`, { size: 100, zero: false }).close();
  }
  const memory = pool.machine.regions()[0]!.backing.path;
  const { extents } = pool.volume.getmap('/big');
  if (extents.length !== 1) throw new Error('the big file is not in one piece');
  pool.close();
  return { memory, offset: extents[0]!.offset };
}

function pinned(program: string, words: string[]): ChildProcess {
  return spawn('taskset', ['-c', CPU, program, ...words], { stdio: 'ignore' });
}

async function mounted(at: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${at} fuse`)) return;
    await pause(50);
  }
  throw new Error(`${at} was never mounted`);
}

function output(program: string, words: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', timeout: 60_000 });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: exit ${status} ${stderr}`);
  return stdout;
}

function timed(program: string, words: string[]): number {
  const start = performance.now();
  const { status } = spawnSync(program, words, { stdio: 'ignore', timeout: 60_000 });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: exit ${status}`);
  return performance.now() - start;
}
