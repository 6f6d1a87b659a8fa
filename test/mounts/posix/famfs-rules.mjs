// What a plain mount refuses that others allow: it shows and keeps what the log says.
import assert from 'node:assert/strict';
import * as sys from './calls.mjs';
import { allFail, fails, ten, text, withOpen } from './tools.mjs';

export const famfsOnly = [
  {
    name: 'unlink, rmdir, rename, link, symlink, mknod, mkfifo and a socket are EPERM and change nothing',
    files: { a: ten, b: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      allFail('EPERM', [
        () => fs.unlinkSync(`${at}/a`),
        () => fs.rmdirSync(`${at}/d`),
        () => fs.renameSync(`${at}/a`, `${at}/c`),
        () => fs.renameSync(`${at}/a`, `${at}/b`),
        () => fs.renameSync(`${at}/d`, `${at}/e`),
        () => sys.renameat2(-100, `${at}/a`, -100, `${at}/b`, 2),
        () => fs.linkSync(`${at}/a`, `${at}/c`),
        () => fs.symlinkSync('a', `${at}/c`),
        () => sys.mknod(`${at}/c`, 0o100644, 0),
        () => sys.mknod(`${at}/c`, 0o020644, 0x501),
        () => sys.mkfifo(`${at}/c`, 0o644),
      ]);
      assert.deepEqual(fs.readdirSync(at).sort(), ['a', 'b', 'd']);
    },
  },
  {
    name: 'what exists is still EEXIST, what does not ENOENT, to calls that never work',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      allFail('ENOENT', [() => fs.unlinkSync(`${at}/no`), () => fs.renameSync(`${at}/no`, `${at}/c`)]);
      allFail('EEXIST', [() => fs.linkSync(`${at}/a`, `${at}/d`), () => fs.symlinkSync('x', `${at}/a`)]);
      fails('EISDIR', () => fs.unlinkSync(`${at}/d`));
      fails('ENOTDIR', () => fs.rmdirSync(`${at}/a`));
    },
  },
  {
    name: 'every way to another size is EINVAL: truncate, ftruncate, O_TRUNC',
    files: { a: ten },
    check(fs, at) {
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        fs.ftruncateSync(fd, 10);
        allFail('EINVAL', [
          () => fs.ftruncateSync(fd, 9),
          () => fs.ftruncateSync(fd, 11),
          () => fs.ftruncateSync(fd, 0),
        ]);
      });
      fails('EINVAL', () => fs.openSync(`${at}/a`, 'w'));
      fails('EINVAL', () => fs.openSync(`${at}/a`, fs.constants.O_RDONLY | fs.constants.O_TRUNC));
      assert.equal(text(fs, `${at}/a`), ten);
    },
  },
  {
    name: 'every way past the end is EFBIG, and nothing is written: write, append, fallocate',
    files: { a: ten },
    check(fs, at) {
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        allFail('EFBIG', [
          () => fs.writeSync(fd, 'x', 10),
          () => fs.writeSync(fd, 'xyz', 8),
          () => fs.writeSync(fd, 'x', 2 ** 45),
          () => sys.fallocate(fd, 0, 5, 10),
        ]);
        sys.fallocate(fd, 0, 0, 10);
        assert.equal(fs.writeSync(fd, '', 100), 0);
      });
      fails('EFBIG', () => fs.appendFileSync(`${at}/a`, 'x'));
      assert.equal(text(fs, `${at}/a`), ten);
    },
  },
  {
    name: 'holes cannot be made, nor ranges zeroed or collapsed: EOPNOTSUPP',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        for (const mode of [1, 3, 8, 16]) fails('EOPNOTSUPP', () => sys.fallocate(fd, mode, 0, 10));
      }),
  },
  {
    name: 'extended attributes cannot be set: EOPNOTSUPP',
    files: { a: ten },
    check(fs, at) {
      for (const name of ['user.mine', 'user.famfs.type', 'trusted.mine'])
        fails('EOPNOTSUPP', () => sys.setxattr(`${at}/a`, name, 'x', 1, 0));
      assert.equal(text(fs, `${at}/a`), ten);
    },
  },
  {
    name: 'a nameless file (O_TMPFILE) is EOPNOTSUPP',
    check: (fs, at) => fails('EOPNOTSUPP', () => fs.openSync(at, 0o20200000 | fs.constants.O_RDWR)),
  },
  {
    name: 'a file in the making can be renamed, not linked, and not over a file of the log',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/new`, 'wx', (fd) => {
        fs.writeSync(fd, ten);
        allFail('EPERM', [
          () => fs.linkSync(`${at}/new`, `${at}/n`),
          () => fs.renameSync(`${at}/new`, `${at}/a`),
        ]);
        fs.renameSync(`${at}/new`, `${at}/n`);
        assert.deepEqual(fs.readdirSync(at).sort(), ['a', 'n']);
      }),
  },
  {
    name: 'names that are no UTF-8 cannot be made, and are not there',
    check(fs, at) {
      const name = Buffer.concat([Buffer.from(`${at}/`), Buffer.from([0xff, 0xfe])]);
      allFail('EILSEQ', [() => fs.mkdirSync(name), () => fs.openSync(name, 'wx')]);
      fails('ENOENT', () => fs.statSync(name));
    },
  },
];

export const clientOnly = [
  {
    name: 'whatever would write is EROFS',
    check(fs, at) {
      const file = `${at}/f`;
      const { O_CREAT, O_WRONLY, O_RDWR } = fs.constants;
      allFail('EROFS', [
        () => fs.openSync(file, O_WRONLY),
        () => fs.openSync(file, O_RDWR),
        () => fs.openSync(`${at}/new`, O_CREAT | O_WRONLY),
        () => fs.truncateSync(file, 1),
        () => fs.chmodSync(file, 0o600),
        () => fs.chownSync(file, 1, 1),
        () => fs.utimesSync(file, 1, 1),
        () => fs.mkdirSync(`${at}/new`),
        () => fs.unlinkSync(file),
        () => fs.rmdirSync(`${at}/d`),
        () => fs.renameSync(file, `${at}/new`),
        () => fs.linkSync(file, `${at}/new`),
        () => fs.symlinkSync('f', `${at}/new`),
        () => sys.mknod(`${at}/new`, 0o100644, 0),
        () => sys.setxattr(file, 'user.mine', 'x', 1, 0),
      ]);
      assert.equal(text(fs, file), '12345');
      withOpen(fs, file, 'r', (fd) => fails('EACCES', () => sys.mapped(fd, 5, sys.MAP_SHARED, () => {})));
    },
  },
];
