import { expect, it } from 'vitest';
import { codeOf, type DirectoryFace, type Face } from './faces.js';

/** One behaviour. `at` is its own directory, made before. */
export interface Behaviour<F extends Face = Face> {
  readonly name: string;
  check(face: F, at: string): void;
}

/** Runs a list, each behaviour in its own directory. */
export function runs<F extends Face>(list: readonly Behaviour<F>[], face: () => F, skip: boolean): void {
  for (const [number, behaviour] of list.entries()) {
    it.skipIf(skip)(behaviour.name, () => {
      const at = `/${list.length}-${number}`;
      face().mkdir(at);
      behaviour.check(face(), at);
    });
  }
}

/** Holds on the library, on the mount and on tmpfs. */
export const everywhere: readonly Behaviour[] = [
  {
    name: 'a file reads back what was written',
    check(face, at) {
      face.write(`${at}/a`, 'hello');
      expect(face.read(`${at}/a`)).toBe('hello');
      expect(face.stat(`${at}/a`)).toMatchObject({ size: 5, type: 'file' });
    },
  },
  {
    name: 'making a file that exists is EEXIST and leaves it as it was',
    check(face, at) {
      face.write(`${at}/a`, 'first');
      expect(codeOf(() => face.write(`${at}/a`, 'other'))).toBe('EEXIST');
      expect(face.read(`${at}/a`)).toBe('first');
    },
  },
  {
    name: 'a directory lists exactly the names made in it',
    check(face, at) {
      for (const name of ['b', 'a', 'c']) face.write(`${at}/${name}`, name);
      face.mkdir(`${at}/d`);
      expect([...face.readdir(at)].sort()).toEqual(['a', 'b', 'c', 'd']);
      expect(face.readdir(`${at}/d`)).toEqual([]);
    },
  },
  {
    name: 'making a directory that exists, or over a file, is EEXIST',
    check(face, at) {
      face.mkdir(`${at}/d`);
      face.write(`${at}/f`, 'x');
      expect(codeOf(() => face.mkdir(`${at}/d`))).toBe('EEXIST');
      expect(codeOf(() => face.mkdir(`${at}/f`))).toBe('EEXIST');
    },
  },
  {
    name: 'what lies below a missing directory is ENOENT, below a file ENOTDIR',
    check(face, at) {
      face.write(`${at}/f`, 'x');
      expect(codeOf(() => face.mkdir(`${at}/no/d`))).toBe('ENOENT');
      expect(codeOf(() => face.write(`${at}/no/f`, 'x'))).toBe('ENOENT');
      expect(codeOf(() => face.mkdir(`${at}/f/d`))).toBe('ENOTDIR');
      expect(codeOf(() => face.write(`${at}/f/g`, 'x'))).toBe('ENOTDIR');
      expect(codeOf(() => face.stat(`${at}/f/g`))).toBe('ENOTDIR');
    },
  },
  {
    name: 'a missing file is ENOENT, whatever is asked of it',
    check(face, at) {
      expect(codeOf(() => face.read(`${at}/no`))).toBe('ENOENT');
      expect(codeOf(() => face.stat(`${at}/no`))).toBe('ENOENT');
      expect(codeOf(() => face.readdir(`${at}/no`))).toBe('ENOENT');
      expect(codeOf(() => face.overwrite(`${at}/no`, 'x', 0))).toBe('ENOENT');
    },
  },
  {
    name: 'a directory cannot be written as a file, nor a file listed as a directory',
    check(face, at) {
      face.mkdir(`${at}/d`);
      face.write(`${at}/f`, 'x');
      expect(codeOf(() => face.overwrite(`${at}/d`, 'x', 0))).toBe('EISDIR');
      expect(codeOf(() => face.read(`${at}/d`))).toBe('EISDIR');
      expect(codeOf(() => face.readdir(`${at}/f`))).toBe('ENOTDIR');
    },
  },
  {
    name: 'a read across the end is short, one behind it empty',
    check(face, at) {
      face.write(`${at}/a`, 'abcdef');
      expect(face.read(`${at}/a`, 4, 10)).toBe('ef');
      expect(face.read(`${at}/a`, 6, 10)).toBe('');
      expect(face.read(`${at}/a`, 5000, 10)).toBe('');
    },
  },
  {
    name: 'writing in the middle leaves the rest',
    check(face, at) {
      face.write(`${at}/a`, 'abcdef');
      face.overwrite(`${at}/a`, 'XY', 2);
      expect(face.read(`${at}/a`)).toBe('abXYef');
    },
  },
  {
    name: 'what nobody wrote reads as zeroes',
    check(face, at) {
      face.write(`${at}/a`, 'end', { position: 10_000 });
      expect(face.stat(`${at}/a`).size).toBe(10_003);
      expect(face.read(`${at}/a`, 0, 10_000)).toBe('\0'.repeat(10_000));
      expect(face.read(`${at}/a`, 10_000, 10)).toBe('end');
    },
  },
  {
    name: 'files and directories have the mode they were made with',
    check(face, at) {
      face.write(`${at}/a`, 'x', { mode: 0o640 });
      face.write(`${at}/b`, 'x', { mode: 0o755 });
      face.mkdir(`${at}/d`, 0o2750);
      expect(face.stat(`${at}/a`).mode).toBe(0o640);
      expect(face.stat(`${at}/b`).mode).toBe(0o755);
      expect(face.stat(`${at}/d`).mode & 0o777).toBe(0o750);
    },
  },
  {
    name: 'names are kept byte for byte: UTF-8, blanks, newlines, dots',
    check(face, at) {
      const names = ['\u00e4\u00f6 \ud83d\ude00', 'with blank', 'line\nbreak', '...', '-rf', 'quo\'te"'];
      for (const name of names) face.write(`${at}/${name}`, 'x');
      expect([...face.readdir(at)].sort()).toEqual([...names].sort());
      for (const name of names) expect(face.read(`${at}/${name}`)).toBe('x');
    },
  },
  {
    name: 'a name of more than 255 bytes is ENAMETOOLONG',
    check(face, at) {
      expect(codeOf(() => face.mkdir(`${at}/${'n'.repeat(256)}`))).toBe('ENAMETOOLONG');
    },
  },
  {
    name: 'directories nest',
    check(face, at) {
      let path = at;
      for (let depth = 0; depth < 6; depth++) {
        path += '/d';
        face.mkdir(path);
      }
      face.write(`${path}/f`, 'deep');
      expect(face.read(`${path}/f`)).toBe('deep');
      expect(face.readdir(`${at}/d/d/d`)).toEqual(['d']);
    },
  },
];

/** Holds on the library and on a plain mount: famfs' own rules. */
export const famfsRules: readonly Behaviour[] = [
  {
    name: 'a write past the end is refused (ENOSPC, from a mount EFBIG) and changes nothing',
    check(face, at) {
      face.write(`${at}/a`, 'abcdef');
      expect(codeOf(() => face.overwrite(`${at}/a`, 'XYZ', 4))).toMatch(/^(ENOSPC|EFBIG)$/);
      expect(codeOf(() => face.overwrite(`${at}/a`, 'X', 6))).toMatch(/^(ENOSPC|EFBIG)$/);
      expect(face.read(`${at}/a`)).toBe('abcdef');
    },
  },
];

/** Holds on directories of a host, including tmpfs. */
export const onDirectories: readonly Behaviour<DirectoryFace>[] = [
  {
    name: 'truncating to the size it has changes nothing',
    check(face, at) {
      face.write(`${at}/a`, 'abc');
      face.run('truncate', { path: `${at}/a`, size: 3 });
      expect(face.read(`${at}/a`)).toBe('abc');
    },
  },
  {
    name: 'chmod and utimes are seen by stat',
    check(face, at) {
      face.write(`${at}/a`, 'abc');
      face.run('chmod', { path: `${at}/a`, mode: 0o600 });
      face.run('utimes', { path: `${at}/a`, time: 1_000_000_000 });
      expect(face.stat(`${at}/a`).mode).toBe(0o600);
      expect(face.run('times', { path: `${at}/a` })).toBe(1_000_000_000_000);
    },
  },
];

/** What a plain mount of a famfs refuses. */
export const mountOnly: readonly Behaviour<DirectoryFace>[] = [
  {
    name: 'a path of more than 79 bytes is ENAMETOOLONG',
    check(face, at) {
      const room = 79 - (at.length - 1) - 1;
      face.write(`${at}/${'n'.repeat(room)}`, 'fits');
      expect(codeOf(() => face.write(`${at}/${'n'.repeat(room + 1)}`, 'x'))).toBe('ENAMETOOLONG');
      expect(face.readdir(at)).toHaveLength(1);
    },
  },
  {
    name: 'unlink, rmdir, rename, link and symlink are EPERM',
    check(face, at) {
      face.write(`${at}/a`, 'abc');
      face.mkdir(`${at}/d`);
      expect(codeOf(() => face.run('unlink', { path: `${at}/a` }))).toBe('EPERM');
      expect(codeOf(() => face.run('rmdir', { path: `${at}/d` }))).toBe('EPERM');
      expect(codeOf(() => face.run('rename', { path: `${at}/a`, to: `${at}/b` }))).toBe('EPERM');
      expect(codeOf(() => face.run('link', { path: `${at}/a`, to: `${at}/b` }))).toBe('EPERM');
      expect(codeOf(() => face.run('symlink', { path: `${at}/b` }))).toBe('EPERM');
      expect([...face.readdir(at)].sort()).toEqual(['a', 'd']);
    },
  },
  {
    name: 'a size change is EINVAL',
    check(face, at) {
      face.write(`${at}/a`, 'abc');
      expect(codeOf(() => face.run('truncate', { path: `${at}/a`, size: 2 }))).toBe('EINVAL');
      expect(codeOf(() => face.run('truncate', { path: `${at}/a`, size: 4 }))).toBe('EINVAL');
      expect(codeOf(() => face.run('write', { path: `${at}/a`, text: 'x', flags: 'w' }))).toBe('EINVAL');
      expect(face.read(`${at}/a`)).toBe('abc');
    },
  },
  {
    name: 'an empty file is EINVAL when it is closed, and not there afterwards',
    check(face, at) {
      expect(codeOf(() => face.run('touch', { path: `${at}/empty` }))).toBe('EINVAL');
      expect(codeOf(() => face.stat(`${at}/empty`))).toBe('ENOENT');
      face.write(`${at}/empty`, 'not any more');
      expect(face.read(`${at}/empty`)).toBe('not any more');
    },
  },
];
