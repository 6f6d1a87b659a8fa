/**
 * Incident: df counted space that other processes had reserved as free, and nothing said what is lost because files take whole units.
 * Right: used = superblock + log + units of files + reservations of the living; usage() tells it for a file or a tree.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIB, Pool, pattern, UNIT } from './support.js';

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

describe('statfs()', () => {
  it('tells what is lost to rounding, and what superblock and log take', async () => {
    const volume = pool.mount();
    const empty = volume.statfs();
    expect(empty).toMatchObject({
      metadata: 10 * MIB,
      used: 10 * MIB,
      units: 5,
      fileBytes: 0,
      lostToRounding: 0,
      reserved: 0,
      reclaimable: 0,
    });
    await volume.writeFile('/a', pattern(1, 1));
    await volume.writeFile('/b', pattern(3 * MIB, 2));
    volume.mkdir('/d');
    expect(volume.statfs()).toMatchObject({
      units: 5 + 1 + 2,
      fileBytes: 1 + 3 * MIB,
      lostToRounding: UNIT - 1 + MIB,
      logUsed: 3,
      used: empty.used + 3 * UNIT,
      free: empty.free - 3 * UNIT,
    });
    await volume.rewrite({ remove: ['/a'] });
    expect(volume.statfs()).toMatchObject({ fileBytes: 3 * MIB, lostToRounding: MIB, units: 7 });
  });

  it('counts whole stripes of an interleaved file as taken', () => {
    const volume = pool.mount();
    const stripe = { nstrips: 2, nbuckets: 2, chunkSize: 2 * MIB };
    const size = 5 * MIB;
    volume.create('/striped', { size, stripe }).close();
    const lostToRounding = 4 * UNIT - size;
    expect(volume.statfs()).toMatchObject({ fileBytes: size, lostToRounding });
    expect(volume.usage('/striped')).toMatchObject({ taken: 4 * UNIT, lostToRounding });
  });

  it('counts what this process and others have reserved as used, and gives it back with them', () => {
    const ours = pool.mount();
    const { free, used } = ours.statfs();
    // Another machine over the same file is like another process: its own descriptor, its own locks.
    const theirs = pool.mount();
    try {
      const growing = theirs.inodes.grow('/theirs', { mode: 0o644, uid: 0, gid: 0 });
      growing.write(pattern(3 * MIB, 1), 0);
      expect(theirs.statfs()).toMatchObject({ reserved: 2 * UNIT, free: free - 2 * UNIT });
      expect(ours.statfs()).toMatchObject({
        reserved: 2 * UNIT,
        free: free - 2 * UNIT,
        used: used + 2 * UNIT,
        fileBytes: 0,
      });
      const mine = ours.inodes.grow('/mine', { mode: 0o644, uid: 0, gid: 0 });
      mine.write(pattern(10, 1), 0);
      expect(ours.statfs()).toMatchObject({ reserved: 3 * UNIT, free: free - 3 * UNIT });
      expect(theirs.statfs()).toMatchObject({ reserved: 3 * UNIT, free: free - 3 * UNIT });
      mine.publish();
      expect(ours.statfs()).toMatchObject({ reserved: 2 * UNIT, free: free - 3 * UNIT, fileBytes: 10 });
      growing.end();
      expect(ours.statfs()).toMatchObject({ reserved: 0, free: free - UNIT, used: used + UNIT });
    } finally {
      theirs.close();
    }
  });

  it('takes a lock on bytes of a published file for no reservation', async () => {
    const ours = pool.mount();
    await ours.writeFile('/a', pattern(5 * MIB, 1));
    const before = ours.statfs();
    const theirs = pool.mount();
    const file = theirs.open('/a', { writable: true });
    const lock = file.lock(MIB, 3 * MIB);
    expect(lock).not.toBeNull();
    expect(ours.statfs()).toEqual(before);
    lock!.release();
    file.close();
  });
});

describe('usage()', () => {
  it('tells what a file takes, and a directory with all in it', async () => {
    const volume = pool.mount();
    volume.mkdir('/d/e', { recursive: true });
    await volume.writeFile('/d/a', pattern(10, 1));
    await volume.writeFile('/d/e/b', pattern(UNIT, 2));
    expect(volume.usage('/d/a')).toEqual({
      path: '/d/a',
      files: 1,
      directories: 0,
      bytes: 10,
      taken: UNIT,
      lostToRounding: UNIT - 10,
      logEntries: 1,
    });
    expect(volume.usage('/d')).toEqual({
      path: '/d',
      files: 2,
      directories: 2,
      bytes: 10 + UNIT,
      taken: 2 * UNIT,
      lostToRounding: UNIT - 10,
      logEntries: 4,
    });
    const { units, metadata, fileBytes, lostToRounding, logUsed } = volume.statfs();
    const all = volume.usage('/');
    expect(all).toMatchObject({ taken: units * UNIT - metadata, bytes: fileBytes, lostToRounding });
    expect(all.logEntries).toBe(logUsed);
    expect(() => volume.usage('/nothing')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});
