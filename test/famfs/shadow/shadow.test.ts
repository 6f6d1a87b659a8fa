import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { bufferMedia, Log, LogAppender, type NewLogEntry, readSuperblock } from '../../../src/famfs/index.js';
import { readableLog, replayToShadow } from '../../../src/famfs/shadow/index.js';
import { golden, goldenMedia, goldenNames } from '../golden.js';

interface ShadowNode {
  type: 'dir' | 'file';
  mode: string;
  uid: number;
  gid: number;
  yaml?: string;
}

type Tree = Record<string, ShadowNode>;
interface LargeTree {
  sha256_of_sorted_name_NUL_yaml: string;
  dirs: number;
  files: number;
}
interface WithTree {
  shadow_tree_after_first_logplay: Tree | Record<string, LargeTree | Tree>;
}

const isRoot = process.geteuid?.() === 0;
const directories: string[] = [];

afterEach(() => {
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true });
});

function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-shadow-'));
  directories.push(directory);
  return directory;
}

const logOf = (name: string) => readableLog(goldenMedia(name));

/** Every name below a directory, sorted by code units, with the facts of C's tree listing. */
function listTree(top: string): Tree {
  const tree: Tree = {};
  const visit = (name: string) => {
    const stat = fs.lstatSync(path.join(top, name));
    const mode = `0${(stat.mode & 0o7777).toString(8)}`;
    const about = { mode, uid: stat.uid, gid: stat.gid };
    if (stat.isDirectory()) {
      tree[name] = { type: 'dir', ...about };
      for (const child of fs.readdirSync(path.join(top, name)).sort()) visit(`${name}/${child}`);
    } else tree[name] = { type: 'file', ...about, yaml: fs.readFileSync(path.join(top, name), 'utf8') };
  };
  visit('root');
  return tree;
}

/** udax also sets an owner when one of the two ids is 0, and only root can set any. */
function comparable(tree: Tree): Tree {
  if (isRoot) return tree;
  return Object.fromEntries(Object.entries(tree).map(([name, node]) => [name, { ...node, uid: 0, gid: 0 }]));
}

const readable = goldenNames.filter((name) => !/^2[0-4]-/.test(name));

describe('a shadow tree of the golden images', () => {
  it.each(readable)('is that of C, byte for byte: %s', (name) => {
    const shadow = temporaryDirectory();
    const report = replayToShadow(logOf(name), shadow);
    const wanted = (golden(name) as unknown as WithTree).shadow_tree_after_first_logplay;
    const found = listTree(shadow);
    const logplay = golden(name).c_tools.logplay!;
    const counts = /(\d+) log entries; (\d+) new files; (\d+) new directories/.exec(logplay.stdout);
    if (counts !== null && name !== '28b-dotdot-path' && !name.startsWith('38')) {
      expect([report.entries, report.files, report.directories]).toEqual(counts.slice(1).map(Number));
    }
    expect(report.yamlErrors).toBe(0);
    const large = Object.values(wanted).find((value) => 'sha256_of_sorted_name_NUL_yaml' in value) as
      | LargeTree
      | undefined;
    if (large !== undefined) {
      compareLarge(found, large);
      return;
    }
    expect(comparable(found)).toEqual(comparable(wanted as Tree));
  });

  it.each(readable)('is left as it is by a second replay: %s', (name) => {
    const shadow = temporaryDirectory();
    const first = replayToShadow(logOf(name), shadow);
    const second = replayToShadow(logOf(name), shadow);
    expect(second).toMatchObject({
      files: 0,
      directories: 0,
      filesExisted: first.files + first.filesExisted,
      directoriesExisted: first.directories + first.directoriesExisted,
      yamlErrors: 0,
      yamlChecked: first.yamlChecked,
    });
  });

  it('never leaves the root, where C followed ..', () => {
    const shadow = temporaryDirectory();
    const report = replayToShadow(logOf('28b-dotdot-path'), path.join(shadow));
    expect(report.fileErrors).toBe(1);
    expect(report.problems[0]).toMatchObject({ code: 'path-dot' });
    expect(fs.readdirSync(shadow)).toEqual(['root']);
  });
});

function compareLarge(found: Tree, wanted: LargeTree): void {
  const entries = Object.entries(found);
  expect(entries.filter(([, { type }]) => type === 'file')).toHaveLength(wanted.files);
  const hash = createHash('sha256');
  const names = entries.map(([name]) => name).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const { yaml } = found[name]!;
    if (yaml !== undefined) hash.update(`${name}\0${yaml}`);
  }
  expect(hash.digest('hex')).toBe(wanted.sha256_of_sorted_name_NUL_yaml);
}

describe('a shadow tree that meets what is there', () => {
  const FILE = { kind: 'file', size: 100, mode: 0o644, uid: 0, gid: 0 } as const;
  const MIB = 2 ** 20;

  function logWith(...entries: NewLogEntry[]): Log {
    const source = goldenMedia('01-empty-8m');
    const media = bufferMedia(Uint8Array.from(source.bytes(0, 10 * MIB)), { name: 'log', size: source.size });
    const log = Log.open(media, readSuperblock(media));
    const appender = new LogAppender(log);
    for (const entry of entries) appender.append(entry);
    return log;
  }

  const file = (name: string, offset = 10 * MIB): NewLogEntry => ({
    ...FILE,
    path: name,
    fmap: { type: 'simple', extents: [{ devindex: 0, offset, length: 2 * MIB }] },
  });
  const directory = (name: string, mode = 0o755): NewLogEntry => ({
    kind: 'mkdir',
    path: name,
    uid: 0,
    gid: 0,
    mode,
  });

  it('counts a file that says something else, and does not rewrite it', () => {
    const shadow = temporaryDirectory();
    replayToShadow(logWith(file('a')), shadow);
    const report = replayToShadow(logWith(file('a', 12 * MIB)), shadow);
    expect(report).toMatchObject({ filesExisted: 1, yamlErrors: 1, files: 0 });
    expect(report.problems[0]!.message).toMatch(/log entry 0 \('a'\): the shadow file .* something else/);
    expect(fs.readFileSync(path.join(shadow, 'root/a'), 'utf8')).toContain('offset: 0xa00000');
  });

  it('counts a file that is no YAML', () => {
    const shadow = temporaryDirectory();
    fs.mkdirSync(path.join(shadow, 'root'));
    fs.writeFileSync(path.join(shadow, 'root/a'), 'hello\n');
    const report = replayToShadow(logWith(file('a')), shadow);
    expect(report).toMatchObject({ filesExisted: 1, yamlErrors: 1 });
  });

  it('never follows a symbolic link, as a file or as a directory', () => {
    const shadow = temporaryDirectory();
    const outside = temporaryDirectory();
    fs.mkdirSync(path.join(shadow, 'root'));
    fs.symlinkSync(outside, path.join(shadow, 'root/d'));
    fs.symlinkSync(path.join(outside, 'victim'), path.join(shadow, 'root/f'));
    const report = replayToShadow(
      logWith(directory('d'), file('d/x'), directory('d/sub'), file('f', 12 * MIB)),
      shadow,
    );
    expect(report).toMatchObject({ files: 0, directories: 0, fileErrors: 2, directoryErrors: 2 });
    expect(fs.readdirSync(outside)).toEqual([]);
  });

  it('counts a directory in the way of a file, and a file in the way of a directory', () => {
    const shadow = temporaryDirectory();
    replayToShadow(logWith(directory('x'), file('y')), shadow);
    const report = replayToShadow(logWith(file('x'), directory('y')), shadow);
    expect(report).toMatchObject({ fileErrors: 1, directoryErrors: 1 });
  });

  it('makes nothing for a file whose parent is missing', () => {
    const shadow = temporaryDirectory();
    const report = replayToShadow(logWith(file('nodir/x'), directory('no/d')), shadow);
    expect(report).toMatchObject({ fileErrors: 1, directoryErrors: 1, files: 0 });
    expect(fs.readdirSync(path.join(shadow, 'root'))).toEqual([]);
  });

  it('skips a file whose path is not UTF-8, and goes on', () => {
    const shadow = temporaryDirectory();
    const report = replayToShadow(logWith(file('bad\udcff'), file('good', 12 * MIB)), shadow);
    expect(report).toMatchObject({ fileErrors: 1, files: 1 });
    expect(report.problems[0]).toMatchObject({ code: 'path-not-utf8', entry: 0 });
  });

  it('stops at an entry that fails its checks, and keeps what came before', () => {
    const shadow = temporaryDirectory();
    const log = logWith(file('a'), file('b', 12 * MIB), file('c', 14 * MIB));
    log.bytes[48 + 544 + 20]! ^= 1;
    const report = replayToShadow(log, shadow);
    expect(report).toMatchObject({ entries: 3, replayed: 1, files: 1 });
    expect(report.problems).toEqual([expect.objectContaining({ code: 'entry-crc', entry: 1 })]);
  });

  it('takes a directory called root as the root itself', () => {
    const shadow = path.join(temporaryDirectory(), 'root');
    fs.mkdirSync(shadow);
    replayToShadow(logWith(file('a')), shadow);
    expect(fs.readdirSync(shadow)).toEqual(['a']);
  });

  it('refuses a directory that is not there, and one with other things in it', () => {
    const shadow = temporaryDirectory();
    const log = logWith(file('a'));
    expect(() => replayToShadow(log, path.join(shadow, 'none'))).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
    fs.writeFileSync(path.join(shadow, 'other'), '');
    expect(() => replayToShadow(log, shadow)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(fs.readdirSync(shadow)).toEqual(['other']);
  });
});
