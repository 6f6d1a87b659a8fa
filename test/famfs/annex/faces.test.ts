// What the log cannot say, through volume.fs, watch() and a rewrite: the calls of node:fs, told to others, and folded at rest.
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Volume, WatchEvent } from '../../../src/famfs/volume/index.js';
import { contentOf, MIB, Pool, pattern } from '../volume/support.js';

let pool: Pool;
let volume: Volume;
beforeEach(() => {
  pool = new Pool({ size: 128 * MIB });
  volume = pool.mount();
});
afterEach(() => pool.close());

const coded = (code: string) => expect.objectContaining({ code });
const text = (path: string) => Buffer.from(contentOf(volume, path)).toString();

describe('volume.fs', () => {
  it('writes, appends, cuts and removes as node:fs', () => {
    const face = volume.fs;
    face.mkdirSync('/a/b', { recursive: true });
    face.writeFileSync('/a/f', 'hello');
    face.appendFileSync('/a/f', ' world');
    face.appendFileSync('/a/new', 'x');
    const { ino } = face.statSync('/a/f');
    face.writeFileSync('/a/f', 'other');
    expect([text('/a/f'), face.statSync('/a/f').ino]).toEqual(['other', ino]);
    face.truncateSync('/a/f', 2);
    expect(text('/a/f')).toBe('ot');
    face.writeFileSync('/empty', '');
    expect(face.readFileSync('/empty', 'utf8')).toBe('');
    expect(() => face.writeFileSync('/empty', 'x', { flag: 'wx' })).toThrow(coded('EEXIST'));
    face.renameSync('/a/f', '/a/b/f');
    face.linkSync('/a/b/f', '/a/hard');
    expect(face.statSync('/a/hard').nlink).toBe(2);
    face.symlinkSync('b/f', '/a/soft');
    expect(face.readFileSync('/a/soft', 'utf8')).toBe('ot');
    expect(face.readlinkSync('/a/soft')).toBe('b/f');
    expect(face.realpathSync('/a/soft')).toBe('/a/b/f');
    expect([face.lstatSync('/a/soft').isSymbolicLink(), face.statSync('/a/soft').isFile()]).toEqual([
      true,
      true,
    ]);
    expect(
      face.readdirSync('/a', { withFileTypes: true }).map((one) => [one.name, one.isSymbolicLink()]),
    ).toEqual([
      ['b', false],
      ['hard', false],
      ['new', false],
      ['soft', true],
    ]);
    face.utimesSync('/a/hard', 1, new Date(2500));
    expect([face.statSync('/a/b/f').atimeMs, face.statSync('/a/b/f').mtimeMs]).toEqual([1000, 2500]);
    face.chmodSync('/a/hard', 0o600);
    face.chownSync('/a/hard', 3, 4);
    expect(face.statSync('/a/b/f')).toMatchObject({ mode: fs.constants.S_IFREG | 0o600, uid: 3, gid: 4 });
    expect(() => face.rmSync('/a')).toThrow(coded('EISDIR'));
    face.rmSync('/a', { recursive: true });
    face.rmSync('/a', { force: true });
    expect(face.readdirSync('/')).toEqual(['empty']);
    expect(pool.fsck()).toEqual([]);
  });

  it('keeps striping when a file gets another size, and the old bytes for who has them open', () => {
    const bytes = pattern(5 * MIB);
    const stripe = { nstrips: 2, nbuckets: 2, chunkSize: 2 * MIB };
    volume
      .create('/s', {
        size: bytes.length,
        stripe,
        fill: (into, at) => into.set(bytes.subarray(at, at + into.length)),
      })
      .close();
    const open = volume.open('/s');
    volume.truncate('/s', 3 * MIB);
    expect(volume.getmap('/s')).toMatchObject({
      type: 'interleaved',
      nstrips: 2,
      chunkSize: 2 * MIB,
      size: 3 * MIB,
    });
    expect(Buffer.compare(contentOf(volume, '/s'), bytes.subarray(0, 3 * MIB))).toBe(0);
    const old = new Uint8Array(bytes.length);
    open.read(old, 0);
    expect(Buffer.compare(old, bytes)).toBe(0);
    open.close();
    volume.truncate('/s', 7 * MIB);
    expect(
      contentOf(volume, '/s')
        .subarray(3 * MIB)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  it('with promises and callbacks', async () => {
    const { promises } = volume.fs;
    await promises.writeFile('/p', 'x');
    await promises.rename('/p', '/q');
    await promises.symlink('q', '/r');
    await expect(promises.unlink('/p')).rejects.toEqual(coded('ENOENT'));
    await new Promise<void>((done, failed) =>
      volume.fs.unlink('/q', (error) => (error ? failed(error) : done())),
    );
    expect(volume.readdir('/')).toEqual(['r']);
    expect(() => volume.stat('/r')).toThrow(coded('ENOENT'));
    volume.symlink('r2', '/r1');
    volume.symlink('r1', '/r2');
    expect(() => volume.stat('/r1')).toThrow(coded('ELOOP'));
  });
});

it('attributes of users are kept, and told by their own errors', () => {
  volume.mkdir('/d');
  volume.setxattr('/d', 'user.a', Buffer.from('1'));
  volume.setxattr('/d', 'user.b', new Uint8Array(65536).fill(3));
  expect(volume.listxattr('/d')).toEqual(['user.a', 'user.b']);
  expect(() => volume.setxattr('/d', 'user.a', Buffer.from('2'), { create: true })).toThrow(coded('EEXIST'));
  expect(() => volume.setxattr('/d', 'user.c', Buffer.from('2'), { replace: true })).toThrow(
    coded('ENODATA'),
  );
  expect(() => volume.setxattr('/d', 'trusted.a', Buffer.from('2'))).toThrow(coded('EOPNOTSUPP'));
  expect(() => volume.setxattr('/d', 'user.c', new Uint8Array(65537))).toThrow(coded('E2BIG'));
  expect(() => volume.getxattr('/d', 'user.c')).toThrow(coded('ENODATA'));
  volume.removexattr('/d', 'user.a');
  const again = pool.mount({ role: 'client' });
  expect([again.listxattr('/d'), again.getxattr('/d', 'user.b').length]).toEqual([['user.b'], 65536]);
  expect(() => again.unlink('/d')).toThrow(coded('EROFS'));
});

it('a second host is told of removals and renames', async () => {
  volume.mkdir('/d');
  volume.create('/d/a', { size: 1 }).close();
  const other = pool.mount({ role: 'client' });
  const watcher = other.watch({ intervalMs: 1 });
  const seen: unknown[] = [];
  const next = async (): Promise<WatchEvent> => (await watcher.next()).value;
  volume.rename('/d/a', '/b');
  seen.push(await next());
  volume.unlink('/b');
  seen.push(await next());
  volume.symlink('d', '/s');
  const event = await next();
  if (event.type === 'new') seen.push(event.entries.map(({ path, type }) => `${path} ${type}`));
  watcher.close();
  expect(seen).toEqual([
    { type: 'renamed', entries: [{ from: '/d/a', to: '/b', ino: 3 }] },
    { type: 'removed', entries: [{ path: '/b', ino: 3 }] },
    ['/s symlink'],
  ]);
});

it('an exchange changes two names at once; noReplace replaces nothing', () => {
  volume.mkdir('/d');
  volume.create('/d/in', { size: 1 }).close();
  volume.create('/f', { size: 2 }).close();
  expect(() => volume.rename('/d', '/f', { noReplace: true })).toThrow(coded('EEXIST'));
  expect(() => volume.rename('/d', '/none', { exchange: true })).toThrow(coded('ENOENT'));
  expect(() => volume.rename('/d/in', '/d', { exchange: true })).toThrow(coded('EINVAL'));
  volume.rename('/d', '/f', { exchange: true });
  expect([volume.stat('/f/in').size, volume.stat('/d').size]).toEqual([1, 2]);
  volume.rename('/f', '/g', { noReplace: true });
  expect(volume.readdir('/g')).toEqual(['in']);
});

it('a full annex has a further one, and all of them are read again', { timeout: 600_000 }, () => {
  volume.create('/f', { size: 1 }).close();
  const value = new Uint8Array(60_000);
  for (let i = 0; i < 80; i++) {
    value[0] = i;
    volume.setxattr('/f', `user.${i}`, value);
  }
  expect(volume.statfs()).toMatchObject({ annexRecords: 80 });
  expect(pool.mount({ plain: true, readOnly: true }).readdir('/')).toEqual([
    '.udax-annex',
    '.udax-annex.1',
    'f',
  ]);
  const again = pool.mount({ role: 'client' });
  expect([again.listxattr('/f').length, again.getxattr('/f', 'user.79')[0], again.problems]).toEqual([
    80,
    79,
    [],
  ]);
  expect(pool.fsck()).toEqual([]);
});

it('a rewrite without anything that only an annex can say leaves what C would have made', async () => {
  volume.create('/keep', { size: 10, mode: 0o600, uid: 5, gid: 6 }).close();
  volume.create('/gone', { size: 10 }).close();
  volume.mkdir('/d');
  volume.create('/d/x', { size: 10 }).close();
  volume.unlink('/gone');
  volume.rename('/d/x', '/d/y');
  volume.chmod('/keep', 0o640);
  const before = volume.statfs();
  expect(before.reclaimable).toBe(2 * MIB);
  const result = await volume.rewrite();
  // The times of /d are the only thing that an entry cannot say, and they are known since the rename.
  expect(volume.stat('/d').times).not.toBeNull();
  expect(result).toMatchObject({ changed: true, freedBytes: 2 * MIB });
  const plain = pool.mount({ plain: true, readOnly: true });
  expect(plain.readdir('/')).toEqual(['.udax-annex', 'd', 'keep']);
  expect([plain.readdir('/d'), plain.stat('/keep')]).toMatchObject([['y'], { mode: 0o640, uid: 5, gid: 6 }]);
  expect(pool.fsck()).toEqual([]);
});

it('rm, mv and truncate at rest work on names of the annex, one link for itself', async () => {
  volume.create('/f', { size: 10 }).close();
  volume.link('/f', '/g');
  volume.create('/empty', { size: 0 }).close();
  const long = `/${'n'.repeat(200)}`;
  volume.mkdir(long);
  await volume.rewrite({
    remove: ['/f'],
    move: [['/empty', `${long}/e`]],
    resize: [
      ['/g', 20],
      [`${long}/e`, 5],
    ],
  });
  expect([...volume.walk()].map(({ path, size, nlink }) => [path, size, nlink])).toEqual([
    ['/g', 20, 1],
    [long, 0, 1],
    [`${long}/e`, 5, 1],
  ]);
  expect(pool.fsck()).toEqual([]);
});
