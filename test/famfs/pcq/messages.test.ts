/**
 * Incident: put() accepted text, objects and Float32Arrays, returned true, and sent garbage or the bytes of the previous message;
 * a message that was taken had lost its length. Right: put() takes bytes, else it throws EINVAL and sends nothing. Framed queues
 * return exactly what was put.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createQueue, openQueue, type Queue } from '../../../src/famfs/pcq/index.js';
import type { Volume } from '../../../src/famfs/volume/index.js';
import { codeOf, errorOf } from '../../machine/support.js';
import { contentOf, Pool } from '../volume/support.js';

let pool: Pool;
let volume: Volume;
const queues: Queue[] = [];
beforeEach(() => {
  pool = new Pool();
  volume = pool.mount();
  createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
});
afterEach(() => {
  for (const queue of queues.splice(0)) queue.close();
  pool.close();
});

function opened(options: { framed?: boolean; role?: 'producer' | 'consumer' | 'both' } = {}): Queue {
  const queue = openQueue(volume, '/q', { role: 'both', ...options });
  queues.push(queue);
  return queue;
}

const NO_BYTES: [string, unknown][] = [
  ['text', 'hello'],
  ['an object', { length: 3 }],
  ['a list', [1, 2, 3]],
  ['a Float32Array', new Float32Array([1, 2])],
  ['a DataView', new DataView(new ArrayBuffer(4))],
  ['an ArrayBuffer', new ArrayBuffer(4)],
  ['a number', 4],
  ['nothing', undefined],
  ['null', null],
];

describe('a message of a queue', () => {
  it.each(NO_BYTES)('that is %s: EINVAL, and nothing is sent', async (_what, value) => {
    const queue = opened();
    queue.tryPut(Uint8Array.of(0xaa, 0xbb));
    const before = contentOf(volume, '/q');
    const refused = errorOf(() => queue.tryPut(value as Uint8Array));
    expect(refused).toMatchObject({ code: 'EINVAL', message: expect.stringContaining('Uint8Array') });
    await expect(queue.put(value as Uint8Array)).rejects.toMatchObject({ code: 'EINVAL' });
    if (value !== undefined) expect(codeOf(() => queue.tryGet(value as Uint8Array))).toBe('EINVAL');
    expect(Buffer.compare(contentOf(volume, '/q'), before)).toBe(0);
    expect(queue.length).toBe(1);
    expect(queue.tryGet()?.subarray(0, 3)).toEqual(Uint8Array.of(0xaa, 0xbb, 0));
  });

  it('has nothing of a longer one before it', () => {
    const queue = opened();
    for (let i = 0; i < 4; i++) {
      queue.tryPut(new Uint8Array(48).fill(0xff));
      queue.tryGet();
      queue.tryPut(Uint8Array.of(1));
      expect(queue.tryGet()).toEqual(Uint8Array.from({ length: 48 }, (_, at) => (at === 0 ? 1 : 0)));
    }
  });
});

describe('a framed queue', () => {
  it.each([0, 1, 43, 44])('gives back a message of %i bytes with its length', (length) => {
    const queue = opened({ framed: true });
    const message = Uint8Array.from({ length }, (_, at) => at + 1);
    expect(queue.tryPut(message)).toBe(true);
    expect(queue.tryGet()).toEqual(message);
  });

  it('fills what it was given, and returns the part that was filled', () => {
    const queue = opened({ framed: true });
    queue.tryPut(Uint8Array.of(1, 2, 3));
    const into = new Uint8Array(queue.maxMessageSize).fill(9);
    const got = queue.tryGet(into)!;
    expect(got).toEqual(Uint8Array.of(1, 2, 3));
    expect(got.buffer).toBe(into.buffer);
  });

  it('has room for 4 bytes less', () => {
    const queue = opened({ framed: true });
    expect([queue.payloadSize, queue.maxMessageSize]).toEqual([48, 44]);
    expect(codeOf(() => queue.tryPut(new Uint8Array(45)))).toBe('EINVAL');
    expect(queue.isEmpty).toBe(true);
  });

  it('lies on the media as C makes it: an end that does not frame sees the length, then the message', () => {
    opened({ framed: true, role: 'producer' }).tryPut(Uint8Array.of(7, 8));
    const got = opened({ role: 'consumer' }).tryGet()!;
    expect(got.length).toBe(48);
    expect(got.subarray(0, 8)).toEqual(Uint8Array.of(2, 0, 0, 0, 7, 8, 0, 0));
  });

  it('says so when the other end does not frame, and keeps the message', () => {
    opened({ role: 'producer' }).tryPut(new Uint8Array(48).fill(0xff));
    const consumer = opened({ framed: true, role: 'consumer' });
    expect(errorOf(() => consumer.tryGet())).toMatchObject({
      code: 'EBADMSG',
      message: expect.stringContaining('is not framed'),
    });
    expect(consumer.length).toBe(1);
  });
});

describe('what is aborted', () => {
  it('ends with one AbortError whose cause is the reason, whatever the reason was and whenever it came', async () => {
    const queue = opened();
    const reason = { any: 'value' };
    const wanted = { name: 'AbortError', code: 'ABORT_ERR', cause: reason };
    const before = AbortSignal.abort(reason);
    await expect(queue.get({ signal: before })).rejects.toMatchObject(wanted);
    await expect(volume.watch({ signal: before }).next()).rejects.toMatchObject(wanted);
    const source = pool.hostFile('source', new Uint8Array(4096));
    await expect(volume.copyIn(source, '/in', { signal: before })).rejects.toMatchObject(wanted);
    await expect(volume.copyOut('/q', `${source}.out`, { signal: before })).rejects.toMatchObject(wanted);
    await expect(volume.fs.promises.readFile('/q', { signal: before })).rejects.toMatchObject(wanted);
    const later = new AbortController();
    const waiting = queue.get({ signal: later.signal });
    const watching = volume.watch({ signal: later.signal }).next();
    setTimeout(() => later.abort(reason), 5);
    const ended = await Promise.allSettled([waiting, watching]);
    for (const end of ended) expect(end).toMatchObject({ status: 'rejected', reason: wanted });
  });

  it('comes out of a loop as it is put; the loop ends with close()', async () => {
    const queue = opened({ framed: true });
    const got: string[] = [];
    const loop = (async () => {
      for await (const message of queue) {
        got.push(Buffer.from(message).toString());
        if (got.length === 3) queue.close();
      }
    })();
    for (const text of ['one', 'two', 'three']) await queue.put(Buffer.from(text));
    await loop;
    expect(got).toEqual(['one', 'two', 'three']);
  });

  it('that nobody puts: the loop ends with close() while it waits, and with the signal', async () => {
    const queue = opened();
    const controller = new AbortController();
    const waiting = queue.messages({ signal: controller.signal }).next();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    const last = queue.messages().next();
    queue.close();
    expect(await last).toEqual({ done: true, value: undefined });
    expect(codeOf(() => opened({ role: 'producer' }).messages())).toBe('EBADF');
  });
});
