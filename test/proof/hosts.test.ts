/**
 * Two hosts with their own caches over one memory. A change of one host must appear to the other complete or not at all, however
 * stale its lines are.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { OTHER_HOST, THIS_HOST } from '../../proof/crash/hosts.js';
import { randomFrom } from '../../proof/crash/random.js';
import { format, owner, pattern, textOf } from '../../proof/crash/volumes.js';
import { CachedHost } from '../../proof/media/cached-host.js';
import { deviceOver, type ProofDevice } from '../../proof/media/device.js';
import { createQueue, mountFamfsOn, openQueue, type Volume } from '../../src/famfs/index.js';

const DEVICE = 24 * 2 ** 20;
const ended: { close(): void }[] = [];
afterEach(() => {
  for (const each of ended.splice(0).reverse()) each.close();
});

interface Host {
  cache: CachedHost;
  device: ProofDevice;
}

/** A host whose caches have the current content of the memory. */
function host(memory: Uint8Array, uuid: string): Host {
  const cache = new CachedHost(uuid, memory);
  const device = deviceOver(cache, uuid);
  cache.begin(device.view);
  ended.push(device);
  return { cache, device };
}

function twoHosts(): { writer: Host; reader: Host; master: Volume; client: Volume } {
  const memory = new Uint8Array(DEVICE);
  const writer = host(memory, THIS_HOST);
  // Stores bytes into the free space, which both hosts then cache.
  for (let at = 10 * 2 ** 20; at < DEVICE; at += 2 ** 21) writer.device.view.set(pattern(900, at), at);
  writer.cache.sync(0, DEVICE);
  format(writer.device, 'old');
  const reader = host(memory, OTHER_HOST);
  const master = mountFamfsOn(writer.device);
  const client = mountFamfsOn(reader.device, { clientWrites: true });
  ended.push(master, client);
  return { writer, reader, master, client };
}

const seen = (client: Volume): string => {
  client.refresh();
  return textOf(client).replace(/^volume[^;]*/, '');
};

describe('an operation of one host, seen by another', () => {
  const acts: [string, (volume: Volume) => void | Promise<void>][] = [
    ['mkdir', (volume) => volume.mkdir('/made', { mode: 0o711, ...owner })],
    ['create', (volume) => volume.create('/fresh', { size: 5000, ...owner }).close()],
    ['writeFile', (volume) => volume.writeFile('/written', pattern(900, 3), owner)],
    ['a stream', (volume) => volume.writeFile('/streamed', [pattern(90, 3), pattern(80, 4)], owner)],
  ];
  it.each(acts)(
    '%s is there whole or not at all while it is made, and there once it returned',
    async (_, act) => {
      const { writer, reader, master, client } = twoHosts();
      const random = randomFrom(7);
      const before = seen(client);
      const looks = new Set<string>();
      writer.cache.onAct = () => {
        writer.cache.disturb(random);
        reader.cache.disturb(random);
        looks.add(seen(client));
      };
      await act(master);
      writer.cache.onAct = undefined;
      const after = seen(client);
      expect(after).not.toBe(before);
      expect(after).toBe(textOf(master).replace(/^volume[^;]*/, ''));
      expect([...looks].filter((look) => look !== before && look !== after)).toEqual([]);
    },
  );

  it('is not seen by a host that drops no lines: the caches are real enough to show that', () => {
    const { reader, master, client } = twoHosts();
    const before = seen(client);
    reader.cache.invalidate = () => {};
    master.mkdir('/made', owner);
    expect(seen(client)).toBe(before);
  });

  it('messages of a queue come through whole and in order, each way stale', () => {
    const { writer, reader, master, client } = twoHosts();
    createQueue(master, '/q', { nbuckets: 4, bucketSize: 128, mode: 0o666, ...owner });
    client.refresh();
    const producer = openQueue(master, '/q', { role: 'producer' });
    const consumer = openQueue(client, '/q', { role: 'consumer' });
    const random = randomFrom(9);
    const got: Uint8Array[] = [];
    const take = () => {
      for (let message = consumer.tryGet(); message !== null; message = consumer.tryGet()) got.push(message);
    };
    writer.cache.onAct = () => {
      writer.cache.disturb(random);
      reader.cache.disturb(random);
      take();
    };
    const sent = Array.from({ length: 12 }, (_, i) => pattern(112, i));
    for (const message of sent) expect(producer.tryPut(message)).toBe(true);
    writer.cache.onAct = undefined;
    take();
    expect(got.map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual(
      sent.map((bytes) => Buffer.from(bytes).toString('hex')),
    );
    producer.close();
    consumer.close();
  });
});
