import { afterEach, describe, expect, it } from 'vitest';
import { createArena, fsckArena, openArena } from '../../src/arena/index.js';
import { ArenaLab, bytesOf, expectSound, KIB, MIB } from './support.js';

describe('an arena', () => {
  const lab = new ArenaLab();
  afterEach(() => lab.close());

  it('gives back what was put, in place and aligned', () => {
    const { arena, volume } = lab.make();
    for (const length of [1, 63, 64, 65, 4096, 100_000])
      arena.put(`k${length}`, bytesOf(`k${length}`, length));
    for (const length of [1, 63, 64, 65, 4096, 100_000]) {
      const value = arena.get(`k${length}`)!;
      expect(
        Buffer.compare(Buffer.from(value.bytes as Uint8Array), Buffer.from(bytesOf(`k${length}`, length))),
      ).toBe(0);
      expect(value.bytes.byteOffset % 64).toBe(0);
      value.release();
    }
    expect(arena.get('absent')).toBeNull();
    expectSound(volume);
  });

  it('shows a reservation only after commit, and frees it after abort', () => {
    const { arena, volume } = lab.make();
    const reservation = arena.reserve('a', 1000);
    reservation.bytes.fill(7);
    expect(arena.has('a')).toBe(false);
    reservation.commit();
    expect(arena.read('a')).toEqual(new Uint8Array(1000).fill(7));
    expect(() => reservation.bytes).toThrow(expect.objectContaining({ code: 'EBADF' }));
    const before = arena.stats().free;
    arena.reserve('b', 5000).abort();
    expect(arena.has('b')).toBe(false);
    expect(arena.stats().free).toBe(before);
    expectSound(volume);
  });

  it('replaces at once, and keeps the old value for those who have it pinned', () => {
    const { arena, volume } = lab.make();
    arena.put('a', new Uint8Array(100).fill(1));
    const old = arena.get('a')!;
    const { reference } = old;
    arena.put('a', new Uint8Array(100).fill(2));
    for (let i = 0; i < 100; i++) arena.put(`other${i}`, new Uint8Array(100).fill(3));
    expect([...old.bytes]).toEqual(new Array(100).fill(1));
    expect(arena.read('a')![0]).toBe(2);
    expect(() => arena.open(reference)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
    expect(arena.stats().limbo).toBe(128);
    old.release();
    arena.reap();
    expect(arena.stats().limbo).toBe(0);
    expectSound(volume);
  });

  it('finds an object by its reference, until it is gone', () => {
    const { arena, volume } = lab.make();
    arena.put('a', bytesOf('a', 50));
    const value = arena.get('a')!;
    const { reference } = value;
    value.release();
    const other = lab.open(volume);
    const opened = other.open(reference);
    expect(Buffer.from(opened.bytes as Uint8Array)).toEqual(Buffer.from(bytesOf('a', 50)));
    opened.release();
    expect(arena.delete('a')).toBe(true);
    expect(arena.delete('a')).toBe(false);
    arena.put('b', bytesOf('b', 50));
    expect(() => other.open(reference)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
  });

  it('refuses with EEXIST when the key must be new', () => {
    const { arena } = lab.make();
    arena.put('a', Uint8Array.of(1), { ifAbsent: true });
    expect(() => arena.put('a', Uint8Array.of(2), { ifAbsent: true })).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    const [first, second] = [
      arena.reserve('n', 10, { ifAbsent: true }),
      arena.reserve('n', 10, { ifAbsent: true }),
    ];
    first.commit();
    expect(() => second.commit()).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    second.abort();
    expect(arena.stats().reserved).toBe(0);
  });

  it('forgets an object when its time is over', async () => {
    const { arena, volume } = lab.make();
    arena.put('short', Uint8Array.of(1), { ttlMs: 30 });
    arena.put('long', Uint8Array.of(2), { ttlMs: 60_000 });
    expect(arena.has('short')).toBe(true);
    await expect.poll(() => arena.has('short')).toBe(false);
    expect(arena.get('short')).toBeNull();
    expect([...arena.list()].map(({ name }) => name)).toEqual(['long']);
    // What has expired goes first.
    expect(arena.evict(0)).toBe(64);
    arena.put('short', Uint8Array.of(3));
    expect(arena.read('short')).toEqual(Uint8Array.of(3));
    expectSound(volume);
  });

  it('takes the exact space, and says so when it is full', () => {
    const { arena, volume } = lab.make({ size: 2 * MIB });
    const { heap, free } = arena.stats();
    expect(free).toBe(heap);
    arena.put('all', new Uint8Array(heap));
    expect(arena.stats().free).toBe(0);
    expect(() => arena.put('one', Uint8Array.of(1))).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    expect(() => arena.put('larger', new Uint8Array(heap + 1))).toThrow(
      expect.objectContaining({ code: 'EFBIG' }),
    );
    arena.delete('all');
    for (let i = 0; i < 256; i++) arena.put(`k${i}`, Uint8Array.of(i));
    expect(() => arena.put('k256', Uint8Array.of(1))).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
    for (let i = 0; i < 256; i++) arena.delete(`k${i}`);
    expect(arena.stats()).toMatchObject({ free: heap, largestFree: heap, freePieces: 1, objects: 0 });
    expectSound(volume);
  });

  it('names who pins what is in the way', () => {
    const { arena } = lab.make({ eviction: 'clock' });
    const { heap } = arena.stats();
    arena.put('half', new Uint8Array(heap / 2 + 64));
    const value = arena.get('half')!;
    expect(() => arena.put('other', new Uint8Array(heap / 2))).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: expect.stringContaining(`pid ${process.pid} `) }),
    );
    value.release();
    arena.put('other', new Uint8Array(heap / 2));
    expect(arena.has('half')).toBe(false);
  });

  it('lists, with and without a prefix', () => {
    const { arena } = lab.make();
    arena.putBatch([
      ['a/1', bytesOf('1', 10)],
      ['a/2', bytesOf('2', 70_000)],
      [Uint8Array.of(255, 0, 1), bytesOf('3', 30)],
    ]);
    expect([...arena.list()].map(({ size }) => size).sort((a, b) => a - b)).toEqual([10, 30, 70_000]);
    expect([...arena.list({ prefix: 'a/' })].map(({ name }) => name).sort()).toEqual(['a/1', 'a/2']);
    expect(arena.hasBatch(['a/1', 'no', Uint8Array.of(255, 0, 1)])).toEqual([true, false, true]);
    const found = arena.getBatch(['a/2', 'no']);
    expect(found[0]!.bytes.length).toBe(70_000);
    expect(found[1]).toBeNull();
    found[0]!.release();
  });

  it('refuses keys and values that there cannot be', () => {
    const { arena } = lab.make({ maxKeyBytes: 32 });
    expect(() => arena.put('x'.repeat(33), Uint8Array.of(1))).toThrow(
      expect.objectContaining({ code: 'ENAMETOOLONG' }),
    );
    expect(() => arena.get('')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arena.put('x', new Uint8Array(0))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arena.put('x', 'text' as never)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arena.get(7 as never)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => arena.reserve('x', 0)).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    arena.put('\u00e4'.repeat(16), Uint8Array.of(1));
    expect(arena.has(Buffer.from('\u00e4'.repeat(16)))).toBe(true);
  });

  it('works read-only by copies', () => {
    const { arena, volume } = lab.make();
    arena.put('a', bytesOf('a', 100));
    const reader = lab.open(volume, { readOnly: true });
    expect(reader.read('a')).toEqual(bytesOf('a', 100));
    expect(reader.has('b')).toBe(false);
    expect([...reader.list()].length).toBe(1);
    expect(() => reader.get('a')).toThrow(expect.objectContaining({ code: 'EROFS' }));
    expect(() => reader.put('a', Uint8Array.of(1))).toThrow(expect.objectContaining({ code: 'EROFS' }));
    arena.put('b', bytesOf('b', 9));
    expect(reader.read('b')).toEqual(bytesOf('b', 9));
  });

  it('says what is wrong with a file that is no arena', () => {
    const { volume } = lab.pool();
    volume.create('/file', { size: 2 * MIB }).close();
    expect(() => openArena(volume, '/file')).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => createArena(volume, '/small', { size: 64 * KIB })).toThrow(
      expect.objectContaining({ code: 'ENOSPC' }),
    );
    expect(() => createArena(volume, '/odd', { size: MIB, align: 100 })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    createArena(volume, '/kv', { size: 2 * MIB, slots: 16 });
    const file = volume.open('/kv', { writable: true });
    file.write(Uint8Array.of(2), 8);
    expect(() => openArena(volume, '/kv')).toThrow(expect.objectContaining({ code: 'EOPNOTSUPP' }));
    file.write(Uint8Array.of(1), 8);
    file.write(Uint8Array.of(9), 44);
    expect(() => openArena(volume, '/kv')).toThrow(expect.objectContaining({ code: 'EBADMSG' }));
    expect(fsckArena(volume, '/kv').ok).toBe(false);
    file.close();
  });

  it('ends with its handle: pins, reservations and views', () => {
    const { arena, volume } = lab.make();
    const other = lab.open(volume);
    arena.put('a', Uint8Array.of(1));
    const value = arena.get('a')!;
    arena.reserve('open', 1000);
    arena.close();
    value.release();
    expect(() => arena.get('a')).toThrow(expect.objectContaining({ code: 'EBADF' }));
    expect(other.stats()).toMatchObject({ reserved: 0, objects: 1 });
    expect(other.stats().members).toHaveLength(1);
    other.delete('a');
    expect(other.stats()).toMatchObject({ limbo: 0, used: 0 });
    expectSound(volume);
  });
});
