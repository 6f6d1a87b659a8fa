/** Queues: a producer and a consumer, each closed and opened again in between, on one host and on two. */
import { createQueue, openQueue, type Queue, type Volume } from '../../../src/index.js';
import type { Actor, Look, Protocol } from '../types.js';
import { closeMounted, type Mounted, openMounted } from './opening.js';

const PATH = '/queue';
const BUCKETS = 4;
/** Messages of each run: more than the queue holds, so that it gets full and its indices wrap. */
const MESSAGES = 5;

interface End extends Mounted {
  queue: Queue | undefined;
}

const messageOf = (run: number, i: number): string => `${run}.${i}`;

function reopened(end: End, role: 'producer' | 'consumer'): Queue {
  end.queue?.close();
  end.queue = openQueue(end.volume, PATH, { role, framed: true });
  return end.queue;
}

function puts(end: End, run: number): string[] {
  const put: string[] = [];
  let queue = reopened(end, 'producer');
  for (let i = 0; i < MESSAGES; i++) {
    if (i === 2) queue = reopened(end, 'producer');
    const text = messageOf(run, i);
    if (queue.tryPut(Buffer.from(text))) put.push(text);
  }
  return put;
}

function gets(end: End): string[] {
  const got: string[] = [];
  let queue = reopened(end, 'consumer');
  for (let i = 0; i < MESSAGES; i++) {
    if (i === 2) queue = reopened(end, 'consumer');
    const message = queue.tryGet();
    if (message) got.push(Buffer.from(message).toString());
  }
  return got;
}

function endOf(run: (end: End, run: number) => unknown, after?: (end: End) => unknown): Actor<End> {
  return {
    open: (world, me) => ({ ...openMounted(world, me, { clientWrites: true }), queue: undefined }),
    run,
    after(end) {
      const result = after?.(end);
      end.queue?.close();
      end.queue = undefined;
      return result;
    },
    close: closeMounted,
  };
}

/** The messages left in the queue at the end. The consumer takes them, on its own host. */
function rest(end: End): string[] {
  const queue = reopened(end, 'consumer');
  const got: string[] = [];
  for (let message = queue.tryGet(); message; message = queue.tryGet())
    got.push(Buffer.from(message).toString());
  return got;
}

function judge({ told, run }: Look): string[] {
  const put = (told[0].value ?? []) as string[];
  const got = [told[1].value, told[1].after].flatMap((part) => (part ?? []) as string[]);
  return put.join() === got.join() ? [] : [`run ${run}: put ${put.join(' ')}, got ${got.join(' ')}`];
}

function makeQueue(volume: Volume): void {
  createQueue(volume, PATH, { nbuckets: BUCKETS, bucketSize: 64 });
}

export const queueProtocols: Protocol[] = ([1, 2] as const).map((hosts) => ({
  name: hosts === 1 ? 'queue' : 'hosts-queue',
  about:
    hosts === 1
      ? 'a queue is put to and taken from, each end closed and opened again'
      : 'the same, the ends on two hosts without common caches',
  hosts,
  actors: [endOf(puts), endOf(gets, rest)],
  setUp: makeQueue,
  judge,
}));
