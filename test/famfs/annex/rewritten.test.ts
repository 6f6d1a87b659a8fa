// Two faults that the random changes of like-tmpfs.property.test.ts found: a rewrite gave an access time to what nobody had said one of,
// and refused a volume whose file has one of its names in a directory with a long name.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Pool } from '../volume/support.js';

const LONG = 'n'.repeat(90);

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

const timesOf = (volume: ReturnType<Pool['mount']>) =>
  [...volume.walk()].map(({ path, times }) => [path, times] as const);

it('leaves unknown what was unknown: the access time of a file that was cut to nothing', async () => {
  const volume = pool.mount();
  volume.create('/f', { size: 3000 }).close();
  volume.truncate('/f', 0);
  const { atime, mtime, ctime } = volume.stat('/f').times ?? {};
  expect([atime, mtime !== undefined, ctime !== undefined]).toEqual([undefined, true, true]);
  const before = timesOf(volume);
  expect((await volume.rewrite()).changed).toBe(true);
  expect(timesOf(volume)).toEqual(before);
  expect(timesOf(pool.mount())).toEqual(before);
});

it('leaves unknown all times of a directory whose names only the annex of the new log can say', async () => {
  const volume = pool.mount();
  volume.mkdir('/d');
  const below = 'b'.repeat(60);
  volume.mkdir(`/d/${below}`);
  volume.create(`/d/${below}/0123456789`, { size: 1 }).close();
  for (const gone of ['/1', '/2', '/3', '/4', '/5']) {
    volume.create(gone, { size: 1 }).close();
    volume.unlink(gone);
  }
  volume.rename('/d', `/${LONG}`);
  expect(volume.stat(`/${LONG}/${below}`).times).toBeNull();
  const before = timesOf(volume);
  expect((await volume.rewrite()).changed).toBe(true);
  expect(timesOf(volume)).toEqual(before);
  expect(timesOf(pool.mount())).toEqual(before);
  expect((await volume.rewrite()).changed).toBe(false);
  expect(pool.fsck()).toEqual([]);
});

it('names a directory before what is in it, also when a file has another name before', async () => {
  const volume = pool.mount();
  volume.create('/a', { size: 3000 }).close();
  volume.mkdir('/d');
  volume.mkdir('/d/e');
  volume.link('/a', '/d/hard');
  volume.link('/a', '/d/e/hard');
  volume.rename('/d', `/${LONG}`);
  await volume.rewrite();
  const names = [...volume.walk()].map(({ path }) => path).sort();
  expect(names).toEqual(['/a', `/${LONG}`, `/${LONG}/e`, `/${LONG}/e/hard`, `/${LONG}/hard`]);
  expect(
    new Set(names.filter((name) => /a$|hard$/.test(name)).map((name) => volume.stat(name).ino)).size,
  ).toBe(1);
  expect(pool.fsck()).toEqual([]);
});

it('makes one record of a file whose name only the annex can say', async () => {
  const volume = pool.mount();
  for (let i = 0; i < 6; i++) volume.create(`/${i}${LONG}`, { size: 1 }).close();
  for (let i = 0; i < 3; i++) volume.unlink(`/${i}${LONG}`);
  expect((await volume.rewrite()).changed).toBe(true);
  // The three names, and the times of the directory that they are in.
  expect(volume.statfs().annexRecords).toBe(4);
});
