import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createQueue, mkfs, mountFamfs, openQueue, queueInfo } from '../../../src/index.js';

const child = join(import.meta.dirname, 'child.mjs');
const UUID = '11111111-2222-4333-8444-555555555555';

/** A message that has its number, and a word derived from it. */
function message(number: number): Uint8Array {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  view.setFloat64(0, number, true);
  view.setUint32(8, Math.imul(number, 2654435761), true);
  return bytes;
}

function numberIn(bytes: Uint8Array): number {
  return new DataView(bytes.buffer).getFloat64(0, true);
}

describe('a queue between two processes', () => {
  const directories: string[] = [];
  afterEach(() => {
    for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
  });

  function imageWithQueue(nbuckets: number, bucketSize = 64): string {
    process.env.UDAX_SYSTEM_UUID = UUID;
    const directory = mkdtempSync(join(tmpdir(), 'udax-pcq-'));
    directories.push(directory);
    const image = join(directory, 'pool.img');
    writeFileSync(image, '');
    truncateSync(image, 64 * 2 ** 20);
    mkfs(image);
    const volume = mountFamfs(image);
    createQueue(volume, '/q', { nbuckets, bucketSize });
    volume.close();
    return image;
  }

  function start(image: string, act: string, count: number) {
    const process_ = spawn(process.execPath, [child, image, '/q', act, String(count)], {
      env: { ...process.env, UDAX_SYSTEM_UUID: UUID },
    });
    let out = '';
    let err = '';
    process_.stdout.on('data', (data) => {
      out += data;
    });
    process_.stderr.on('data', (data) => {
      err += data;
    });
    const ended = new Promise<{ first: number; next: number; ms: number }>((resolve, reject) => {
      process_.on('close', (status) =>
        status === 0 ? resolve(JSON.parse(out)) : reject(new Error(err || out)),
      );
    });
    return { kill: () => process_.kill('SIGKILL'), ended };
  }

  it('carries 100,000 messages without loss, in order', async () => {
    const count = 100_000;
    const image = imageWithQueue(256);
    const consumer = start(image, 'consume', count);
    const producer = start(image, 'produce', count);
    expect(await consumer.ended).toMatchObject({ first: 0, next: count });
    expect(await producer.ended).toMatchObject({ first: 0, next: count });
    const volume = mountFamfs(image);
    expect(queueInfo(volume, '/q')).toMatchObject({ length: 0, nextPutSeq: count, nextGetSeq: count });
    volume.close();
  });

  it('goes on after its producer was killed, again and again', async () => {
    const image = imageWithQueue(16);
    const volume = mountFamfs(image);
    const queue = openQueue(volume, '/q', { role: 'consumer' });
    let next = 0;
    for (let life = 0; life < 5; life++) {
      const producer = start(image, 'endless', 0);
      const ended = producer.ended.catch(() => {}); // killed: no result
      for (const goal = next + 2000 + life * 37; next < goal; next++) {
        expect(numberIn(await queue.get())).toBe(next);
      }
      producer.kill();
      await ended;
      for (let rest = queue.tryGet(); rest !== null; rest = queue.tryGet())
        expect(numberIn(rest)).toBe(next++);
    }
    expect(next).toBeGreaterThan(10_000);
    queue.close();
    volume.close();
  });

  it('goes on after its consumer was killed, with the message after the last one taken', async () => {
    const image = imageWithQueue(16);
    const volume = mountFamfs(image);
    const queue = openQueue(volume, '/q', { role: 'producer' });
    let put = 0;
    const putSome = async (count: number) => {
      for (const goal = put + count; put < goal; put++) await queue.put(message(put));
    };
    for (let life = 0; life < 4; life++) {
      const consumer = start(image, 'consume', 1e9);
      const ended = consumer.ended.catch(() => {});
      await putSome(2000);
      consumer.kill();
      await ended;
      const { length, nextGetSeq } = queueInfo(volume, '/q');
      expect(put - length).toBeGreaterThanOrEqual(nextGetSeq - 1);
      expect(put - length).toBeLessThanOrEqual(nextGetSeq);
    }
    const left = queueInfo(volume, '/q').length;
    const last = start(image, 'consume', left + 500);
    await putSome(500);
    expect(await last.ended).toMatchObject({ first: 8000 - left, next: put });
    queue.close();
    volume.close();
  });

  it('has one producer at a time: a second one is told', async () => {
    const image = imageWithQueue(4);
    const volume = mountFamfs(image);
    const first = openQueue(volume, '/q', { role: 'producer' });
    expect(() => openQueue(volume, '/q', { role: 'both' })).toThrow(
      expect.objectContaining({ code: 'EBUSY' }),
    );
    await expect(start(image, 'produce', 1).ended).rejects.toThrow(/EBUSY/);
    first.close();
    openQueue(volume, '/q', { role: 'both' }).close();
    volume.close();
  });
});
