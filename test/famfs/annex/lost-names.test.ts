// What loses the name of its log entry to a record needs no binding for that: a mark at its slot says it (annex-names.ts).
import { afterEach, beforeEach, expect, it } from 'vitest';
import { deviceMedia } from '../../../src/famfs/index.js';
import { Log } from '../../../src/famfs/media/log.js';
import { readSuperblock } from '../../../src/famfs/media/superblock.js';
import { FileTree } from '../../../src/famfs/media/tree.js';
import { OTHER_HOST, Pool } from '../volume/support.js';

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

function treeOf(from: Pool): FileTree {
  const media = deviceMedia(from.machine({ writable: false }));
  const superblock = readSuperblock(media);
  const tree = new FileTree(superblock, Log.open(media, superblock));
  tree.replay();
  return tree;
}

/** What a tree, a mount that was there before, and a mount of another host say of the root. */
function everyView(before: ReturnType<Pool['mount']>): string[][] {
  before.refresh();
  const late = pool.mount({ readOnly: true, uuid: OTHER_HOST });
  const lists = [before.readdir('/'), late.readdir('/'), treeOf(pool).readdir(1)];
  late.close();
  return lists.map((names) => names.sort());
}

it('takes and gives back names of log entries, the same for all who read the annex', () => {
  const volume = pool.mount();
  const reader = pool.mount({ readOnly: true, uuid: OTHER_HOST });
  for (const name of ['a', 'b', 'c', 'd']) volume.create(`/${name}`, { size: 1 }).close();
  const { ino } = volume.stat('/a');
  volume.rename('/a', '/moved');
  volume.unlink('/b');
  expect(everyView(reader)).toEqual(Array(3).fill(['c', 'd', 'moved']));
  expect(volume.stat('/moved')).toMatchObject({ ino, nlink: 1 });

  // The place is free, and what comes there is of the annex.
  volume.create('/a', { size: 2 }).close();
  expect(volume.stat('/a').ino).not.toBe(ino);
  expect(everyView(reader)).toEqual(Array(3).fill(['a', 'c', 'd', 'moved']));
  volume.unlink('/a');
  volume.rename('/moved', '/a');
  expect(volume.stat('/a').ino).toBe(ino);
  // A second name does not bring the first one back.
  volume.link('/a', '/hard');
  volume.unlink('/a');
  expect(volume.stat('/hard')).toMatchObject({ ino, nlink: 1 });
  expect(everyView(reader)).toEqual(Array(3).fill(['c', 'd', 'hard']));
  // Replaced, and moved on from there.
  volume.rename('/c', '/d');
  volume.mkdir('/e');
  volume.rename('/d', '/e/d');
  expect(everyView(reader)).toEqual(Array(3).fill(['e', 'hard']));
  expect(reader.readdir('/e')).toEqual(['d']);
  // Exchanged with what has lost its name already, and taken from the one that has not.
  volume.create('/x', { size: 1 }).close();
  const x = volume.stat('/x').ino;
  volume.rename('/x', '/hard', { exchange: true });
  expect([volume.stat('/x').ino, volume.stat('/hard').ino]).toEqual([ino, x]);
  volume.unlink('/x');
  expect(everyView(reader)).toEqual(Array(3).fill(['e', 'hard']));
  expect(volume.stat('/hard')).toMatchObject({ ino: x, nlink: 1 });
  expect(pool.fsck()).toEqual([]);
  // C famfs sees the log, which has forgotten nothing.
  const plain = pool.mount({ readOnly: true, plain: true });
  for (const name of ['a', 'b', 'c', 'd']) expect(plain.readdir('/')).toContain(name);
});

it('has one binding for a renamed file, and none for a removed one', () => {
  const volume = pool.mount();
  for (let i = 0; i < 20; i++) volume.create(`/f${i}`, { size: 1 }).close();
  volume.rename('/f0', '/g0');
  const before = treeOf(pool).annex!.names.bindings.count;
  for (let i = 1; i < 11; i++) volume.rename(`/f${i}`, `/g${i}`);
  for (let i = 11; i < 20; i++) volume.unlink(`/f${i}`);
  const tree = treeOf(pool);
  expect(tree.annex!.names.bindings.count - before).toBe(10);
  for (let i = 0; i < 20; i++) {
    expect(tree.isOfAnnex(1, `f${i}`)).toBe(true);
    expect(tree.child(1, `f${i}`)).toBe(-1);
    expect(tree.baseChild(1, `f${i}`)).toBeGreaterThan(1);
  }
  expect(tree.isOfAnnex(1, 'never')).toBe(false);
});
