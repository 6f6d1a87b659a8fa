import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { atLeast, interleave, type Row, significant, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const DIRECTORIES = 100;
const FILES_IN_EACH = 100;
const ROUNDS = 21;
/** Server and client share this CPU: a wake-up on another CPU costs more than the work and would hide it. */
const CPU = '0';
const READERS = 8;
const PAGE = 4096;
const MIB = 2 ** 20;
const BIG_BYTES = 256 * MIB;

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
 * D: the JavaScript server against one in C, on the same kernel, CPU and memory, in the same run. Neither has extended attributes; with
 * both the kernel keeps its pages from open to open. Cold: the kernel has forgotten them.
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
    const alone = { cpus: CPU, threads: 'one', where: 'one CPU' };
    const together = { cpus: `0-${availableParallelism() - 1}`, threads: 'many', where: 'all CPUs' };
    const rows = [
      ...(await sideBySide(directory, server, big, alone, acts(client))),
      ...(await sideBySide(directory, server, big, together, [readers(client, together.cpus)])),
    ];
    return rows.map((row) => ({ ...row, backing }));
  });
}

type FuseRow = Omit<Row, 'backing'>;

interface Servers {
  /** For taskset -c. */
  cpus: string;
  threads: string;
  where: string;
}

/** Mounts both, measures, takes them down. */
async function sideBySide(
  directory: string,
  server: string,
  big: { memory: string; offset: number },
  { cpus, threads, where }: Servers,
  acts: Act[],
): Promise<FuseRow[]> {
  const [ours, theirs] = ['ours', 'theirs'].map((name) => join(directory, name)) as [string, string];
  for (const at of [ours, theirs]) mkdirSync(at, { recursive: true });
  const words = [theirs, big.memory, ...[big.offset, BIG_BYTES, DIRECTORIES, FILES_IN_EACH].map(String)];
  const node = ['--root', join(directory, 'fuse'), 'mount', '-f', '--no-xattr', 'dax0.0', ours];
  const servers = [
    pinned(cpus, server, [...words, threads]),
    pinned(cpus, process.execPath, [binary, ...node]),
  ];
  try {
    await mounted(theirs);
    await mounted(ours);
    const rows: FuseRow[] = [];
    for (const act of acts) rows.push(await row(act, ours, theirs, where));
    return rows;
  } finally {
    for (const at of [ours, theirs]) spawnSync('umount', ['-l', at]);
    await Promise.all(servers.map(ended));
  }
}

async function row(act: Act, ours: string, theirs: string, where: string): Promise<FuseRow> {
  const ms = await interleave(ROUNDS, { c: () => act.run(theirs), js: () => act.run(ours) });
  const rate = (milliseconds: number) => `${significant((act.count / milliseconds) * 1000)} ${act.unit}/s`;
  return {
    id: act.id,
    name: `FUSE: ${act.name}`,
    ...atLeast(ms.ratio('c', 'js'), act.goal),
    unit: 'x',
    reference: `C libfuse ${rate(ms.ms('c'))}, udax ${rate(ms.ms('js'))}; ${where}`,
  };
}

const seconds = (cpus: string, client: string, ...words: (string | number)[]) =>
  Number(output('taskset', ['-c', cpus, client, ...words.map(String)])) * 1000;

/** What the kernel keeps: its pages, or its names and attributes. */
const FORGET = { pages: '1', names: '2' } as const;

/** How long the servers need to take in what the kernel has forgotten, ms: 10,000 names each. That is nobody's listing. */
const FORGETTING_MS = 100;

const cold = (what: keyof typeof FORGET, act: (at: string) => number) => (at: string) => {
  writeFileSync('/proc/sys/vm/drop_caches', FORGET[what]);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FORGETTING_MS);
  return act(at);
};

function acts(client: string): Act[] {
  const files = DIRECTORIES * FILES_IN_EACH;
  const read = (block: number, count: number) => (at: string) =>
    seconds(CPU, client, 'read', join(at, 'big'), block, count);
  const map = (at: string) => seconds(CPU, client, 'map', join(at, 'big'), PAGE, 1);
  // Filled anew each time: where the kernel's pages happen to lie makes a difference of a tenth, and that is nobody's.
  const cached = (act: (at: string) => number) =>
    cold('pages', (at) => {
      map(at);
      return act(at);
    });
  const list = (at: string) => timed('taskset', ['-c', CPU, 'ls', '-lR', at]);
  const stat = (at: string) => seconds(CPU, client, 'stat', at, DIRECTORIES, FILES_IN_EACH);
  const each = (
    unit: string,
    id: string,
    name: string,
    count: number,
    goal: number,
    run: Act['run'],
  ): Act => ({
    ...{ id, name, goal, count, unit, run },
  });
  return [
    each('reads', 'D1', 'random 4 KiB reads, cold', 8000, 0.95, cold('pages', read(PAGE, 8000))),
    each('MiB', 'D2', 'random 1 MiB reads, cold', 256, 0.95, cold('pages', read(MIB, 256))),
    each('MiB', 'D6', 'mapped, from the first page to the last, cold', 256, 0.8, cold('pages', map)),
    each('reads', 'D7', 'random 4 KiB reads, cached', 60_000, 0.95, cached(read(PAGE, 60_000))),
    each('MiB', 'D8', 'random 1 MiB reads, cached', 600, 0.95, cached(read(MIB, 600))),
    each('files', 'D3', `ls -lR of ${files}, cached`, files, 0.95, list),
    each('files', 'D4', `ls -lR of ${files}, cold`, files, 0.9, cold('names', list)),
    each('lookups', 'D5', 'lookups', files, 0.9, cold('names', stat)),
  ];
}

function readers(client: string, cpus: string): Act {
  const count = 4000;
  const run = (at: string) => seconds(cpus, client, 'readers', join(at, 'big'), PAGE, count);
  return {
    ...{ id: 'D9', name: `random 4 KiB reads by ${READERS} threads, cold`, goal: 1 },
    ...{ count: READERS * count, unit: 'reads', run: cold('pages', run) },
  };
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

function pinned(cpus: string, program: string, words: string[]): ChildProcess {
  return spawn('taskset', ['-c', cpus, program, ...words], { stdio: 'ignore' });
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exit = once(server, 'exit');
  server.kill('SIGTERM');
  await exit;
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
