/**
 * Incident: after another mkfs of the same memory (by another host, or under another name of the file) an open volume read the
 * new owner's bytes under the old names, and wrote into the new files. Right: ESTALE before a byte is stored or returned; a
 * reader gets it after at most 0.1 s. Views end by themselves.
 */
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceMedia, takeOver, type Volume } from '../../../src/famfs/index.js';
import { createQueue, openQueue } from '../../../src/famfs/pcq/index.js';
import { codeOf } from '../../machine/support.js';
import { MIB, machineOver, OTHER_HOST, Pool, THIS_HOST } from './support.js';

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

/**
 * The image that another host makes: a file over all of the memory. It is made elsewhere and then stored over the pool, because
 * another host's stores meet no lock of this host.
 */
function formattedByAnotherHost(): void {
  const beside = new Pool({ uuid: OTHER_HOST });
  try {
    const volume = beside.mount({ uuid: OTHER_HOST });
    const file = volume.create('/new', { size: 40 * MIB });
    file.write(new Uint8Array(40 * MIB).fill(0x77), 0);
    const bytes = fs.readFileSync(beside.file);
    const fd = fs.openSync(pool.file, 'r+');
    fs.writeSync(fd, bytes, 0, bytes.length, 0);
    fs.closeSync(fd);
  } finally {
    beside.close();
  }
}

/** Whether the memory still has all bytes of the new owner's file. */
function newFileIsIntact(): boolean {
  const bytes = fs.readFileSync(pool.file).subarray(10 * MIB, 50 * MIB);
  return bytes.every((byte) => byte === 0x77);
}

describe('a volume whose memory was formatted anew', () => {
  it('refuses every store before a byte of it is there, with no time in between', () => {
    const volume = pool.mount();
    const file = volume.create('/old', { size: 4 * MIB });
    const growing = volume.inodes.grow('/growing', { mode: 0o600, uid: 0, gid: 0 });
    growing.write(new Uint8Array(MIB), 0);
    formattedByAnotherHost();
    const metadata = pool.metadata();
    const bytes = new Uint8Array(4096).fill(1);
    for (const store of [
      () => file.write(bytes, 0),
      () => growing.write(bytes, 0),
      () => growing.resize(2 * MIB),
      () => growing.publish(),
      () => volume.create('/more', { size: 4096 }),
      () => volume.mkdir('/d'),
      () => file.map({ writable: true }),
      () => volume.open('/old', { writable: true }),
      () => volume.clone('/old', '/clone', { force: true }),
    ]) {
      expect(codeOf(store), String(store)).toBe('ESTALE');
    }
    expect(newFileIsIntact()).toBe(true);
    expect(pool.metadata().equals(metadata)).toBe(true);
  });

  it('stops a copy that is under way', async () => {
    const volume = pool.mount();
    const source = pool.hostFile('source', new Uint8Array(30 * MIB).fill(2));
    let pieces = 0;
    const copied = volume.copyIn(source, '/copy', {
      onProgress: () => {
        if (pieces++ === 0) formattedByAnotherHost();
      },
    });
    await expect(copied).rejects.toMatchObject({ code: 'ESTALE' });
    expect(newFileIsIntact()).toBe(true);
  });

  it('shows nothing any more: names, sizes, bytes', async () => {
    const volume = pool.mount();
    const file = volume.create('/old', { size: 4096 });
    const { fs: volumeFs } = volume;
    formattedByAnotherHost();
    await sleep(100);
    for (const look of [
      () => file.read(new Uint8Array(16), 0),
      () => file.map(),
      () => volume.open('/old'),
      () => volume.readdir('/'),
      () => volume.stat('/old'),
      () => volume.exists('/old'),
      () => [...volume.walk('/')],
      () => volume.getmap('/old'),
      () => volume.statfs(),
      () => volume.refresh(),
      () => volume.flush('/old'),
      () => volume.publish(),
      () => volume.watch(),
      () => volume.inodes.lookup(1, 'old'),
      () => volume.inodes.stat(2),
      () => [...volume.inodes.children(1)],
      () => volume.inodes.open(2, { writable: false }),
      () => volume.inodes.spans(2),
      () => volumeFs.readdirSync('/'),
      () => volumeFs.readFileSync('/old'),
      () => volumeFs.statSync('/old'),
    ]) {
      expect(codeOf(look), String(look)).toBe('ESTALE');
    }
    volume.close();
    expect(codeOf(() => volume.readdir('/'))).toBe('EBADF');
  });

  it('loses its views by itself, and says why', async () => {
    const volume = pool.mount();
    const file = volume.create('/old', { size: 4096 });
    const views = [file.map(), file.map({ writable: true })];
    const reason = new Promise<{ code: string }>((resolve) => file.onLost(resolve));
    formattedByAnotherHost();
    // The timer of the volume notices it without a call.
    expect((await reason).code).toBe('ESTALE');
    expect(views.map((view) => view.length)).toEqual([0, 0]);
    expect(newFileIsIntact()).toBe(true);
  });

  it('has queues that are ESTALE too', async () => {
    const volume = pool.mount();
    createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
    const queue = openQueue(volume, '/q', { role: 'both' });
    formattedByAnotherHost();
    await sleep(100);
    expect(codeOf(() => queue.tryPut(new Uint8Array(8)))).toBe('ESTALE');
    expect(codeOf(() => queue.tryGet())).toBe('ESTALE');
    expect(newFileIsIntact()).toBe(true);
    queue.close();
  });

  it('ends a watcher', async () => {
    const volume = pool.mount();
    const seen = (async () => {
      for await (const _event of volume.watch());
    })();
    formattedByAnotherHost();
    await expect(seen).rejects.toMatchObject({ code: 'ESTALE' });
  });

  it('can be mounted again, and shows what is there now', () => {
    const machine = pool.machine();
    const volume = pool.mountOn(machine);
    volume.mkdir('/old');
    formattedByAnotherHost();
    expect(codeOf(() => volume.mkdir('/more'))).toBe('ESTALE');
    volume.close();
    expect(pool.mountOn(machine).readdir('/')).toEqual(['new']);
  });
});

describe('a volume that was taken over', () => {
  it('goes on reading: it is the same file system', async () => {
    const volume: Volume = pool.mount();
    const file = volume.create('/old', { size: 4096 });
    const view = file.map();
    const other = machineOver(pool.file, { uuid: OTHER_HOST });
    takeOver(deviceMedia(other), { systemUuid: OTHER_HOST, from: THIS_HOST });
    other.close();
    await sleep(100);
    expect(file.read(new Uint8Array(16), 0)).toBe(16);
    expect(view.length).toBe(4096);
    expect(codeOf(() => volume.mkdir('/d'))).toBe('EROFS');
  });
});
