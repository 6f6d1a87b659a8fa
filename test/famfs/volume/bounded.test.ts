// What went wrong: fsck called an image with one interleaved file of 512 GiB in chunks of 4 KiB clean, but reading one byte of it
// took minutes, its mount stalled, and a lock on the file was one lock for each chunk. Right: the cost depends only on the range
// that is asked for.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  deviceMedia,
  extentRanges,
  type Fmap,
  Log,
  LogAppender,
  readSuperblock,
} from '../../../src/famfs/index.js';
import { devicePieces } from '../volume-maker.js';
import { MIB, machineOver, Pool, THIS_HOST } from './support.js';

const TIB = 2 ** 40;
const GIB = 2 ** 30;

describe('an image with a file of 2^27 chunks', () => {
  const pools: Pool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close();
  });

  function hostilePool(): Pool {
    const pool = new Pool({ size: TIB });
    pools.push(pool);
    const machine = machineOver(pool.file);
    const media = deviceMedia(machine);
    const appender = new LogAppender(Log.open(media, readSuperblock(media)));
    const extents = Array.from({ length: 16 }, (_, i) => ({
      devindex: 0,
      offset: (i + 1) * 64 * GIB - 32 * GIB,
      length: 32 * GIB,
    }));
    const fmap: Fmap = { type: 'interleaved', nstrips: 16, chunkSize: 4096, extents };
    appender.append({ kind: 'file', path: 'huge', size: 512 * GIB, mode: 0o644, uid: 0, gid: 0, fmap });
    machine.close();
    return pool;
  }

  it('is clean; a byte is read, written, mapped, locked and served at once, and takes a page of the disk', () => {
    const pool = hostilePool();
    expect(pool.fsck()).toEqual([]);
    const before = fs.statSync(pool.file).blocks;
    const script = `
      import { mountFamfs } from ${JSON.stringify(path.resolve(import.meta.dirname, '../../../dist/index.js'))};
      const volume = mountFamfs(${JSON.stringify(pool.file)});
      const file = volume.open('/huge');
      const position = 400 * 2 ** 30 + 5;
      file.write(Uint8Array.of(42), position);
      const byte = new Uint8Array(1);
      file.read(byte, position);
      const view = file.map({ offset: position, length: 1 });
      const lock = file.lock();
      const again = volume.open('/huge').lock();
      const got = [];
      volume.inodes.spans(volume.stat('/huge').ino).visit(position, 8192, { addMemory: (_at, length) => got.push(length) });
      let refused;
      try { file.map({ length: 2 ** 32 }); } catch (error) { refused = error.code; }
      lock.release();
      file.close();
      console.log(JSON.stringify({ byte: byte[0], view: view[0] ?? 'gone', isLocked: again === null, got, refused }));
      volume.close();
    `;
    // A coarse limit: the old cost was many minutes.
    const { stdout, stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 150_000,
      env: { ...process.env, UDAX_SYSTEM_UUID: THIS_HOST },
    });
    expect({ stderr, signal }).toEqual({ stderr: '', signal: null });
    expect(JSON.parse(stdout)).toEqual({
      byte: 42,
      view: 'gone',
      isLocked: true,
      got: [4091, 4096, 5],
      refused: 'ENOMEM',
    });
    expect((fs.statSync(pool.file).blocks - before) * 512).toBeLessThan(MIB);
  });

  it('ranges by extent cover the bytes that the pieces of the file cover', () => {
    const fmap: Fmap = {
      type: 'interleaved',
      nstrips: 3,
      chunkSize: 4096,
      extents: [0, 1, 2].map((i) => ({ devindex: 0, offset: i * 100 * 4096, length: 10 * 4096 })),
    };
    const covered = (ranges: Iterable<{ offset: number; length: number }>) => {
      const bytes = new Set<number>();
      // Every 64th byte and the edges are enough.
      for (const { offset, length } of ranges)
        for (let at = offset; at < offset + length; at++)
          if (at % 64 === 0 || at === offset || at === offset + length - 1) bytes.add(at);
      return [...bytes].filter((at) => at % 64 === 0).sort((a, b) => a - b);
    };
    for (const [offset, length] of [
      [0, 30 * 4096],
      [1, 1],
      [4096, 4096],
      [5000, 20_000],
      [8191, 8194],
      [29 * 4096 + 7, 100],
    ] as const) {
      expect(covered(extentRanges(fmap, offset, length))).toEqual(
        covered(devicePieces(fmap, offset, length)),
      );
      const sum = (list: Iterable<{ length: number }>) =>
        [...list].reduce((total, each) => total + each.length, 0);
      expect(sum(extentRanges(fmap, offset, length))).toBe(length);
    }
    expect(() => extentRanges(fmap, 29 * 4096, 8192)).toThrow(expect.objectContaining({ code: 'ERANGE' }));
  });
});
