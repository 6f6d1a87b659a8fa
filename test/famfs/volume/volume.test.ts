import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Volume } from '../../../src/famfs/index.js';
import { contentOf, MIB, PAGE, Pool, pattern, UNIT } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });

describe('a volume', () => {
  let pool: Pool;
  let volume: Volume;
  beforeEach(() => {
    pool = new Pool();
    volume = pool.mount();
  });
  afterEach(() => {
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });

  it('starts empty, with the host that made it as master', () => {
    expect(volume.role).toBe('master');
    expect(volume.readdir('/')).toEqual([]);
    expect(volume.statfs()).toEqual({
      size: 64 * MIB,
      used: 10 * MIB,
      free: 54 * MIB,
      allocUnit: UNIT,
      units: 5,
      metadata: 10 * MIB,
      fileBytes: 0,
      lostToRounding: 0,
      reserved: 0,
      files: 0,
      directories: 0,
      logSlots: 15420,
      logUsed: 0,
      logFree: 15420,
      reclaimable: 0,
      annexSlots: 0,
      annexUsed: 0,
      annexRecords: 0,
    });
  });

  it('a created file is there, has its size and reads as zeroes', () => {
    const file = volume.create('/a', { size: 5000, mode: 0o640, uid: 7, gid: 8 });
    expect(file.size).toBe(5000);
    expect(file.path).toBe('/a');
    expect(volume.stat('a')).toMatchObject({
      path: '/a',
      type: 'file',
      size: 5000,
      mode: 0o640,
      uid: 7,
      gid: 8,
      ino: 2,
    });
    expect(volume.stat('/a').isFile()).toBe(true);
    expect(contentOf(volume, '/a')).toEqual(new Uint8Array(5000));
  });

  it('what was written is in the map, and the other way round', () => {
    const file = volume.create('/a', { size: 3 * PAGE });
    const view = file.map({ writable: true });
    file.write(pattern(100), 50);
    expect(view.subarray(50, 150)).toEqual(pattern(100));
    view[3 * PAGE - 1] = 99;
    const last = new Uint8Array(1);
    file.read(last, 3 * PAGE - 1);
    expect(last[0]).toBe(99);
  });

  it('a file in space that was used before reads as zeroes, unless asked not to', () => {
    const file = volume.create('/a', { size: UNIT });
    const { extents } = file.fmap;
    const machine = pool.machine();
    machine.memory.bytes(2 ** 40 + extents[0]!.offset + UNIT, 4).set([1, 2, 3, 4]);
    expect(contentOf(volume, volume.create('/b', { size: 4 }).path)).toEqual(new Uint8Array(4));
    machine.memory.bytes(2 ** 40 + extents[0]!.offset + 2 * UNIT, 4).set([1, 2, 3, 4]);
    expect(contentOf(volume, volume.create('/c', { size: 4, zero: false }).path)).toEqual(
      Uint8Array.of(1, 2, 3, 4),
    );
  });

  it('a large file is zeroed outside the log lock, and appears', () => {
    volume.create('/large', { size: 30 * MIB + 1 });
    expect(volume.stat('/large').size).toBe(30 * MIB + 1);
    expect(volume.statfs().free).toBe(22 * MIB);
  });

  it('directories hold names, sorted; walk goes through all of them', () => {
    volume.mkdir('/d', { mode: 0o700 });
    volume.create('/d/z', { size: 1 });
    volume.create('/d/b', { size: 2 });
    volume.mkdir('/d/m');
    volume.create('/d/m/x', { size: 3 });
    volume.create('/c', { size: 4 });
    expect(volume.readdir('/')).toEqual(['c', 'd']);
    expect(volume.readdir('/d/')).toEqual(['b', 'm', 'z']);
    expect(volume.stat('/d')).toMatchObject({ type: 'directory', mode: 0o700, size: 0 });
    expect([...volume.walk()].map(({ path }) => path)).toEqual([
      '/c',
      '/d',
      '/d/b',
      '/d/m',
      '/d/m/x',
      '/d/z',
    ]);
    expect([...volume.walk('/d/m')].map(({ path }) => path)).toEqual(['/d/m/x']);
    expect([...volume.walk('/c')].map(({ size }) => size)).toEqual([4]);
    expect(volume.exists('/d/m')).toBe(true);
    expect(volume.exists('/d/nothing')).toBe(false);
  });

  it('mkdir recursive makes what is missing, and accepts what is there', () => {
    volume.mkdir('/a/b/c', { recursive: true, mode: 0o750 });
    volume.mkdir('/a/b', { recursive: true });
    expect([...volume.walk()].map(({ path, mode }) => [path, mode])).toEqual([
      ['/a', 0o750],
      ['/a/b', 0o750],
      ['/a/b/c', 0o750],
    ]);
    expect(volume.statfs().logUsed).toBe(3);
  });

  it('getmap tells where a file lies', () => {
    volume.create('/a', { size: UNIT + 1 });
    expect(volume.getmap('/a')).toEqual({
      size: UNIT + 1,
      type: 'simple',
      extents: [{ devindex: 0, offset: 10 * MIB, length: 2 * UNIT }],
    });
  });

  it('a striped file is one span of bytes over several extents', () => {
    const file = volume.create('/striped', {
      size: 7 * MIB,
      stripe: { nstrips: 2, nbuckets: 4, chunkSize: 2 * MIB },
    });
    expect(file.fmap).toMatchObject({ type: 'interleaved', nstrips: 2, chunkSize: 2 * MIB });
    const bytes = pattern(7 * MIB);
    file.map({ writable: true }).set(bytes);
    expect(Buffer.from(contentOf(volume, '/striped')).equals(bytes)).toBe(true);
    const first = file.fmap.extents[0]!.offset;
    const machine = pool.machine();
    expect(Buffer.from(machine.memory.bytes(2 ** 40 + first, 100)).equals(bytes.subarray(0, 100))).toBe(true);
  });

  // The test "flush and publish go through" once asserted nothing. Right: publish() notifies the mounts of this host, flush()
  // notifies nobody, and neither changes the content. A volume that may not store notifies nobody either.
  it('publish tells the mounts of this host; flush tells nobody; neither changes anything', () => {
    const reservations = path.join(pool.directory, 'volumes');
    const master = pool.mountOn(Object.assign(pool.machine(), { reservations }));
    master.create('/a', { size: 10 }).write(pattern(10), 0);
    const before = master.statfs();
    const untold = master.publications.stamp();
    master.flush('/a');
    expect(master.publications.stamp()).toBe(untold);
    master.publish();
    const told = master.publications.stamp();
    expect(told).not.toBe(untold);
    const reader = pool.mountOn(Object.assign(pool.machine(), { reservations }), { readOnly: true });
    reader.publish();
    expect(reader.publications.stamp()).toBe(told);
    expect(Buffer.compare(contentOf(reader, '/a'), pattern(10))).toBe(0);
    expect(master.statfs()).toEqual(before);
    expect(() => master.flush('/b')).toThrow(coded('ENOENT'));
  });

  describe('another process', () => {
    it('sees what is created and written after refresh, without reopening', () => {
      const other = pool.mount();
      const file = volume.create('/a', { size: 100 });
      file.write(pattern(100), 0);
      expect(other.exists('/a')).toBe(false);
      expect(other.refresh()).toBe(1);
      const view = other.open('/a').map();
      expect(view).toEqual(pattern(100));
      file.write(Uint8Array.of(250), 0);
      expect(view[0]).toBe(250);
      expect(other.refresh()).toBe(0);
    });

    it('creates in turn: each one appends behind the other', () => {
      const other = pool.mount();
      for (let i = 0; i < 5; i++) {
        volume.create(`/a${i}`, { size: 1 });
        other.create(`/b${i}`, { size: 1 });
      }
      volume.refresh();
      expect(volume.readdir('/')).toHaveLength(10);
      const offsets = new Set(volume.readdir('/').map((name) => volume.getmap(name).extents[0]!.offset));
      expect(offsets.size).toBe(10);
    });

    it('cannot take a name that is taken, though it has not seen it', () => {
      const other = pool.mount();
      volume.create('/a', { size: 1 });
      expect(() => other.create('/a', { size: 1 })).toThrow(coded('EEXIST'));
      expect(() => other.mkdir('/a')).toThrow(coded('EEXIST'));
    });
  });

  describe('two volumes of one process on one device', () => {
    it('share what they know, and the device until both are closed', () => {
      const machine = pool.machine();
      const one = pool.mountOn(machine);
      const two = pool.mountOn(machine, { readOnly: true });
      one.create('/a', { size: 10 });
      expect(two.refresh()).toBe(1);
      expect(two.stat('/a').size).toBe(10);
      expect(() => two.create('/b', { size: 1 })).toThrow(coded('EROFS'));
      const view = two.open('/a').map();
      const kept = one.open('/a').map();
      two.close();
      expect(view.length === 0 || view.buffer === kept.buffer).toBe(true);
      expect(kept.length).toBe(10);
      expect(machine.held).toEqual(['mount']);
      one.close();
      expect(kept.length).toBe(0);
      expect(machine.held).toEqual([]);
      expect(machine.dax.holder).toBeNull();
    });
  });

  describe('bad input', () => {
    /** Expects an error that logs nothing and loses no space. */
    function unchanged(act: () => unknown, code: string): void {
      const before = volume.statfs();
      expect(act).toThrow(coded(code));
      expect(volume.statfs()).toEqual(before);
    }

    it('a size that is negative, broken or not a number is EINVAL', () => {
      for (const size of [-1, 1.5, Number.NaN, 2 ** 53])
        unchanged(() => volume.create('/a', { size }), 'EINVAL');
    });

    it('names: 256 bytes, NUL, dots, the root', () => {
      unchanged(() => volume.create(`/${'x'.repeat(256)}`, { size: 1 }), 'ENAMETOOLONG');
      unchanged(() => volume.mkdir(`/${'\u00e4'.repeat(128)}`), 'ENAMETOOLONG');
      unchanged(() => volume.create('/a\0b', { size: 1 }), 'EINVAL');
      unchanged(() => volume.create('/../a', { size: 1 }), 'EINVAL');
      unchanged(() => volume.mkdir('/./a'), 'EINVAL');
      unchanged(() => volume.mkdir('/'), 'EEXIST');
      volume.create(`/${'x'.repeat(79)}`, { size: 1 });
    });

    it('a missing parent is ENOENT, a file as parent ENOTDIR, an existing name EEXIST', () => {
      volume.create('/file', { size: 1 });
      unchanged(() => volume.create('/no/a', { size: 1 }), 'ENOENT');
      unchanged(() => volume.mkdir('/no/a'), 'ENOENT');
      unchanged(() => volume.create('/file/a', { size: 1 }), 'ENOTDIR');
      unchanged(() => volume.mkdir('/file/a/b', { recursive: true }), 'ENOTDIR');
      unchanged(() => volume.create('/file', { size: 1 }), 'EEXIST');
      unchanged(() => volume.mkdir('/file'), 'EEXIST');
      unchanged(() => volume.stat('/file/a'), 'ENOTDIR');
      unchanged(() => volume.stat('/nothing'), 'ENOENT');
      unchanged(() => volume.open('/'), 'EISDIR');
      unchanged(() => volume.readdir('/file'), 'ENOTDIR');
    });

    it('no space is ENOSPC, and what fits still fits', () => {
      unchanged(() => volume.create('/a', { size: 54 * MIB + 1 }), 'ENOSPC');
      volume.create('/a', { size: 54 * MIB });
      unchanged(() => volume.create('/b', { size: 1 }), 'ENOSPC');
      expect(volume.statfs().free).toBe(0);
    });

    it('a bad stripe, mode or owner is EINVAL', () => {
      const stripe = { nstrips: 0, nbuckets: 4, chunkSize: 2 * MIB };
      unchanged(() => volume.create('/a', { size: MIB, stripe }), 'EINVAL');
      unchanged(() => volume.create('/a', { size: MIB, mode: 0o10000 }), 'EINVAL');
      unchanged(() => volume.create('/a', { size: MIB, uid: -1 }), 'EINVAL');
      unchanged(() => volume.mkdir('/a', { gid: 2 ** 33 }), 'EINVAL');
    });

    it('a closed volume says so', () => {
      volume.create('/a', { size: 1 });
      const file = volume.open('/a');
      volume.close();
      volume.close();
      expect(() => volume.readdir('/')).toThrow(coded('EBADF'));
      expect(() => volume.create('/b', { size: 1 })).toThrow(coded('EBADF'));
      expect(() => file.map()).toThrow(coded('EBADF'));
      expect(() => file.read(new Uint8Array(1), 0)).toThrow(coded('EBADF'));
    });
  });
});

describe('log full', () => {
  it('is ENOSPC before anything is written, for one entry and for several', () => {
    const pool = new Pool({ size: 64 * MIB });
    const volume = pool.mount();
    const { logSlots } = volume.statfs();
    volume.mkdir('/d');
    for (let i = 1; i < logSlots - 1; i++) volume.mkdir(`/d/${i}`);
    expect(() => volume.mkdir('/x/y', { recursive: true })).toThrow(coded('ENOSPC'));
    expect(volume.exists('/x')).toBe(false);
    volume.mkdir('/last');
    const before = volume.statfs();
    expect(before.logFree).toBe(0);
    expect(() => volume.mkdir('/more')).toThrow('log full');
    expect(() => volume.create('/more', { size: 1 })).toThrow(coded('ENOSPC'));
    expect(volume.statfs()).toEqual(before);
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });
});
