import fs from 'node:fs';
import { describe, expect, it } from 'vitest';
import { deviceMedia, formatMedia, takeOver } from '../../../src/famfs/index.js';
import { contentOf, HPA, MIB, OTHER_HOST, PAGE, Pool, pattern, THIS_HOST } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });

describe('mounting', () => {
  it('another host is a client: it reads, and every change is EROFS', async () => {
    const pool = new Pool();
    pool.mount().create('/a', { size: 10 }).write(pattern(10), 0);
    const source = pool.hostFile('source', pattern(10));
    const client = pool.mount({ uuid: OTHER_HOST });
    expect(client.role).toBe('client');
    expect(contentOf(client, '/a')).toEqual(pattern(10));
    const file = client.open('/a');
    for (const act of [
      () => client.create('/b', { size: 1 }),
      () => client.mkdir('/b'),
      () => client.open('/a', { writable: true }),
      () => file.write(pattern(1), 0),
      () => file.map({ writable: true }),
    ]) {
      expect(act).toThrow(coded('EROFS'));
    }
    await expect(client.copyIn(source, '/b')).rejects.toEqual(coded('EROFS'));
    expect(() => pool.mount({ uuid: OTHER_HOST, role: 'master' })).toThrow(coded('EPERM'));
    pool.close();
  });

  it('a client that was given clientWrites stores into files that are there, and makes none', async () => {
    const pool = new Pool();
    const master = pool.mount();
    const theirs = master.create('/a', { size: 10 });
    const source = pool.hostFile('source', pattern(10));
    const client = pool.mount({ uuid: OTHER_HOST, clientWrites: true });
    expect([client.role, client.readOnly, client.acceptsStores]).toEqual(['client', true, true]);
    const log = pool.metadata();
    const file = client.open('/a', { writable: true });
    file.write(pattern(9), 0);
    file.map({ writable: true })[9] = 77;
    const seen = new Uint8Array(10);
    theirs.read(seen, 0);
    expect(seen).toEqual(Uint8Array.of(...pattern(9), 77));
    for (const act of [() => client.create('/b', { size: 1 }), () => client.mkdir('/b')]) {
      expect(act).toThrow(coded('EROFS'));
    }
    await expect(client.copyIn(source, '/a')).rejects.toEqual(coded('EROFS'));
    expect(pool.metadata().equals(log)).toBe(true);
    const protectedClient = pool.mount({ uuid: OTHER_HOST, clientWrites: true, readOnly: true });
    expect(() => protectedClient.open('/a', { writable: true })).toThrow(coded('EROFS'));
    pool.close();
  });

  it('a master that slept through a take-over writes nothing any more, and still reads', async () => {
    const pool = new Pool();
    const old = pool.mount();
    old.create('/a', { size: 10 }).write(pattern(10), 0);
    const source = pool.hostFile('source', pattern(10));
    const media = deviceMedia(pool.machine({ uuid: OTHER_HOST }));
    takeOver(media, { systemUuid: OTHER_HOST, from: THIS_HOST });
    media.close();
    const log = pool.metadata();
    for (const act of [() => old.create('/b', { size: 1 }), () => old.mkdir('/b')]) {
      expect(act).toThrow(coded('EROFS'));
    }
    await expect(old.copyIn(source, '/b')).rejects.toEqual(coded('EROFS'));
    expect(pool.metadata().equals(log)).toBe(true);
    pool.mount({ uuid: OTHER_HOST }).mkdir('/theirs');
    expect(old.refresh()).toBe(1);
    expect(contentOf(old, '/a')).toEqual(pattern(10));
    expect(old.exists('/theirs')).toBe(true);
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });

  it('read-only memory gives a read-only volume', () => {
    const pool = new Pool();
    pool.mount().create('/a', { size: 10 }).write(pattern(10), 0);
    const volume = pool.mount({ writable: false });
    expect(volume.role).toBe('master');
    expect(volume.readOnly).toBe(true);
    expect(volume.open('/a').map()).toEqual(pattern(10));
    expect(() => volume.create('/b', { size: 1 })).toThrow(coded('EROFS'));
    pool.close();
  });

  it('no famfs there is EINVAL, and the device is free again', () => {
    const pool = new Pool({ format: false });
    const machine = pool.machine();
    expect(() => pool.mountOn(machine)).toThrow(coded('EINVAL'));
    expect(machine.dax.holder).toBeNull();
    expect(machine.held).toEqual([]);
    pool.close();
  });

  it('a device that another holder has is EBUSY', () => {
    const pool = new Pool();
    const machine = pool.machine();
    machine.dax.holderGet({}, { notifyFailure: () => {} });
    expect(() => pool.mountOn(machine)).toThrow(coded('EBUSY'));
    pool.close();
  });

  it('a device formatted anew underneath is ESTALE', () => {
    const pool = new Pool();
    const volume = pool.mount();
    volume.create('/a', { size: 1 });
    const again = new Pool({ uuid: OTHER_HOST });
    const machine = again.machine();
    pool
      .machine()
      .memory.bytes(2 ** 40, 200)
      .set(machine.memory.bytes(2 ** 40, 200));
    expect(() => volume.refresh()).toThrow(coded('ESTALE'));
    expect(() => volume.create('/b', { size: 1 })).toThrow(coded('ESTALE'));
    again.close();
    pool.close();
  });

  it('an image shorter than its device reads, and says EIO for what is cut off', () => {
    const pool = new Pool();
    const whole = pool.mount();
    whole.create('/there', { size: PAGE }).write(pattern(PAGE), 0);
    whole.create('/cut', { size: PAGE });
    whole.close();
    const short = new Pool({ format: false, size: 12 * MIB });
    short
      .machine()
      .memory.bytes(2 ** 40, 12 * MIB)
      .set(pool.machine().memory.bytes(2 ** 40, 12 * MIB));
    const volume = short.mount({ size: 64 * MIB });
    expect(contentOf(volume, '/there')).toEqual(pattern(PAGE));
    expect(() => contentOf(volume, '/cut')).toThrow(coded('EIO'));
    expect(() => volume.open('/cut').map()).toThrow(coded('EIO'));
    const before = volume.statfs();
    expect(() => volume.create('/new', { size: 1 })).toThrow(coded('EIO'));
    expect(volume.statfs()).toEqual(before);
    short.close();
    pool.close();
  });
});

describe('an image cut inside its log', () => {
  it('reads as if the rest were zero, refuses changes with EIO and keeps its length', () => {
    const pool = new Pool();
    pool.mount().mkdir('/d');
    const cut = new Pool({ format: false, size: 4 * MIB });
    cut
      .machine()
      .memory.bytes(HPA, 4 * MIB)
      .set(pool.machine().memory.bytes(HPA, 4 * MIB));
    const volume = cut.mount({ size: 64 * MIB });
    expect(volume.readdir('/')).toEqual(['d']);
    for (let i = 0; i < 3800; i++) volume.mkdir(`/d/${i}`);
    expect(() => {
      for (let i = 0; i < 200; i++) volume.mkdir(`/${i}`);
    }).toThrow(coded('EIO'));
    expect(fs.statSync(cut.file).size).toBe(4 * MIB);
    cut.close();
    pool.close();
  });
});

describe('failed memory under the log', () => {
  it('stops refresh and changes with EIO; files that are known stay readable', () => {
    const pool = new Pool();
    const machine = pool.machine();
    const volume = pool.mountOn(machine);
    volume.create('/a', { size: 10 }).write(pattern(10), 0);
    machine.bus.memoryFailure(HPA + 5 * MIB, PAGE);
    expect(() => volume.create('/b', { size: 1 })).toThrow(coded('EIO'));
    expect(() => volume.refresh()).toThrow(coded('EIO'));
    expect(contentOf(volume, '/a')).toEqual(pattern(10));
    volume.close();
    expect(() => pool.mountOn(machine)).toThrow(coded('EIO'));
    pool.close();
  });
});

describe('a device of several physical ranges', () => {
  it('has its log and files across them', () => {
    const pool = new Pool({ format: false });
    const machine = pool.machine({
      ranges: [
        [0, 4],
        [40, 12],
        [8, 30],
      ],
    });
    expect(machine.dax.directAccess(0, 16384).pages).toBe((4 * MIB) / PAGE);
    formatMedia(deviceMedia(machine), { systemUuid: machine.systemUuid });
    const volume = pool.mountOn(machine);
    const bytes = pattern(30 * MIB);
    const file = volume.create('/a', { size: bytes.length });
    file.write(bytes, 0);
    expect(Buffer.from(file.map()).equals(bytes)).toBe(true);
    for (let i = 0; i < 10_000; i++) volume.mkdir(`/${i}`);
    volume.close();
    const again = pool.mountOn(machine);
    expect(again.readdir('/')).toHaveLength(10_001);
    expect(Buffer.from(contentOf(again, '/a')).equals(bytes)).toBe(true);
    again.close();
    expect(machine.memory.stats().mappings).toBe(0);
    pool.close();
  });
});
