/** Names that a rewrite makes: each change does what unlink(2), rmdir(2) and rename(2) do, error codes included. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ChangedNames } from '../../../src/famfs/volume/rewrite-names.js';
import { codeOf } from '../../machine/support.js';
import { Tally } from '../../support/tally.js';
import { fileEntry, makeVolume, mkdirEntry, replayed } from '../volume-maker.js';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-names-'));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

type Made = readonly (readonly ['file' | 'directory', string])[];

/** The same tree in a log and in a real directory. */
function both(made: Made): { names: ChangedNames; root: string } {
  const volume = makeVolume();
  const root = fs.mkdtempSync(path.join(directory, 'tree-'));
  let unit = 0;
  for (const [kind, name] of made) {
    volume.appender.append(kind === 'file' ? fileEntry(name, unit++) : mkdirEntry(name));
    if (kind === 'file') fs.writeFileSync(path.join(root, name), 'x');
    else fs.mkdirSync(path.join(root, name));
  }
  return { names: new ChangedNames(replayed(volume)), root };
}

function pathsOf(names: ChangedNames): string[] {
  const found: string[] = [];
  const walk = (ino: number): void => {
    for (const child of names.children(ino)) {
      found.push(`${names.pathOf(child)}${names.isDirectory(child) ? '/' : ''}`);
      if (names.isDirectory(child)) walk(child);
    }
  };
  walk(1);
  return found.sort();
}

function realPathsOf(root: string): string[] {
  const all = fs.readdirSync(root, { recursive: true, encoding: 'utf8' });
  return all.map((name) => `${name}${fs.statSync(path.join(root, name)).isDirectory() ? '/' : ''}`).sort();
}

const code = (act: () => unknown): string | undefined => {
  try {
    act();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

const TREE: Made = [
  ['directory', 'd'],
  ['file', 'd/f'],
  ['directory', 'd/e'],
  ['file', 'd/e/g'],
  ['directory', 'empty'],
  ['file', 'a'],
  ['file', 'b'],
];

describe('a move', () => {
  it.each([
    ['/a', '/c', undefined],
    ['/a', '/b', undefined],
    ['/a', '/d/f', undefined],
    ['/a', '/a', undefined],
    ['/d', '/empty', undefined],
    ['/d/', '/x/', undefined],
    ['/d', '/empty/d', undefined],
    ['/missing', '/c', 'ENOENT'],
    ['/a', '/missing/c', 'ENOENT'],
    ['/a/x', '/c', 'ENOTDIR'],
    ['/a', '/b/c', 'ENOTDIR'],
    ['/a/', '/c', 'ENOTDIR'],
    ['/a', '/c/', 'ENOTDIR'],
    ['/a', '/d', 'EISDIR'],
    ['/d', '/a', 'ENOTDIR'],
    ['/empty', '/d', 'ENOTEMPTY'],
    ['/d', '/d/e/x', 'EINVAL'],
    ['/d', '/d/x', 'EINVAL'],
    ['/d/e', '/d', 'ENOTEMPTY'],
  ])('of %s to %s does what rename(2) does (%s)', (from, to, wanted) => {
    const { names, root } = both(TREE);
    expect(code(() => fs.renameSync(path.join(root, from), `${root}${to}`))).toBe(wanted);
    expect(code(() => names.move(from, to))).toBe(wanted);
    expect(pathsOf(names)).toEqual(realPathsOf(root));
  });

  it('keeps every path within the 79 bytes of a log entry, and names the one that would not fit', () => {
    const { names } = both([
      ['directory', 'd'],
      ['file', `d/${'f'.repeat(70)}`],
      ['directory', 'longer-name'],
    ]);
    expect(codeOf(() => names.move('/d', `/${'x'.repeat(80)}`))).toBe('ENAMETOOLONG');
    expect(() => names.move('/d', '/longer-name')).toThrow(/longer-name\/ffff/);
    expect(codeOf(() => names.move('/d', '/longer-name'))).toBe('ENAMETOOLONG');
    names.move('/d', '/e');
    expect(pathsOf(names)).toContain(`e/${'f'.repeat(70)}`);
  });

  it('refuses the root', () => {
    const { names } = both(TREE);
    expect(codeOf(() => names.move('/', '/x'))).toBe('EBUSY');
    expect(codeOf(() => names.move('/a', '/'))).toBe('EBUSY');
    expect(codeOf(() => names.remove('/', true))).toBe('EBUSY');
  });
});

describe('a removal', () => {
  it('takes a directory with content only when it is recursive', () => {
    const { names } = both(TREE);
    expect(codeOf(() => names.remove('/d', false))).toBe('ENOTEMPTY');
    names.remove('/empty', false);
    names.remove('/d', true);
    expect(pathsOf(names)).toEqual(['a', 'b']);
    expect(names.removed).toEqual({ files: 2, directories: 3 });
    expect(codeOf(() => names.remove('/d/f', false))).toBe('ENOENT');
    expect(codeOf(() => names.remove('/a/', false))).toBe('ENOTDIR');
  });
});

describe('any changes, one after another', () => {
  const NAMES = ['a', 'b', 'c'];
  const anyPath = fc
    .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 2 })
    .map((parts) => parts.join('/'));
  const change = fc.oneof(
    fc.record({ act: fc.constant('move' as const), path: anyPath, to: anyPath }),
    fc.record({ act: fc.constant('remove' as const), path: anyPath, to: fc.constant('') }),
  );
  const tree = fc.array(fc.tuple(fc.constantFrom('file' as const, 'directory' as const), anyPath), {
    minLength: 4,
    maxLength: 20,
  });

  /** The entries of a tree whose parents exist and are directories. */
  function possible(wanted: Made): Made {
    const kinds = new Map<string, string>([['', 'directory']]);
    return wanted.filter(([kind, name]) => {
      const parent = name.slice(0, Math.max(0, name.lastIndexOf('/')));
      if (kinds.has(name) || kinds.get(parent) !== 'directory') return false;
      kinds.set(name, kind);
      return true;
    });
  }

  it('leave what the same system calls leave of a real directory', () => {
    const tally = new Tally();
    fc.assert(
      fc.property(tree, fc.array(change, { maxLength: 8 }), (wanted, changes) => {
        const { names, root } = both(possible(wanted));
        for (const { act, path: name, to } of changes) {
          const real = path.join(root, name);
          const isDirectory = code(() => fs.readdirSync(real)) === undefined;
          const wantedCode =
            act === 'move'
              ? code(() => fs.renameSync(real, path.join(root, to)))
              : code(() => (isDirectory ? fs.rmdirSync(real) : fs.unlinkSync(real)));
          const found = code(() => (act === 'move' ? names.move(name, to) : names.remove(name, false)));
          expect([act, name, to, found]).toEqual([act, name, to, wantedCode]);
          tally.count(act, found === undefined);
        }
        expect(pathsOf(names)).toEqual(realPathsOf(root));
        fs.rmSync(root, { recursive: true });
      }),
      { numRuns: 200, seed: 14 },
    );
    tally.mustReach({ move: 0.05, remove: 0.05 });
  });
});
