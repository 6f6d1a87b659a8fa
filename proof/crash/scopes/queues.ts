/** pcq: making a queue, put and get. */
import { createHash } from 'node:crypto';
import { createQueue, openQueue, type Queue, type Volume } from '../../../src/famfs/index.js';
import { memoryKinds } from '../../media/traced-backing.js';
import { both, drop, flushesBy, moveBefore, storesBy } from '../mutate.js';
import type { Bench, Scope } from '../scope.js';
import { oldVolume, owner, pattern, readVolume, withVolume } from '../volumes.js';

const geometry = { nbuckets: 4, bucketSize: 128, mode: 0o600, ...owner };
const message = (seed: number) => pattern(112, seed);

function withQueue<T>({ device }: Bench, use: (queue: Queue, volume: Volume) => T): T {
  return withVolume(device, (volume) => {
    const queue = openQueue(volume, '/q', { role: 'both' });
    try {
      return use(queue, volume);
    } finally {
      queue.close();
    }
  });
}

function prepareQueue(bench: Bench): void {
  oldVolume(bench);
  withVolume(bench.device, (volume) => createQueue(volume, '/q', geometry));
}

/** Takes all messages of the queue. */
function readQueue(bench: Bench): string {
  const [files] = readVolume(bench.device).split('; /q file');
  return withQueue(bench, (queue) => {
    const found: string[] = [];
    for (let bytes = queue.tryGet(); bytes !== null; bytes = queue.tryGet()) {
      found.push(createHash('sha1').update(bytes).digest('hex').slice(0, 8));
    }
    return `${files}; queue: ${found.join(' ')}`;
  });
}

/** A queue that was read empty must accept as many messages as it has room for, and return them in order. */
function goOnWithQueue(bench: Bench): void {
  withQueue(bench, (queue) => {
    for (const seed of [90, 91, 92])
      if (!queue.tryPut(message(seed))) throw new Error('the queue is full, though it was read empty');
    if (queue.tryPut(message(93))) throw new Error('the queue took more than it holds');
  });
  withQueue(bench, (queue) => {
    for (const seed of [90, 91, 92]) {
      const bytes = queue.tryGet();
      if (bytes === null || Buffer.compare(bytes, message(seed)) !== 0)
        throw new Error('a message put after the crash did not come out');
    }
  });
}

export const queueCreate: Scope = {
  name: 'pcq-create',
  about:
    'createQueue: two files (the consumer half may be there alone: the next createQueue goes on with it)',
  memories: memoryKinds,
  prepare: oldVolume,
  act({ device, mark }) {
    withVolume(device, (volume) => createQueue(volume, '/q', geometry));
    mark();
  },
  read: (bench) => readVolume(bench.device),
  alsoAllowed: /[/]old[/]file[^;]*; [/]q.consumer file[^;]*$/,
  goOn(bench, text) {
    if (!text.includes('; /q file'))
      withVolume(bench.device, (volume) => createQueue(volume, '/q', geometry));
    goOnWithQueue(bench);
  },
  mutants: [
    {
      name: 'header-not-flushed',
      about: 'the headers are not flushed before the files appear',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/flushData/)),
    },
  ],
};

const bucket = both(storesBy(/Queue[.]#store/), (event) => event.kind === 'store' && event.length === 128);
const index = storesBy(/Queue[.]tryPut/);

export const queuePut: Scope = {
  name: 'pcq-put',
  about: 'Queue.tryPut, twice, over buckets that held messages before',
  memories: memoryKinds,
  prepare(bench) {
    prepareQueue(bench);
    withQueue(bench, (queue) => {
      for (const seed of [20, 21, 22]) queue.tryPut(message(seed));
      for (let i = 0; i < 3; i++) queue.tryGet();
      queue.tryPut(message(23));
    });
  },
  act(bench) {
    withQueue(bench, (queue) => {
      for (const seed of [24, 25]) {
        queue.tryPut(message(seed));
        bench.mark();
      }
    });
  },
  read: readQueue,
  goOn: goOnWithQueue,
  mutants: [
    {
      name: 'index-first',
      about: 'the index is stored before the message',
      memory: 'shared',
      change: (events) =>
        moveBefore(
          events,
          both(index, (event) => !bucket(event)),
          bucket,
        ),
    },
    {
      name: 'message-not-flushed',
      about: 'the message is not flushed before the index',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/Queue[.]#store/)),
    },
    {
      name: 'index-not-flushed',
      about: 'the index is not flushed before put returns',
      memory: 'hosts',
      change: (events) =>
        drop(
          events,
          both(flushesBy(/Queue[.]tryPut/), (event) => !flushesBy(/Queue[.]#store/)(event)),
        ),
    },
  ],
};

export const queueGet: Scope = {
  name: 'pcq-get',
  about: 'Queue.tryGet, twice',
  memories: memoryKinds,
  prepare(bench) {
    prepareQueue(bench);
    withQueue(bench, (queue) => {
      for (const seed of [30, 31, 32]) queue.tryPut(message(seed));
    });
  },
  act(bench) {
    withQueue(bench, (queue) => {
      for (let i = 0; i < 2; i++) {
        queue.tryGet();
        bench.mark();
      }
    });
  },
  read: readQueue,
  goOn: goOnWithQueue,
  mutants: [
    {
      name: 'index-not-flushed',
      about: 'the index is not flushed before get returns: the message comes again',
      memory: 'pmem',
      change: (events) => drop(events, flushesBy(/Queue[.]tryGet/)),
    },
  ],
};
