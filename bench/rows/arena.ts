import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { open as openLmdb, type RootDatabase } from 'lmdb';
import { type Arena, createArena, openArena } from '../../src/arena/index.js';
import {
  atLeast,
  atMost,
  interleave,
  type Measured,
  median,
  type Rounds,
  type Row,
  scaled,
  settled,
  significant,
  timeMs,
  withBenchDirectory,
} from '../harness.js';
import { makePool, type Pool } from '../pool.js';

const KIB = 1024;
const MIB = 2 ** 20;
const SMALL = 100_000;
const LARGE = 100;
const child = fileURLToPath(new URL('../children/arena-reader.js', import.meta.url));

/** R: the arena against lmdb (noSync, in the same memory) and a socket. Taken in turns. */
export function arena(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'arena', { size: '1200MiB' });
    const { volume } = pool;
    createArena(volume, '/small', { size: 200 * MIB, slots: 150_000, maxKeyBytes: 48 });
    createArena(volume, '/large', { size: 200 * MIB, slots: 1024, maxKeyBytes: 48, eviction: 'clock' });
    const small = openArena(volume, '/small');
    const large = openArena(volume, '/large');
    const lmdb = openLmdb({
      path: join(directory, 'lmdb'),
      noSync: true,
      encoding: 'binary',
      mapSize: 800 * MIB,
    });
    const rows = [
      ...(await puts(small, large, lmdb)),
      ...(await gets(small, large, lmdb)),
      ...(await batches(small, lmdb)),
      ...(await processes(pool)),
      ...(await handOver(pool, large, directory)),
      churn(pool),
    ];
    await lmdb.close();
    small.close();
    large.close();
    pool.close();
    return rows.map((row) => ({ ...row, id: 'R', backing }));
  });
}

type ArenaRow = Omit<Row, 'id' | 'backing'>;
const perSecond = (times: number, ms: number) => significant((times / ms) * 1000);

type Times = Pick<Rounds<'arena' | 'lmdb'>, 'ms' | 'ratio'>;

/** @param fewer times of lmdb in the same round, where it is much slower */
function faster(name: string, times: number, ms: Times, goal: number, fewer = times): ArenaRow {
  const reference = `arena ${perSecond(times, ms.ms('arena'))}/s, lmdb ${perSecond(fewer, ms.ms('lmdb'))}/s`;
  return { name, ...atLeast(scaled(ms.ratio('lmdb', 'arena'), times / fewer), goal), unit: 'x', reference };
}

const withFloor = (row: ArenaRow, floor: number): ArenaRow => ({
  ...row,
  reference: `${row.reference}, the copy alone ${floor}/s (goal: 3 x, or 0.75 of the copy alone)`,
});

const key = (number: number) => `key${number}`;
const filled = (number: number, length: number) => Buffer.alloc(length, number & 0xff);

async function puts(small: Arena, large: Arena, lmdb: RootDatabase): Promise<ArenaRow[]> {
  const putter = (times: number, length: number) => {
    const values = Array.from({ length: 256 }, (_, i) => filled(i, length));
    return (store: (key: string, value: Buffer) => void) =>
      timeMs(() => {
        for (let i = 0; i < times; i++) store(key(i), values[i & 0xff]!);
      });
  };
  const putSmall = putter(SMALL, KIB);
  const kib = await interleave(3, {
    arena: () => putSmall((name, value) => small.put(name, value)),
    lmdb: () => putSmall((name, value) => lmdb.putSync(name, value)),
  });
  const putLarge = putter(LARGE, MIB);
  const heap = new Uint8Array(2 * LARGE * MIB);
  let next = 0;
  const mib = await interleave(7, {
    arena: () => putLarge((name, value) => large.put(name, value)),
    lmdb: () => putLarge((name, value) => lmdb.putSync(`large${name}`, value)),
    floor: () => putLarge((_, value) => heap.set(value, (next++ % (2 * LARGE)) * MIB)),
  });
  // Nobody can be faster than the copy itself.
  const reachable = significant(Math.min(3, 0.75 * mib.ratio('lmdb', 'floor').value));
  return [
    faster('put of 1 KiB, each visible at once, vs lmdb putSync', SMALL, kib, 2),
    withFloor(
      faster('put of 1 MiB, each visible at once, vs lmdb putSync', LARGE, mib, reachable),
      perSecond(LARGE, mib.ms('floor')),
    ),
  ];
}

async function gets(small: Arena, large: Arena, lmdb: RootDatabase): Promise<ArenaRow[]> {
  let sum = 0;
  const get = (times: number, below: number, read: (key: string) => number) => {
    const names = Array.from({ length: below }, (_, i) => key(i));
    let state = 1;
    return timeMs(() => {
      for (let i = 0; i < times; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        sum += read(names[state % below]!);
      }
    });
  };
  const from = (opened: Arena) => (name: string) => {
    const value = opened.get(name)!;
    const byte = value.bytes[9]!;
    value.release();
    return byte;
  };
  const kib = await interleave(5, {
    arena: () => get(SMALL, SMALL, from(small)),
    lmdb: () => get(SMALL, SMALL, (name) => lmdb.getBinaryFast(name)![9]!),
  });
  const mib = await interleave(3, {
    arena: () => get(20_000, LARGE, from(large)),
    lmdb: () => get(2000, LARGE, (name) => lmdb.getBinaryFast(`large${name}`)![9]!),
  });
  if (sum === 0) throw new Error('nothing was read');
  return [
    faster(`get of 1 KiB with a pin, random of ${SMALL}, vs lmdb getBinaryFast`, SMALL, kib, 1.2),
    faster(`get of 1 MiB with a pin, random of ${LARGE}, vs lmdb getBinaryFast`, 20_000, mib, 100, 2000),
  ];
}

async function batches(small: Arena, lmdb: RootDatabase): Promise<ArenaRow[]> {
  const value = filled(7, KIB);
  const each = 500;
  const ms = await interleave(3, {
    arena: () =>
      timeMs(() => {
        for (let i = 0; i < SMALL; i += each)
          small.putBatch(Array.from({ length: each }, (_, j) => [key(i + j), value] as const));
      }),
    lmdb: () =>
      timeMs(() => {
        for (let i = 0; i < SMALL; i += each)
          lmdb.transactionSync(() => {
            for (let j = 0; j < each; j++) lmdb.putSync(key(i + j), value);
          });
      }),
  });
  for (let i = 0; i < SMALL; i++) small.put(key(i), filled(i, KIB));
  const keys = Array.from({ length: 512 }, (_, i) => key((i * 7919) % SMALL));
  const times: number[] = [];
  for (let round = 0; round < 500; round++) times.push(timeMs(() => void small.hasBatch(keys)) * 1000);
  return [
    faster(`put of 1 KiB, ${each} at once, vs lmdb transactionSync`, SMALL, ms, 1),
    {
      name: 'contains of 512 keys',
      ...atMost(settled(times), 30),
      unit: 'us',
      reference: `random of ${SMALL}`,
    },
  ];
}

async function start(pool: Pool, ...words: (string | number)[]): Promise<ChildProcess> {
  // A nursery that eight of fit into the processor's cache: the row is about the arena, not about V8's garbage.
  const started = fork(child, [pool.root, pool.device, ...words.map(String)], {
    execArgv: ['--max-semi-space-size=1'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(started, 'message');
  return started;
}

async function ask<T>(started: ChildProcess, message: string): Promise<T> {
  const answer = once(started, 'message') as Promise<[T]>;
  started.send(message);
  return (await answer)[0];
}

async function end(started: ChildProcess): Promise<void> {
  const ended = once(started, 'exit');
  started.send('end');
  await ended;
}

/**
 * Eight processes get at once; each checks what it reads. The yardstick is one process, on as many cores as the host gives: what eight that
 * only count reach, of one that counts, in the same round.
 */
async function processes(pool: Pool): Promise<ArenaRow[]> {
  const readers: ChildProcess[] = [];
  for (let i = 0; i < 8; i++) readers.push(await start(pool, '/small', SMALL));
  const sumOf = async (all: ChildProcess[], work: string) =>
    (await Promise.all(all.map((reader) => ask<number>(reader, work)))).reduce((a, b) => a + b, 0);
  const found: Record<'one' | 'all' | 'cores' | 'scale', number[]> = {
    one: [],
    all: [],
    cores: [],
    scale: [],
  };
  for (let round = 0; round < 5; round++) {
    const counted = await sumOf(readers.slice(0, 1), 'count');
    const one = await sumOf(readers.slice(0, 1), 'get');
    const all = await sumOf(readers, 'get');
    const cores = (await sumOf(readers, 'count')) / counted;
    found.one.push(one);
    found.all.push(all);
    found.cores.push(cores);
    found.scale.push(all / one / cores);
  }
  for (const reader of readers) await end(reader);
  const [one, all, cores] = [found.one, found.all, found.cores].map(median) as [number, number, number];
  return [
    {
      name: 'get with a pin by 8 processes at once, of linear on the cores there are',
      ...atLeast(settled(found.scale), 0.9),
      unit: 'x',
      reference: `${cpus().length} cores, worth ${significant(cores)}; one ${perSecond(one, 500)}/s, all ${perSecond(all, 500)}/s; no torn read`,
    },
  ];
}

const HAND_OVERS = 40;
const SIZES = [64, MIB, 64 * MIB] as const;

/** From commit() in this process to a get() in another that busy-waits. */
async function handOver(pool: Pool, large: Arena, directory: string): Promise<ArenaRow[]> {
  const measured: Measured[] = [];
  for (const size of SIZES) {
    const waiter = await start(pool, '/large', HAND_OVERS);
    const times = ask<string[]>(waiter, 'wait');
    await pause(50); // it is waiting then
    const committed: bigint[] = [];
    for (let i = 0; i < HAND_OVERS; i++) {
      const reservation = large.reserve(`handed${i}`, size);
      reservation.bytes[0] = 1;
      committed.push(process.hrtime.bigint());
      reservation.commit();
      while (!large.has(`had${i}`));
    }
    const seen = (await times).map(BigInt);
    measured.push(settled(seen.map((at, i) => Number(at - committed[i]!) / 1000)));
    for (let i = 0; i < HAND_OVERS; i++) for (const name of ['handed', 'had']) large.delete(`${name}${i}`);
    await end(waiter);
  }
  const copyMs = await throughSocket(directory);
  return [
    {
      name: 'hand-over of 1 MiB to another process, commit to get',
      ...atMost(measured[1]!, 20),
      unit: 'us',
      reference: `copied over a socket ${significant(copyMs * 1000)} us; 64 B ${significant(measured[0]!.value)} us, 64 MiB ${significant(measured[2]!.value)} us`,
    },
  ];
}

async function throughSocket(directory: string): Promise<number> {
  const block = Buffer.alloc(MIB, 1);
  const path = join(directory, 'socket');
  const server = createServer((socket) => socket.on('data', () => socket.write(block))).listen(path);
  const socket = connect(path);
  const times: number[] = [];
  for (let i = 0; i < 30; i++) {
    const began = performance.now();
    socket.write('x');
    for (let left = MIB; left > 0; ) left -= ((await once(socket, 'data')) as [Buffer])[0].length;
    times.push(performance.now() - began);
  }
  socket.destroy();
  server.close();
  return median(times);
}

const CHURN = Number(process.env.UDAX_BENCH_CHURN ?? 1_000_000);

/** Puts of mixed sizes into a full arena, each of which evicts. */
function churn(pool: Pool): ArenaRow {
  createArena(pool.volume, '/churn', { size: 64 * MIB, slots: 40_000, maxKeyBytes: 48, eviction: 'clock' });
  const opened = openArena(pool.volume, '/churn');
  const values = Array.from({ length: 64 }, (_, i) => Buffer.alloc(200 + i * 60, i));
  let next = 0;
  const tenth = () =>
    timeMs(() => {
      for (let i = 0; i < CHURN / 10; i++, next++) opened.put(key(next % 200_000), values[(next * 31) & 63]!);
    });
  tenth(); // fills it
  const taken = Array.from({ length: 10 }, tenth);
  const { free, largestFree, freePieces, heap, evictions } = opened.stats();
  opened.close();
  return {
    name: `throughput of the last tenth of ${CHURN} puts that evict, of the first`,
    ...atLeast({ value: taken[0]! / taken[9]!, spread: settled(taken).spread }, 0.95),
    unit: 'x',
    reference: `${perSecond(CHURN / 10, median(taken))}/s, ${evictions} evicted; free ${significant((100 * free) / heap)}% in ${freePieces} pieces, the largest ${largestFree} bytes`,
  };
}
