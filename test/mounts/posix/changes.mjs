// Removing, renaming, linking, resizing: a mount answers as tmpfs does, whether what is changed is published or not.
import assert from 'node:assert/strict';
import * as sys from './calls.mjs';
import { allFail, fails, pread, put, ten, text, withOpen } from './tools.mjs';

const NOREPLACE = 1;
const EXCHANGE = 2;
const rename2 = (from, to, flags) => sys.renameat2(-100, from, -100, to, flags);
const list = (fs, at) => fs.readdirSync(at).sort();

export const changes = [
  {
    name: 'a removed file that is open goes on: it is read, written, grown, and has no name',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        fs.unlinkSync(`${at}/a`);
        assert.deepEqual([list(fs, at), fs.fstatSync(fd).nlink], [[], 0]);
        fs.writeSync(fd, 'XY', 2);
        assert.equal(pread(fs, fd, 20, 0), '01XY456789');
        fs.writeSync(fd, 'more', 10);
        fs.ftruncateSync(fd, 13);
        assert.deepEqual([pread(fs, fd, 20, 0), fs.fstatSync(fd).size], ['01XY456789mor', 13]);
        put(fs, `${at}/a`, 'another');
        assert.equal(pread(fs, fd, 20, 0), '01XY456789mor');
        assert.equal(text(fs, `${at}/a`), 'another');
      }),
  },
  {
    name: 'unlink and rmdir have the errors of Linux',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      put(fs, `${at}/d/f`, ten);
      fails('EISDIR', () => fs.unlinkSync(`${at}/d`));
      fails('ENOTDIR', () => fs.rmdirSync(`${at}/a`));
      fails('ENOTEMPTY', () => fs.rmdirSync(`${at}/d`));
      allFail('ENOENT', [() => fs.unlinkSync(`${at}/no`), () => fs.rmdirSync(`${at}/no`)]);
      fs.unlinkSync(`${at}/d/f`);
      fs.rmdirSync(`${at}/d`);
      fails('ENOENT', () => fs.statSync(`${at}/d`));
      fs.mkdirSync(`${at}/d`);
      assert.deepEqual(list(fs, `${at}/d`), []);
    },
  },
  {
    name: 'rename gives another name, in another directory too, and takes all in a directory with it',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d/e`, { recursive: true });
      put(fs, `${at}/d/e/f`, 'deep');
      withOpen(fs, `${at}/d/e/f`, 'r+', (fd) => {
        const { ino } = fs.fstatSync(fd);
        fs.renameSync(`${at}/d`, `${at}/moved`);
        fs.renameSync(`${at}/moved/e`, `${at}/e`);
        fs.renameSync(`${at}/a`, `${at}/e/a`);
        fs.writeSync(fd, 'D', 0);
        assert.deepEqual([text(fs, `${at}/e/f`), fs.statSync(`${at}/e/f`).ino], ['Deep', ino]);
      });
      assert.deepEqual(
        [list(fs, at), list(fs, `${at}/e`), list(fs, `${at}/moved`)],
        [['e', 'moved'], ['a', 'f'], []],
      );
      fails('ENOENT', () => fs.statSync(`${at}/d`));
    },
  },
  {
    name: 'rename over a file: the name has the new bytes, who has the old one open has the old bytes',
    files: { old: ten, next: 'next' },
    check: (fs, at) =>
      withOpen(fs, `${at}/old`, 'r', (fd) => {
        fs.renameSync(`${at}/next`, `${at}/old`);
        assert.deepEqual([text(fs, `${at}/old`), pread(fs, fd, 20, 0), list(fs, at)], ['next', ten, ['old']]);
        put(fs, `${at}/third`, 'third');
        fs.renameSync(`${at}/third`, `${at}/old`);
        assert.deepEqual([text(fs, `${at}/old`), pread(fs, fd, 20, 0)], ['third', ten]);
        fs.renameSync(`${at}/old`, `${at}/away`);
        fails('ENOENT', () => fs.statSync(`${at}/old`));
        assert.equal(text(fs, `${at}/away`), 'third');
      }),
  },
  {
    name: 'a new file that took the name of an old one, and is removed, takes the old one with it',
    files: { old: ten },
    check(fs, at) {
      put(fs, `${at}/new`, 'new');
      fs.renameSync(`${at}/new`, `${at}/old`);
      fs.unlinkSync(`${at}/old`);
      assert.deepEqual(list(fs, at), []);
      put(fs, `${at}/old`, 'once more');
      assert.equal(text(fs, `${at}/old`), 'once more');
    },
  },
  {
    name: 'rename has the errors of Linux',
    files: { a: ten, b: ten },
    check(fs, at) {
      for (const name of ['empty', 'full', 'full/in']) fs.mkdirSync(`${at}/${name}`);
      fails('EISDIR', () => fs.renameSync(`${at}/a`, `${at}/empty`));
      fails('ENOTDIR', () => fs.renameSync(`${at}/empty`, `${at}/a`));
      fails('ENOTEMPTY', () => fs.renameSync(`${at}/empty`, `${at}/full`));
      fails('EINVAL', () => fs.renameSync(`${at}/full`, `${at}/full/in/side`));
      fails('ENOENT', () => fs.renameSync(`${at}/no`, `${at}/a`));
      fails('EEXIST', () => rename2(`${at}/a`, `${at}/b`, NOREPLACE));
      fails('ENOENT', () => rename2(`${at}/a`, `${at}/no`, EXCHANGE));
      fails('EINVAL', () => rename2(`${at}/a`, `${at}/b`, NOREPLACE | EXCHANGE));
      rename2(`${at}/a`, `${at}/c`, NOREPLACE);
      fs.renameSync(`${at}/full`, `${at}/empty`);
      assert.deepEqual([list(fs, at), list(fs, `${at}/empty`)], [['b', 'c', 'empty'], ['in']]);
    },
  },
  {
    name: 'RENAME_EXCHANGE changes two places: of files, of a file and a directory',
    files: { a: 'a', b: 'b' },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      put(fs, `${at}/d/f`, 'in d');
      rename2(`${at}/a`, `${at}/b`, EXCHANGE);
      assert.deepEqual([text(fs, `${at}/a`), text(fs, `${at}/b`)], ['b', 'a']);
      rename2(`${at}/a`, `${at}/d`, EXCHANGE);
      assert.deepEqual([text(fs, `${at}/d`), text(fs, `${at}/a/f`)], ['b', 'in d']);
      put(fs, `${at}/new`, 'new');
      rename2(`${at}/new`, `${at}/b`, EXCHANGE);
      assert.deepEqual([text(fs, `${at}/new`), text(fs, `${at}/b`)], ['a', 'new']);
    },
  },
  {
    name: 'hard links: one file, counted; it lives as long as one name of it',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      fs.linkSync(`${at}/a`, `${at}/d/b`);
      fs.linkSync(`${at}/d/b`, `${at}/c`);
      const [a, b] = [fs.statSync(`${at}/a`), fs.statSync(`${at}/d/b`)];
      assert.deepEqual([a.nlink, b.nlink, a.ino], [3, 3, b.ino]);
      fs.appendFileSync(`${at}/c`, 'more');
      assert.deepEqual([text(fs, `${at}/a`), text(fs, `${at}/d/b`)], [`${ten}more`, `${ten}more`]);
      fs.renameSync(`${at}/a`, `${at}/c`); // two names of one file: nothing happens
      assert.deepEqual(list(fs, at), ['a', 'c', 'd']);
      fs.unlinkSync(`${at}/a`);
      fs.renameSync(`${at}/d/b`, `${at}/e`);
      assert.equal(fs.statSync(`${at}/c`).nlink, 2);
      put(fs, `${at}/f`, 'f');
      fs.renameSync(`${at}/f`, `${at}/e`);
      assert.deepEqual(
        [fs.statSync(`${at}/c`).nlink, text(fs, `${at}/c`), text(fs, `${at}/e`)],
        [1, `${ten}more`, 'f'],
      );
      fails('EEXIST', () => fs.linkSync(`${at}/c`, `${at}/e`));
      fails('EPERM', () => fs.linkSync(`${at}/d`, `${at}/g`));
      fails('ENOENT', () => fs.linkSync(`${at}/no`, `${at}/g`));
    },
  },
  {
    name: 'symbolic links: followed, read, dangling, in a circle, renamed over',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      fs.symlinkSync('../a', `${at}/d/s`);
      fs.symlinkSync('nowhere', `${at}/dangling`);
      fs.symlinkSync('loop', `${at}/loop`);
      assert.deepEqual([text(fs, `${at}/d/s`), fs.readlinkSync(`${at}/d/s`)], [ten, '../a']);
      const own = fs.lstatSync(`${at}/d/s`);
      assert.deepEqual([own.isSymbolicLink(), own.size, own.nlink, own.mode & 0o777], [true, 4, 1, 0o777]);
      fails('ENOENT', () => fs.statSync(`${at}/dangling`));
      fails('ELOOP', () => fs.statSync(`${at}/loop`));
      fails('EEXIST', () => fs.symlinkSync('x', `${at}/a`));
      fails('EINVAL', () => fs.readlinkSync(`${at}/a`));
      fs.symlinkSync('d/s', `${at}/new`);
      fs.renameSync(`${at}/new`, `${at}/dangling`);
      assert.equal(text(fs, `${at}/dangling`), ten);
      fs.unlinkSync(`${at}/dangling`);
      assert.equal(text(fs, `${at}/a`), ten);
      const long = 'x/'.repeat(2000);
      fs.symlinkSync(long, `${at}/long`);
      assert.equal(fs.readlinkSync(`${at}/long`), long);
    },
  },
  {
    name: 'an empty file is a file: made, kept, filled, emptied again',
    check(fs, at) {
      put(fs, `${at}/e`, '');
      assert.deepEqual([fs.statSync(`${at}/e`).size, text(fs, `${at}/e`), list(fs, at)], [0, '', ['e']]);
      sys.mknod(`${at}/m`, 0o100640, 0);
      assert.deepEqual([fs.statSync(`${at}/m`).size, fs.statSync(`${at}/m`).mode & 0o777], [0, 0o640]);
      fs.appendFileSync(`${at}/e`, 'one');
      fs.appendFileSync(`${at}/e`, 'two');
      assert.equal(text(fs, `${at}/e`), 'onetwo');
      fs.writeFileSync(`${at}/e`, '');
      assert.deepEqual([fs.statSync(`${at}/e`).size, text(fs, `${at}/e`)], [0, '']);
      fs.renameSync(`${at}/e`, `${at}/m`);
      assert.deepEqual(list(fs, at), ['m']);
      withOpen(fs, `${at}/m`, 'r', (fd) => assert.equal(pread(fs, fd, 10, 0), ''));
    },
  },
  {
    name: 'every way to another size: truncate, ftruncate, O_TRUNC, append, write past the end, fallocate',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (reader) => {
        const sizes = () => [fs.statSync(`${at}/a`).size, fs.fstatSync(reader).size];
        fs.truncateSync(`${at}/a`, 4);
        assert.deepEqual([text(fs, `${at}/a`), pread(fs, reader, 20, 0), sizes()], ['0123', '0123', [4, 4]]);
        fs.truncateSync(`${at}/a`, 6);
        assert.deepEqual([text(fs, `${at}/a`), sizes()], ['0123\0\0', [6, 6]]);
        fs.appendFileSync(`${at}/a`, 'end');
        assert.deepEqual([pread(fs, reader, 20, 0), sizes()], ['0123\0\0end', [9, 9]]);
        withOpen(fs, `${at}/a`, 'r+', (fd) => {
          fs.writeSync(fd, 'far', 5000);
          assert.deepEqual([pread(fs, fd, 4, 4999), pread(fs, reader, 3, 8)], ['\0far', 'd\0\0']);
          sys.fallocate(fd, 0, 0, 9000);
          assert.deepEqual(sizes(), [9000, 9000]);
          fs.ftruncateSync(fd, 0);
          fs.writeSync(fd, 'new', 0);
        });
        assert.deepEqual([text(fs, `${at}/a`), pread(fs, reader, 20, 0)], ['new', 'new']);
        fs.writeFileSync(`${at}/a`, 'over');
        assert.deepEqual([text(fs, `${at}/a`), pread(fs, reader, 20, 0), sizes()], ['over', 'over', [4, 4]]);
      }),
  },
  {
    name: 'two that append both are heard, and fsync between changes nothing',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'a', (one) =>
        withOpen(fs, `${at}/a`, 'a+', (two) => {
          fs.writeSync(one, 'A');
          fs.writeSync(two, 'B');
          fs.fsyncSync(one);
          fs.writeSync(one, 'C');
          fs.fdatasyncSync(two);
          fs.writeSync(two, 'D');
          assert.equal(pread(fs, two, 30, 0), `${ten}ABCD`);
          assert.equal(text(fs, `${at}/a`), `${ten}ABCD`);
        }),
      ),
  },
  {
    name: 'a mapping of a file that was resized shows its bytes, and stores of a shared one reach it',
    files: { a: 'x'.repeat(9000) },
    check(fs, at) {
      fs.appendFileSync(`${at}/a`, 'y'.repeat(9000));
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        sys.mapped(fd, 18_000, sys.MAP_SHARED, (bytes) => {
          assert.equal(bytes.toString('latin1', 8998, 9002), 'xxyy');
          bytes.write('SHARED', 12_000);
        });
        assert.equal(pread(fs, fd, 8, 11_999), 'ySHAREDy');
      });
    },
  },
  {
    name: 'chmod, chown and utimes of a file and a directory are seen at once',
    files: { a: ten },
    check(fs, at) {
      fs.mkdirSync(`${at}/d`);
      for (const name of ['a', 'd']) {
        fs.chmodSync(`${at}/${name}`, 0o750);
        fs.chownSync(`${at}/${name}`, 12, 34);
        fs.utimesSync(`${at}/${name}`, 1_000_000_000, 1_000_000_000.5);
        const { uid, gid, mode, mtimeMs, atimeMs } = fs.statSync(`${at}/${name}`);
        assert.deepEqual([uid, gid, mode & 0o7777], [12, 34, 0o750]);
        assert.deepEqual([atimeMs, mtimeMs], [1_000_000_000_000, 1_000_000_000_500]);
      }
      fs.chownSync(`${at}/a`, 0, 0);
      fs.chmodSync(`${at}/a`, 0o4755);
      fs.chownSync(`${at}/a`, 5, 5);
      assert.equal(fs.statSync(`${at}/a`).mode & 0o7777, 0o755);
    },
  },
  {
    name: 'names of 255 bytes are names, also deep down; of 256 they are ENAMETOOLONG',
    check(fs, at) {
      const long = 'n'.repeat(255);
      fs.mkdirSync(`${at}/${long}`);
      put(fs, `${at}/${long}/${long}`, ten);
      fs.renameSync(`${at}/${long}/${long}`, `${at}/${'m'.repeat(255)}`);
      assert.deepEqual([list(fs, at), text(fs, `${at}/${'m'.repeat(255)}`)], [['m'.repeat(255), long], ten]);
      allFail('ENAMETOOLONG', [
        () => fs.mkdirSync(`${at}/${long}x`),
        () => fs.renameSync(`${at}/${long}`, `${at}/${long}x`),
        () => fs.symlinkSync('x', `${at}/${long}x`),
        () => fs.linkSync(`${at}/${'m'.repeat(255)}`, `${at}/${long}x`),
      ]);
    },
  },
  {
    name: 'a directory that is emptied while it is read: no name twice, none forgotten',
    check(fs, at) {
      for (let i = 0; i < 200; i++) put(fs, `${at}/${i}`, i % 2 ? ten : '');
      for (let i = 0; i < 50; i++) fs.linkSync(`${at}/${i}`, `${at}/link${i}`);
      const directory = fs.opendirSync(at, { bufferSize: 1 });
      const seen = [];
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        seen.push(entry.name);
        fs.unlinkSync(`${at}/${entry.name}`);
      }
      directory.closeSync();
      assert.deepEqual([seen.length, new Set(seen).size, list(fs, at)], [250, 250, []]);
    },
  },
];

/** What is not the same everywhere: extended attributes, and what is no file. */
export const mountChanges = [
  {
    name: 'attributes of users are set, read, listed and removed; others are EOPNOTSUPP',
    files: { a: ten },
    check(fs, at) {
      const mine = () => sys.listxattr(`${at}/a`).filter((name) => !name.startsWith('user.famfs.'));
      sys.setxattr(`${at}/a`, 'user.one', '1', 1, 0);
      sys.setxattr(`${at}/a`, 'user.two', 'second', 6, 1);
      fails('EEXIST', () => sys.setxattr(`${at}/a`, 'user.one', '2', 1, 1));
      fails('ENODATA', () => sys.setxattr(`${at}/a`, 'user.no', '2', 1, 2));
      sys.setxattr(`${at}/a`, 'user.one', 'longer', 6, 2);
      assert.deepEqual([sys.getxattr(`${at}/a`, 'user.one'), mine()], ['longer', ['user.one', 'user.two']]);
      fs.appendFileSync(`${at}/a`, 'x');
      fs.renameSync(`${at}/a`, `${at}/b`);
      fs.renameSync(`${at}/b`, `${at}/a`);
      assert.equal(sys.getxattr(`${at}/a`, 'user.two'), 'second');
      sys.removexattr(`${at}/a`, 'user.one');
      allFail('ENODATA', [
        () => sys.getxattr(`${at}/a`, 'user.one'),
        () => sys.removexattr(`${at}/a`, 'user.one'),
      ]);
      for (const name of ['user.famfs.type', 'trusted.mine'])
        fails('EOPNOTSUPP', () => sys.setxattr(`${at}/a`, name, 'x', 1, 0));
    },
  },
  {
    name: 'devices, pipes, sockets and nameless files cannot be made; holes neither',
    files: { a: ten },
    check(fs, at) {
      allFail('EPERM', [() => sys.mknod(`${at}/c`, 0o020644, 0x501), () => sys.mkfifo(`${at}/c`, 0o644)]);
      fails('EOPNOTSUPP', () => fs.openSync(at, 0o20200000 | fs.constants.O_RDWR));
      fails('EINVAL', () => rename2(`${at}/a`, `${at}/b`, 4));
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        for (const mode of [1, 3, 8, 16]) fails('EOPNOTSUPP', () => sys.fallocate(fd, mode, 0, 10));
      });
      assert.deepEqual(list(fs, at), ['a']);
    },
  },
];
