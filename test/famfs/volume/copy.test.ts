import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CopyProgress, Volume } from '../../../src/famfs/volume/index.js';
import { contentOf, MIB, Pool, pattern, UNIT } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });

describe('copying', () => {
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

  it('in: content, size and mode arrive, and progress is told to the end', async () => {
    const bytes = pattern(20 * MIB + 123);
    const source = pool.hostFile('source', bytes);
    fs.chmodSync(source, 0o640);
    const progress: CopyProgress[] = [];
    await volume.copyIn(source, '/a', { uid: 5, gid: 6, onProgress: (done) => progress.push(done) });
    expect(volume.stat('/a')).toMatchObject({ size: bytes.length, mode: 0o640, uid: 5, gid: 6 });
    expect(Buffer.from(contentOf(volume, '/a')).equals(bytes)).toBe(true);
    expect(progress.length).toBeGreaterThan(1);
    expect(progress.at(-1)).toEqual({ bytes: bytes.length, totalBytes: bytes.length, path: '/a' });
  });

  it('in: nobody sees the file before it is whole', async () => {
    const source = pool.hostFile('source', pattern(20 * MIB));
    const other = pool.mount();
    const seen: boolean[] = [];
    const look = () => {
      other.refresh();
      seen.push(other.exists('/a') || volume.exists('/a'));
    };
    await volume.copyIn(source, '/a', { onProgress: look });
    expect(seen.every((there) => !there)).toBe(true);
    expect(other.refresh()).toBe(1);
  });

  it('in: from a file of a volume, and nobody sees the copy before it is whole', async () => {
    const bytes = pattern(20 * MIB + 5);
    await volume.copyIn(pool.hostFile('source', bytes), '/a');
    const source = volume.open('/a');
    const other = pool.mount();
    const seen: boolean[] = [];
    await volume.copyIn(source, '/b', { mode: 0o600, onProgress: () => seen.push(other.refresh() > 1) });
    expect(seen.every((there) => !there)).toBe(true);
    expect(volume.stat('/b')).toMatchObject({ size: bytes.length, mode: 0o600 });
    expect(Buffer.from(contentOf(volume, '/b')).equals(bytes)).toBe(true);
    expect(source.read(new Uint8Array(1), 0)).toBe(1);
    source.close();
  });

  it("in: space in use by a copy is nobody else's", async () => {
    const source = pool.hostFile('source', pattern(30 * MIB));
    const other = pool.mount();
    let tried = false;
    await volume.copyIn(source, '/a', {
      onProgress() {
        if (tried) return;
        tried = true;
        expect(() => other.create('/b', { size: 26 * MIB })).toThrow(coded('ENOSPC'));
        other.create('/c', { size: UNIT }).write(Uint8Array.of(1), 0);
        volume.create('/d', { size: UNIT }).write(Uint8Array.of(2), 0);
      },
    });
    expect(Buffer.from(contentOf(volume, '/a')).equals(pattern(30 * MIB))).toBe(true);
    expect(contentOf(volume, '/c')[0]).toBe(1);
    expect(contentOf(volume, '/d')[0]).toBe(2);
  });

  it('in: an abort leaves nothing, and gives the space back', async () => {
    const source = pool.hostFile('source', pattern(30 * MIB));
    const before = volume.statfs();
    const controller = new AbortController();
    const copying = volume.copyIn(source, '/a', {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(copying).rejects.toMatchObject({ name: 'AbortError' });
    expect(volume.statfs()).toEqual(before);
    expect(volume.exists('/a')).toBe(false);
    pool.mount().create('/all', { size: before.free });
  });

  it('in: an equal size is overwritten in place, another size is refused', async () => {
    const source = pool.hostFile('source', pattern(UNIT, 1));
    await volume.copyIn(source, '/a');
    const view = volume.open('/a').map();
    fs.writeFileSync(source, pattern(UNIT, 2));
    const { logUsed } = volume.statfs();
    await volume.copyIn(source, '/a');
    expect(Buffer.from(view).equals(pattern(UNIT, 2))).toBe(true);
    expect(volume.statfs().logUsed).toBe(logUsed);
    fs.appendFileSync(source, 'x');
    await expect(volume.copyIn(source, '/a')).rejects.toEqual(coded('EEXIST'));
  });

  it('in: bad sources and destinations are refused and change nothing', async () => {
    const source = pool.hostFile('source', pattern(10));
    volume.mkdir('/d');
    const before = volume.statfs();
    const cases: [string, string, string][] = [
      [path.join(pool.directory, 'nothing'), '/a', 'ENOENT'],
      [pool.directory, '/a', 'EISDIR'],
      ['/dev/zero', '/a', 'EINVAL'],
      [source, '/d', 'EISDIR'],
      [source, '/no/a', 'ENOENT'],
      [source, '/../a', 'EINVAL'],
      [source, `/${'x'.repeat(256)}`, 'ENAMETOOLONG'],
      [pool.hostFile('big', new Uint8Array(55 * MIB)), '/a', 'ENOSPC'],
    ];
    for (const [from, to, code] of cases) await expect(volume.copyIn(from, to)).rejects.toEqual(coded(code));
    expect(volume.statfs()).toEqual(before);
  });

  it('in: a source that shrinks meanwhile is EIO and leaves nothing', async () => {
    const source = pool.hostFile('source', pattern(30 * MIB));
    const before = volume.statfs();
    const onProgress = () => fs.truncateSync(source, 10 * MIB);
    await expect(volume.copyIn(source, '/a', { onProgress })).rejects.toEqual(coded('EIO'));
    expect(volume.statfs()).toEqual(before);
  });

  it('in: a volume closed meanwhile ends the copy', async () => {
    const source = pool.hostFile('source', pattern(30 * MIB));
    await expect(volume.copyIn(source, '/a', { onProgress: () => volume.close() })).rejects.toEqual(
      coded('EBADF'),
    );
    expect(pool.mount().exists('/a')).toBe(false);
  });

  it('in: a name taken while the data was copied is EEXIST, and the space comes back', async () => {
    const source = pool.hostFile('source', pattern(20 * MIB));
    const other = pool.mount();
    const onProgress = () => {
      if (!other.exists('/a')) other.create('/a', { size: 1 });
    };
    await expect(volume.copyIn(source, '/a', { onProgress })).rejects.toEqual(coded('EEXIST'));
    expect(volume.statfs().free).toBe(52 * MIB);
  });

  it('out: content and mode arrive under the name, and nothing else', async () => {
    const bytes = pattern(9 * MIB + 1);
    volume.create('/a', { size: bytes.length, mode: 0o600 }).write(bytes, 0);
    const target = path.join(pool.directory, 'out', 'copy');
    fs.mkdirSync(path.dirname(target));
    await volume.copyOut('/a', target);
    await volume.copyOut('/a', target);
    expect(fs.readFileSync(target).equals(bytes)).toBe(true);
    expect(fs.statSync(target).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(path.dirname(target))).toEqual(['copy']);
  });

  it('out: an abort leaves what was there', async () => {
    volume.create('/a', { size: 20 * MIB });
    const target = pool.hostFile('target', pattern(3));
    const controller = new AbortController();
    const copying = volume.copyOut('/a', target, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(copying).rejects.toMatchObject({ name: 'AbortError' });
    expect(new Uint8Array(fs.readFileSync(target))).toEqual(pattern(3));
    expect(fs.readdirSync(pool.directory).sort()).toEqual(['pool', 'target']);
  });

  it('out: a directory, a missing directory and a missing file are refused', async () => {
    volume.create('/a', { size: 1 });
    await expect(volume.copyOut('/a', pool.directory)).rejects.toEqual(coded('EISDIR'));
    await expect(volume.copyOut('/a', path.join(pool.directory, 'no', 'a'))).rejects.toEqual(coded('ENOENT'));
    await expect(volume.copyOut('/no', path.join(pool.directory, 'a'))).rejects.toEqual(coded('ENOENT'));
    await volume.copyOut('/a', '/dev/null');
    expect(fs.statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});
