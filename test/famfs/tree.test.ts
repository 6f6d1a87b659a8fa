import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMedia, LogAppender, ROOT_INO } from '../../src/famfs/index.js';
import { propertyRuns } from '../support/runs.js';
import { Tally } from '../support/tally.js';
import { fileEntry, HOST, makeVolume, mkdirEntry, replayed, UNIT } from './volume-maker.js';

/** What only an annex says otherwise. */
const names = { nlink: 1, times: null };

describe('the tree of a volume', () => {
  it('has a root, and nothing else at first', () => {
    const tree = replayed(makeVolume());
    expect(tree.lookup('/')).toBe(ROOT_INO);
    expect(tree.stat(ROOT_INO)).toEqual({
      ino: 1,
      type: 'directory',
      size: 0,
      mode: 0o755,
      uid: 0,
      gid: 0,
      ...names,
    });
    expect(tree.readdir(ROOT_INO)).toEqual([]);
  });

  it('finds, lists, and describes what was logged', () => {
    const made = makeVolume();
    const entry = fileEntry('a/b/data', 0, 12345);
    for (const next of [mkdirEntry('a'), mkdirEntry('a/b'), entry, fileEntry('top', 1)])
      made.appender.append(next);
    const tree = replayed(made);
    const ino = tree.lookup('/a/b/data');
    expect(tree.stat(ino)).toEqual({
      ino,
      type: 'file',
      size: 12345,
      mode: 0o640,
      uid: 1000,
      gid: 100,
      ...names,
    });
    expect(tree.fmap(ino)).toEqual(entry.fmap);
    expect(tree.pathOf(ino)).toBe('a/b/data');
    expect(tree.readdir(ROOT_INO)).toEqual(['a', 'top']);
    expect(tree.lookup('a/b/nothing')).toBe(-1);
    expect(tree.lookup('top/below-a-file')).toBe(-1);
    expect(tree.problems).toEqual([]);
  });

  it('numbers inodes by log entry, so that all hosts agree', () => {
    const made = makeVolume();
    made.appender.append(mkdirEntry('a'));
    made.appender.append(fileEntry('f', 0));
    const tree = replayed(made);
    expect([tree.lookup('a'), tree.lookup('f')]).toEqual([2, 3]);
  });

  it('replays only new entries', () => {
    const made = makeVolume();
    made.appender.append(mkdirEntry('a'));
    const tree = replayed(made);
    expect(tree.replay()).toBe(0);
    made.appender.append(fileEntry('a/f', 0));
    made.appender.append(fileEntry('a/g', 1));
    expect(tree.replay()).toBe(2);
    expect(tree.readdir(tree.lookup('a'))).toEqual(['f', 'g']);
    expect(tree.nextIndex).toBe(3);
  });

  it('stops at the first bad entry, and goes on once it is good', () => {
    const made = makeVolume();
    for (const path of ['a', 'b', 'c']) made.appender.append(mkdirEntry(path));
    const where = made.log.entryOffset(1) + 100;
    const byte = made.media.bytes(where, 1);
    byte[0]! ^= 1;
    const tree = replayed(made);
    expect(tree.readdir(ROOT_INO)).toEqual(['a']);
    expect(tree.stopped).toMatchObject({
      code: 'entry-crc',
      entry: 1,
      offset: made.log.entryOffset(1) + 536,
    });
    expect(tree.replay()).toBe(0);
    byte[0]! ^= 1;
    expect(tree.replay()).toBe(2);
    expect(tree.stopped).toBe(null);
    expect(tree.readdir(ROOT_INO)).toEqual(['a', 'b', 'c']);
    expect(tree.problems).toEqual([]);
  });

  it('says so when the device was formatted underneath', () => {
    const made = makeVolume();
    made.appender.append(mkdirEntry('a'));
    const tree = replayed(made);
    formatMedia(made.media, { systemUuid: HOST, force: true });
    expect(() => tree.replay()).toThrowError(expect.objectContaining({ code: 'ESTALE' }));
  });

  it('refuses the extents of an entry that changed after it was replayed', () => {
    const made = makeVolume();
    made.appender.append(fileEntry('f', 0));
    const tree = replayed(made);
    made.media.bytes(made.log.entryOffset(0) + 136, 1)[0] = 9;
    expect(() => tree.fmap(tree.lookup('f'))).toThrowError(expect.objectContaining({ code: 'EBADMSG' }));
  });

  it('accounts the space of files, and not of skipped devices', () => {
    const made = makeVolume();
    made.appender.append(fileEntry('f', 3, 3 * UNIT));
    const tree = replayed(made);
    expect([...tree.usage!.primary.setRuns()]).toEqual([
      { start: 0, count: 5 },
      { start: 8, count: 3 },
    ]);
  });

  it('keeps names that are not UTF-8 apart and reachable', () => {
    const made = makeVolume();
    const names = ['caf\u00e9', 'x\udcff', 'x\udcfe', '\ufffd'];
    for (const name of names) made.appender.append(mkdirEntry(name));
    const tree = replayed(made);
    expect(tree.readdir(ROOT_INO)).toEqual(names);
    for (const name of names) expect(tree.nameOf(tree.lookup(name))).toBe(name);
    expect([...made.media.bytes(made.log.entryOffset(1) + 28, 3)]).toEqual([0x78, 0xff, 0]);
  });

  it('is what a plain Map would be, for any order of directories and files', () => {
    const component = fc.constantFrom('a', 'b', 'ab', 'ba', 'file-with-a-longer-name', '\u00fc');
    const path = fc
      .array(component, { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/'))
      .filter((joined) => Buffer.byteLength(joined) <= 79); // the log holds no longer ones
    const step = fc.record({ path, isFile: fc.boolean() });
    const tally = new Tally();
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const made = makeVolume();
      const model = new Map<string, 'file' | 'directory'>();
      const refused: string[] = [];
      steps.forEach((given, i) => {
        made.appender.append(given.isFile ? fileEntry(given.path, i) : mkdirEntry(given.path));
        const parent = given.path.slice(0, Math.max(0, given.path.lastIndexOf('/')));
        const isPlaced = (parent === '' || model.get(parent) === 'directory') && !model.has(given.path);
        if (tally.count('has its place', isPlaced))
          model.set(given.path, given.isFile ? 'file' : 'directory');
        else refused.push(given.path);
      });
      const tree = replayed(made);
      expect(tree.problems.length).toBe(refused.length);
      for (const [name, type] of model) {
        const ino = tree.lookup(name);
        expect([name, tree.stat(ino).type, tree.pathOf(ino)]).toEqual([name, type, name]);
      }
      const listed: string[] = [];
      const walk = (ino: number) => {
        for (const child of tree.children(ino)) {
          listed.push(tree.pathOf(child));
          if (tree.isDirectory(child)) walk(child);
        }
      };
      walk(ROOT_INO);
      expect(listed.sort()).toEqual([...model.keys()].sort());
    });
    fc.assert(property, { numRuns: propertyRuns(60) });
    tally.mustReach({ 'has its place': 0.1 });
  });

  it('holds many names in little memory', () => {
    const made = makeVolume();
    const appender = new LogAppender(made.log);
    for (let i = 0; i < 5000; i++) appender.append(fileEntry(`file-number-${i}`, 0));
    const tree = replayed(made);
    expect(tree.readdir(ROOT_INO).length).toBe(5000);
    expect(tree.memoryBytes / 5000).toBeLessThan(150);
  });
});
