// Reading: on volume.fs, on the mount and on tmpfs.
import assert from 'node:assert/strict';
import { allFail, fails, pread, ten, withOpen } from './tools.mjs';

export const reading = [
  {
    name: 'a descriptor reads on where it stopped, a position leaves that alone',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) => {
        assert.equal(pread(fs, fd, 3, null), '012');
        assert.equal(pread(fs, fd, 3, 7), '789');
        assert.equal(pread(fs, fd, 3, null), '345');
        assert.equal(pread(fs, fd, 30, null), '6789');
        assert.equal(pread(fs, fd, 3, null), '');
      }),
  },
  {
    name: 'reads at, across and behind the end: empty, short, empty',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) => {
        assert.equal(pread(fs, fd, 5, 10), '');
        assert.equal(pread(fs, fd, 5, 8), '89');
        assert.equal(pread(fs, fd, 5, 4096), '');
        assert.equal(pread(fs, fd, 5, 2 ** 52), '');
      }),
  },
  {
    name: 'two descriptors of one file have positions of their own',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (one) =>
        withOpen(fs, `${at}/a`, 'r', (two) => {
          assert.equal(pread(fs, one, 4, null), '0123');
          assert.equal(pread(fs, two, 2, null), '01');
          assert.equal(pread(fs, one, 2, null), '45');
        }),
      ),
  },
  {
    name: 'fstat and stat agree: size, type, inode',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) => {
        const [open, named] = [fs.fstatSync(fd), fs.statSync(`${at}/a`)];
        assert.deepEqual([open.size, open.isFile(), open.ino], [10, true, named.ino]);
        assert.equal(fs.lstatSync(`${at}/a`).ino, named.ino);
      }),
  },
  {
    name: 'a closed descriptor is EBADF',
    files: { a: ten },
    check(fs, at) {
      const fd = fs.openSync(`${at}/a`, 'r');
      fs.closeSync(fd);
      allFail('EBADF', [() => pread(fs, fd, 1, 0), () => fs.fstatSync(fd), () => fs.closeSync(fd)]);
    },
  },
  {
    name: 'a missing name is ENOENT, one below a file ENOTDIR',
    files: { a: ten },
    check(fs, at) {
      for (const act of [
        fs.openSync,
        fs.statSync,
        fs.lstatSync,
        fs.readdirSync,
        fs.readFileSync,
        fs.accessSync,
      ]) {
        fails('ENOENT', () => act(`${at}/no`));
        fails('ENOENT', () => act(`${at}/no/no`));
        fails('ENOTDIR', () => act(`${at}/a/no`));
      }
    },
  },
  {
    name: 'a directory is EISDIR to who reads it, a file ENOTDIR to who lists it, and no link',
    files: { a: ten },
    check(fs, at) {
      fails('EISDIR', () => fs.readFileSync(at));
      fails('ENOTDIR', () => fs.readdirSync(`${at}/a`));
      fails('EINVAL', () => fs.readlinkSync(`${at}/a`));
      fails('EINVAL', () => fs.readlinkSync(at));
    },
  },
  {
    name: 'a name of more than 255 bytes is ENAMETOOLONG, whatever is asked of it',
    check(fs, at) {
      const long = `${at}/${'n'.repeat(256)}`;
      const umlauts = `${at}/${'\u00e4'.repeat(128)}`;
      for (const path of [long, umlauts])
        for (const act of [fs.openSync, fs.statSync, fs.lstatSync, fs.readdirSync])
          fails('ENAMETOOLONG', () => act(path));
    },
  },
  {
    name: 'listings tell the types of what they list',
    files: { a: ten },
    check: (fs, at) =>
      assert.deepEqual(
        fs.readdirSync(at, { withFileTypes: true }).map((item) => [item.name, item.isFile()]),
        [['a', true]],
      ),
  },
];
