import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { PatternStream } from '../../../src/famfs/index.js';
import { createQueue, openQueue, queueInfo } from '../../../src/famfs/pcq/index.js';
import { kitBytes } from '../../support/conformance.js';
import { Tally } from '../../support/tally.js';
import { contentOf, MIB, OTHER_HOST, Pool } from '../volume/support.js';

const golden = (name: string) => kitBytes('famfs/pcq', `${name}.gz`);

describe('a queue on a volume', () => {
  const pools: Pool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close();
  });

  function queueOn({ nbuckets = 8, bucketSize = 64 } = {}) {
    const pool = new Pool();
    pools.push(pool);
    const volume = pool.mount();
    createQueue(volume, '/q0', { nbuckets, bucketSize });
    return { pool, volume };
  }

  /** The message in the golden queues: the start of the pattern of seed 42. */
  function goldenMessage(): Uint8Array {
    const message = new Uint8Array(48);
    new PatternStream(42).fill(message);
    return message;
  }

  it('writes the bytes that C writes: 5 puts', () => {
    const { volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'producer' });
    for (let i = 0; i < 5; i++) expect(queue.tryPut(goldenMessage())).toBe(true);
    queue.close();
    expect(Buffer.compare(contentOf(volume, '/q0'), golden('q0.after-5-puts'))).toBe(0);
    expect(Buffer.compare(contentOf(volume, '/q0.consumer'), golden('q0.consumer.after-5-puts'))).toBe(0);
  });

  it('writes the bytes that C writes: full and wrapped, then drained', () => {
    const { volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'both' });
    for (let i = 0; i < 5; i++) queue.tryPut(goldenMessage());
    for (let i = 0; i < 3; i++) expect(queue.tryGet()).toEqual(goldenMessage());
    for (let i = 0; i < 5; i++) expect(queue.tryPut(goldenMessage())).toBe(true);
    expect(queue.tryPut(goldenMessage())).toBe(false);
    expect(Buffer.compare(contentOf(volume, '/q0'), golden('q0.full-wrapped'))).toBe(0);
    expect(Buffer.compare(contentOf(volume, '/q0.consumer'), golden('q0.consumer.full-wrapped'))).toBe(0);
    for (let i = 0; i < 7; i++) expect(queue.tryGet()).toEqual(goldenMessage());
    expect(queue.tryGet()).toBeNull();
    expect(Buffer.compare(contentOf(volume, '/q0'), golden('q0.drained'))).toBe(0);
    expect(Buffer.compare(contentOf(volume, '/q0.consumer'), golden('q0.consumer.drained'))).toBe(0);
    queue.close();
  });

  it('goes on with a queue that C left', () => {
    const { volume } = queueOn();
    const files = [
      ['/q0', 'q0.full-wrapped'],
      ['/q0.consumer', 'q0.consumer.full-wrapped'],
    ] as const;
    for (const [path, name] of files) {
      const file = volume.open(path, { writable: true });
      file.write(golden(name), 0);
      file.close();
    }
    expect(queueInfo(volume, '/q0')).toMatchObject({ length: 7, capacity: 7, nextPutSeq: 10, nextGetSeq: 3 });
    const queue = openQueue(volume, '/q0', { role: 'both' });
    expect(queue.isFull).toBe(true);
    for (let i = 0; i < 7; i++) expect(queue.tryGet()).toEqual(goldenMessage());
    expect(queue.isEmpty).toBe(true);
    expect(queue.tryPut(Uint8Array.of(1, 2, 3))).toBe(true);
    expect(queue.tryGet()?.subarray(0, 4)).toEqual(Uint8Array.of(1, 2, 3, 0));
    queue.close();
  });

  it('keeps messages in order through any mix of puts, gets and reopenings', () => {
    const { volume } = queueOn({ nbuckets: 5, bucketSize: 32 });
    const act = fc.constantFrom('put', 'get', 'reopen');
    const tally = new Tally();
    const sent: number[] = [];
    let next = 0;
    let queue = openQueue(volume, '/q0', { role: 'both' });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        for (const what of acts) {
          if (what === 'put') {
            const isRoom = tally.count('put', sent.length < 4);
            expect(queue.tryPut(Uint8Array.of(next & 0xff))).toBe(isRoom);
            if (isRoom) sent.push(next++ & 0xff);
          } else if (what === 'get') {
            tally.count('get', sent.length > 0);
            expect(queue.tryGet()?.[0] ?? null).toBe(sent.shift() ?? null);
          } else {
            queue.close();
            queue = openQueue(volume, '/q0', { role: 'both' });
          }
          expect(queue.length).toBe(sent.length);
        }
      }),
      { numRuns: 50 },
    );
    tally.mustReach({ put: 0.1, get: 0.1 });
    queue.close();
  });

  it.each([0, 1, 3, 5])(
    'goes on after a producer was killed between its number and its index (%i sent)',
    (sent) => {
      const { volume } = queueOn({ nbuckets: 4 });
      const queue = openQueue(volume, '/q0', { role: 'both' });
      for (let i = 0; i < sent; i++) {
        queue.tryPut(Uint8Array.of(i));
        if (i >= 2) queue.tryGet();
      }
      const waiting = queue.length;
      queue.close();
      // next_seq is stored, the index is not.
      const file = volume.open('/q0', { writable: true });
      file.write(Uint8Array.of(sent + 1), 1064);
      file.close();
      const again = openQueue(volume, '/q0', { role: 'both' });
      expect(again.tryPut(Uint8Array.of(99))).toBe(waiting < 3);
      const got: number[] = [];
      for (let message = again.tryGet(); message !== null; message = again.tryGet()) got.push(message[0]!);
      expect(got).toHaveLength(waiting + (waiting < 3 ? 1 : 0));
      again.close();
    },
  );

  it('goes on after a consumer was killed between its number and its index', () => {
    const { volume } = queueOn({ nbuckets: 4 });
    const queue = openQueue(volume, '/q0', { role: 'both' });
    for (let i = 0; i < 3; i++) queue.tryPut(Uint8Array.of(i));
    queue.tryGet();
    queue.close();
    const file = volume.open('/q0.consumer', { writable: true });
    file.write(Uint8Array.of(2), 1_048_592);
    file.close();
    const again = openQueue(volume, '/q0', { role: 'consumer' });
    expect([again.tryGet()?.[0], again.tryGet()?.[0], again.tryGet()]).toEqual([1, 2, null]);
    again.close();
  });

  it('waits for room and for messages', async () => {
    const { volume } = queueOn({ nbuckets: 3 });
    const queue = openQueue(volume, '/q0', { role: 'both' });
    const got: number[] = [];
    const consume = (async () => {
      for (let i = 0; i < 50; i++) got.push((await queue.get())[0]!);
    })();
    for (let i = 0; i < 50; i++) await queue.put(Uint8Array.of(i));
    await consume;
    expect(got).toEqual(Array.from({ length: 50 }, (_, i) => i));
    queue.close();
  });

  it('stops waiting when it is aborted, and loses nothing', async () => {
    const { volume } = queueOn({ nbuckets: 2 });
    const queue = openQueue(volume, '/q0', { role: 'both' });
    const empty = queue.get({ signal: AbortSignal.timeout(20) });
    await expect(empty).rejects.toMatchObject({ name: 'AbortError', code: 'ABORT_ERR' });
    await queue.put(Uint8Array.of(1));
    await expect(queue.put(Uint8Array.of(2), { signal: AbortSignal.timeout(20) })).rejects.toThrow();
    expect((await queue.get())[0]).toBe(1);
    expect(queue.tryGet()).toBeNull();
    queue.close();
  });

  it('names a message whose bytes do not match their crc, and keeps it', () => {
    const { volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'both' });
    queue.tryPut(Uint8Array.of(7));
    const file = volume.open('/q0', { writable: true });
    file.write(Uint8Array.of(8), 2 * MIB);
    expect(() => queue.tryGet()).toThrow(/message 0 of \/q0 \(bucket 0\) does not match its crc/);
    file.write(Uint8Array.of(7), 2 * MIB);
    expect(queue.tryGet()?.[0]).toBe(7);
    file.close();
    queue.close();
  });

  it('names a message out of sequence', () => {
    const { volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'both' });
    queue.tryPut(Uint8Array.of(1));
    queue.tryPut(Uint8Array.of(2));
    const words = volume.open('/q0.consumer', { writable: true });
    words.write(Uint8Array.of(1), 8);
    expect(() => queue.tryGet()).toThrow(/holds message 1, expected 0/);
    words.close();
    queue.close();
  });

  it.each([
    ['an index past the buckets', '/q0', 32, Uint8Array.of(8), 'EBADMSG'],
    ['a bucket size of 0', '/q0', 16, Uint8Array.of(0), 'EBADMSG'],
    ['buckets past the end of the file', '/q0', 8, Uint8Array.of(9), 'EBADMSG'],
    ['a number of buckets beyond 2^53', '/q0', 8, new Uint8Array(8).fill(255), 'EBADMSG'],
    ['another magic', '/q0', 0, Uint8Array.of(0), 'EINVAL'],
    ['another magic of the consumer', '/q0.consumer', 0, Uint8Array.of(0), 'EINVAL'],
    ['a consumer index past the buckets', '/q0.consumer', 8, Uint8Array.of(200), 'EBADMSG'],
  ])('refuses a queue with %s', (_what, path, at, bytes, code) => {
    const { volume } = queueOn();
    const file = volume.open(path, { writable: true });
    file.write(bytes, at);
    file.close();
    expect(() => openQueue(volume, '/q0', { role: 'both' })).toThrow(expect.objectContaining({ code }));
    expect(() => queueInfo(volume, '/q0')).toThrow(expect.objectContaining({ code }));
  });

  it('refuses geometry that no queue can have, names that exist, and a device without room', () => {
    const { volume } = queueOn();
    const refuses = (nbuckets: number, bucketSize: number, path: string, code: string) =>
      expect(() => createQueue(volume, path, { nbuckets, bucketSize })).toThrow(
        expect.objectContaining({ code }),
      );
    refuses(8, 100, '/new', 'EINVAL');
    refuses(8, 16, '/new', 'EINVAL');
    refuses(1, 64, '/new', 'EINVAL');
    refuses(2.5, 64, '/new', 'EINVAL');
    refuses(8, 64, '/q0', 'EEXIST');
    // A file of that name that belongs to no queue is not half a queue.
    volume.create('/taken.consumer', { size: 2 * 2 ** 20 }).close();
    refuses(8, 64, '/taken', 'EEXIST');
    expect(volume.exists('/taken')).toBe(false);
    // Its content does not matter: numbers beyond 2^53 are no damage, because there is no queue.
    volume
      .create('/odd.consumer', { size: 2 * 2 ** 20 })
      .map({ writable: true })
      .fill(0xff);
    refuses(8, 64, '/odd', 'EEXIST');
    refuses(1024, 2 ** 20, '/new', 'ENOSPC');
    expect(volume.exists('/new')).toBe(false);
    expect(volume.exists('/new.consumer')).toBe(false);
  });

  it('lets each role do its part only', () => {
    const { volume } = queueOn();
    const producer = openQueue(volume, '/q0', { role: 'producer' });
    expect(() => producer.tryGet()).toThrow(expect.objectContaining({ code: 'EBADF' }));
    producer.close();
    const consumer = openQueue(volume, '/q0', { role: 'consumer' });
    expect(() => consumer.tryPut(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(() => consumer.tryGet(new Uint8Array(3))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    consumer.close();
    expect(() => consumer.tryGet()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  it('shows a queue to a client, who cannot be an end of it', () => {
    const { pool, volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'producer' });
    queue.tryPut(Uint8Array.of(1));
    const client = pool.mount({ uuid: OTHER_HOST });
    expect(queueInfo(client, '/q0')).toMatchObject({ length: 1, nbuckets: 8, payloadSize: 48 });
    expect(() => openQueue(client, '/q0', { role: 'consumer' })).toThrow(
      expect.objectContaining({ code: 'EROFS' }),
    );
    queue.close();
  });

  for (const [end, other] of [
    ['consumer', 'producer'],
    ['producer', 'consumer'],
  ] as const) {
    it(`has its ${end} on a client that may store, its ${other} on the master`, () => {
      const { pool, volume } = queueOn();
      const client = pool.mount({ uuid: OTHER_HOST, clientWrites: true });
      const log = pool.metadata();
      const here = openQueue(volume, '/q0', { role: other });
      const there = openQueue(client, '/q0', { role: end });
      const [producer, consumer] = end === 'producer' ? [there, here] : [here, there];
      for (let i = 0; i < 20; i++) {
        expect(producer.tryPut(Uint8Array.of(i, 1))).toBe(true);
        expect(consumer.tryGet()?.subarray(0, 2)).toEqual(Uint8Array.of(i, 1));
      }
      expect(consumer.tryGet()).toBeNull();
      expect(pool.metadata().equals(log)).toBe(true);
      here.close();
      there.close();
    });
  }

  it('says so when the volume was closed under it', () => {
    const { volume } = queueOn();
    const queue = openQueue(volume, '/q0', { role: 'both' });
    volume.close();
    expect(() => queue.tryPut(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(() => queue.tryGet()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});
