import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createQueue, openQueue } from '../../src/index.js';
import {
  atLeast,
  atMost,
  interleave,
  median,
  type Row,
  significant,
  withBenchDirectory,
} from '../harness.js';
import { makePool, type Pool } from '../pool.js';

const MESSAGES = 200_000;
const PAYLOAD_BYTES = 48;
const FILES = 50;

/** Q: communication between two processes: messages of a queue against a pipe, and the time until a new file is seen. */
export function betweenProcesses(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'two', { size: '512MiB' });
    createQueue(pool.volume, '/q', { nbuckets: 1024, bucketSize: 64 });
    const ms = await interleave(5, { queue: () => throughQueue(pool), pipe: throughPipe });
    const seenMs = await untilSeen(pool);
    pool.close();
    const perSecond = (milliseconds: number) => significant(MESSAGES / milliseconds) * 1000;
    return [
      {
        id: 'Q',
        name: `messages of ${PAYLOAD_BYTES} bytes through a queue vs a pipe`,
        ...atLeast(ms.ratio('pipe', 'queue'), 1),
        unit: 'x',
        reference: `queue ${perSecond(ms.ms('queue'))}/s, pipe with one write(2) a message ${perSecond(ms.ms('pipe'))}/s`,
        backing,
      },
      {
        id: 'Q',
        name: 'create() until another process has seen the file by watch()',
        ...atMost(seenMs, 10),
        unit: 'ms',
        reference: `median of ${FILES}`,
        backing,
      },
    ];
  });
}

async function throughQueue(pool: Pool): Promise<number> {
  const consumer = await start('queue-consumer', [pool.root, pool.device, '/q', String(MESSAGES)]);
  const queue = openQueue(pool.volume, '/q', { role: 'producer' });
  const message = new Uint8Array(PAYLOAD_BYTES);
  const began = performance.now();
  const done = once(consumer, 'message');
  for (let put = 0; put < MESSAGES; put++) {
    message[0] = put;
    if (!queue.tryPut(message)) await queue.put(message);
  }
  await done;
  const taken = performance.now() - began;
  queue.close();
  await once(consumer, 'exit');
  return taken;
}

async function throughPipe(): Promise<number> {
  const consumer = await start('pipe-consumer', [String(PAYLOAD_BYTES), String(MESSAGES)], 'pipe');
  const fd = (consumer.stdin as Socket & { _handle: { fd: number } })._handle.fd;
  const message = new Uint8Array(PAYLOAD_BYTES);
  const began = performance.now();
  const done = once(consumer, 'message');
  for (let put = 0; put < MESSAGES; put++) {
    message[0] = put;
    while (!wrote(fd, message)) await pause(0);
  }
  await done;
  const taken = performance.now() - began;
  consumer.stdin!.destroy();
  await once(consumer, 'exit');
  return taken;
}

/** False when the pipe is full: Node's end of it does not block. */
function wrote(fd: number, message: Uint8Array): boolean {
  try {
    writeSync(fd, message);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return false;
    throw error;
  }
}

async function untilSeen(pool: Pool): Promise<number> {
  const watcher = await start('watcher', [pool.root, pool.device]);
  const times: number[] = [];
  for (let i = 0; i < FILES; i++) {
    const seen = once(watcher, 'message') as Promise<[{ path: string; at: number }]>;
    const began = Date.now();
    pool.volume.create(`/new-${i}`, { size: 4096 }).close();
    times.push((await seen)[0].at - began);
    await pause(7); // not in step with the watcher
  }
  const ended = once(watcher, 'exit');
  watcher.send('end');
  await ended;
  return median(times);
}

async function start(
  name: string,
  words: string[],
  stdin: 'pipe' | 'inherit' = 'inherit',
): Promise<ChildProcess> {
  const file = fileURLToPath(new URL(`../children/${name}.js`, import.meta.url));
  const child = fork(file, words, { stdio: [stdin, 'inherit', 'inherit', 'ipc'] });
  await once(child, 'message');
  return child;
}
