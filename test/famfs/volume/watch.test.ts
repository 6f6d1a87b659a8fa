import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Volume, VolumeWatcher, WatchEvent } from '../../../src/famfs/index.js';
import { OTHER_HOST, Pool, UNIT } from './support.js';

const FIRST_ENTRY = 2 * 2 ** 20 + 48;
const ENTRY = 544;

describe('watch', () => {
  const pools: Pool[] = [];
  const watchers: VolumeWatcher[] = [];
  afterEach(() => {
    for (const watcher of watchers.splice(0)) watcher.close();
    for (const pool of pools.splice(0)) pool.close();
  });

  function twoHosts() {
    const pool = new Pool({ size: 128 * 2 ** 20 });
    pools.push(pool);
    return { pool, master: pool.mount(), client: pool.mount({ uuid: OTHER_HOST }) };
  }
  function watch(volume: Volume, options?: Parameters<Volume['watch']>[0]): VolumeWatcher {
    const watcher = volume.watch(options);
    watchers.push(watcher);
    return watcher;
  }
  const namesOf = (event: IteratorResult<WatchEvent>) =>
    event.value?.type === 'new' ? event.value.entries.map(({ path }: { path: string }) => path) : event;

  it('tells a client of files and directories that the master makes', async () => {
    const { master, client } = twoHosts();
    const watcher = watch(client);
    const first = watcher.next();
    master.mkdir('/d');
    master.create('/d/f', { size: 5 });
    expect(namesOf(await first)).toEqual(['/d', '/d/f']);
    master.create('/g', { size: 6 });
    const { value } = await watcher.next();
    expect(value).toMatchObject({ type: 'new', entries: [{ path: '/g', size: 6, type: 'file' }] });
    expect(client.exists('/d/f')).toBe(true);
  });

  it('tells of what this volume makes itself, and of nothing that was there before', async () => {
    const { master } = twoHosts();
    master.mkdir('/old');
    const watcher = watch(master);
    master.mkdir('/new');
    expect(namesOf(await watcher.next())).toEqual(['/new']);
  });

  it('tells within 10 milliseconds', async () => {
    const { master, client } = twoHosts();
    const watcher = watch(client);
    const delays: number[] = [];
    for (let i = 0; i < 40; i++) {
      const next = watcher.next();
      await pause(1 + (i % 5));
      const made = performance.now();
      master.create(`/f${i}`, { size: 1, zero: false });
      await next;
      delays.push(performance.now() - made);
    }
    delays.sort((a, b) => a - b);
    // The median: a busy machine may stop this process for longer now and then.
    expect(delays[20]).toBeLessThan(250);
  });

  it('loses nothing when nobody asks for a while', async () => {
    const { master, client } = twoHosts();
    const watcher = watch(client);
    const wanted = Array.from({ length: 100 }, (_, i) => `/d${String(i).padStart(3, '0')}`);
    for (const path of wanted) master.mkdir(path);
    await pause(20);
    expect(namesOf(await watcher.next())).toEqual(wanted);
  });

  it('reports a bad entry once, and goes on when it is mended', async () => {
    const { pool, master, client } = twoHosts();
    const watcher = watch(client);
    master.mkdir('/a');
    master.mkdir('/b');
    master.mkdir('/c');
    const { media } = mediaOf(pool);
    const middle = media.subarray(FIRST_ENTRY + ENTRY, FIRST_ENTRY + 2 * ENTRY);
    const good = Uint8Array.from(middle);
    middle[100]! ^= 1;
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const event of watcher) {
        if (event.type === 'new') seen.push(event.entries.map(({ path }) => path));
        else if (event.type === 'problem') seen.push(event.problem.code);
      }
    })();
    await pause(120);
    expect(seen).toEqual([['/a'], 'entry-crc']);
    expect(client.exists('/b')).toBe(false);
    middle.set(good);
    await pause(120);
    expect(seen).toEqual([['/a'], 'entry-crc', ['/b', '/c']]);
    master.mkdir('/d');
    await pause(60);
    expect(seen.at(-1)).toEqual(['/d']);
    watcher.close();
    await reading;
  });

  it('ends with its signal, with close(), and with a break', async () => {
    const { client } = twoHosts();
    const abort = new AbortController();
    const waiting = watch(client, { signal: abort.signal }).next();
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await expect(watch(client, { signal: abort.signal }).next()).rejects.toMatchObject({
      name: 'AbortError',
    });
    const closed = watch(client);
    const pending = closed.next();
    closed.close();
    expect(await pending).toEqual({ done: true, value: undefined });
    expect(await closed.next()).toEqual({ done: true, value: undefined });
  });

  it('throws when the volume is closed, and when the device is formatted anew', async () => {
    const { pool, client } = twoHosts();
    const waiting = watch(client).next();
    const { media } = mediaOf(pool);
    media.fill(7, 48, 64);
    await expect(waiting).rejects.toMatchObject({ code: 'ESTALE' });
    expect(() => watch(client)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    const { client: another } = twoHosts();
    const other = watch(another).next();
    another.close();
    await expect(other).rejects.toMatchObject({ code: 'EBADF' });
  });

  it('refuses silly intervals', () => {
    const { client } = twoHosts();
    for (const intervalMs of [0, -1, Number.NaN, 5000]) {
      expect(() => client.watch({ intervalMs })).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    }
  });

  it('leaves refresh() its own news', async () => {
    const { master, client } = twoHosts();
    const watcher = watch(client);
    master.create('/f', { size: UNIT });
    await watcher.next();
    expect(client.refresh()).toBe(1);
  });
});

/** The shared bytes of a pool's superblock and log. */
function mediaOf(pool: Pool): { media: Uint8Array } {
  const machine = pool.machine();
  return { media: machine.memory.bytes(2 ** 40, 10 * 2 ** 20) };
}
