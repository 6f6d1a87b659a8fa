// Writing and descriptors, where a mount answers as tmpfs does.
import assert from 'node:assert/strict';
import * as sys from './calls.mjs';
import { codeOf, fails, pread, put, SEEK, ten, text, withOpen } from './tools.mjs';

export const alike = [
  {
    name: 'a duplicated descriptor shares the position, and outlives the first',
    files: { a: ten },
    check(fs, at) {
      const fd = fs.openSync(`${at}/a`, 'r');
      const copy = sys.dup(fd);
      assert.equal(pread(fs, fd, 4, null), '0123');
      fs.closeSync(fd);
      assert.equal(pread(fs, copy, 2, null), '45');
      fs.closeSync(copy);
    },
  },
  {
    name: 'lseek: from the start, from the end, past the end; before the start EINVAL; no data behind the end',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) => {
        assert.equal(sys.lseek(fd, -3, SEEK.end), 7);
        assert.equal(pread(fs, fd, 10, null), '789');
        assert.equal(sys.lseek(fd, 1000, SEEK.set), 1000);
        assert.equal(pread(fs, fd, 10, null), '');
        fails('EINVAL', () => sys.lseek(fd, -1, SEEK.set));
        assert.equal(sys.lseek(fd, 4, SEEK.data), 4);
        assert.equal(sys.lseek(fd, 4, SEEK.hole), 10);
        fails('ENXIO', () => sys.lseek(fd, 10, SEEK.data));
      }),
  },
  {
    name: 'opening a directory to write is EISDIR, with a slash behind a file ENOTDIR, as a directory ENOTDIR',
    files: { a: ten },
    check(fs, at) {
      const { O_WRONLY, O_RDWR, O_CREAT, O_DIRECTORY } = fs.constants;
      for (const flags of [O_WRONLY, O_RDWR, O_CREAT | O_WRONLY])
        fails('EISDIR', () => fs.openSync(at, flags));
      fails('ENOTDIR', () => fs.openSync(`${at}/a/`, 'r'));
      fails('EISDIR', () => fs.openSync(`${at}/new/`, O_CREAT | O_WRONLY));
      fails('ENOTDIR', () => fs.openSync(`${at}/a`, O_DIRECTORY));
    },
  },
  {
    name: 'a descriptor does what it was opened for: reading or writing',
    files: { a: ten },
    check(fs, at) {
      withOpen(fs, `${at}/a`, 'r', (fd) => fails('EBADF', () => fs.writeSync(fd, 'x')));
      withOpen(fs, `${at}/a`, fs.constants.O_WRONLY, (fd) => fails('EBADF', () => pread(fs, fd, 1, 0)));
    },
  },
  {
    name: 'O_CREAT opens a file that is there, with O_EXCL it is EEXIST',
    files: { a: ten },
    check(fs, at) {
      const { O_CREAT, O_EXCL, O_RDWR } = fs.constants;
      withOpen(fs, `${at}/a`, O_CREAT | O_RDWR, (fd) => assert.equal(pread(fs, fd, 10, 0), ten));
      fails('EEXIST', () => fs.openSync(`${at}/a`, O_CREAT | O_EXCL | O_RDWR));
      fails('EEXIST', () => fs.openSync(at, O_CREAT | O_EXCL | O_RDWR));
    },
  },
  {
    name: 'writes of two descriptors into one file are both there',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r+', (one) =>
        withOpen(fs, `${at}/a`, 'r+', (two) => {
          fs.writeSync(one, 'AB', 0);
          fs.writeSync(two, 'CD', 8);
          assert.equal(pread(fs, one, 10, 0), 'AB234567CD');
          assert.equal(pread(fs, two, 10, 0), 'AB234567CD');
        }),
      ),
  },
  {
    name: 'a new file that is still open: size, holes, truncation, appending',
    check: (fs, at) =>
      withOpen(fs, `${at}/new`, fs.constants.O_CREAT | fs.constants.O_RDWR | fs.constants.O_APPEND, (fd) => {
        fs.writeSync(fd, 'abc');
        assert.equal(fs.fstatSync(fd).size, 3);
        assert.equal(fs.statSync(`${at}/new`).size, 3);
        fs.ftruncateSync(fd, 100_000);
        assert.equal(pread(fs, fd, 4, 99_996), '\0\0\0\0');
        fs.ftruncateSync(fd, 2);
        fs.ftruncateSync(fd, 4);
        assert.equal(pread(fs, fd, 10, 0), 'ab\0\0');
        fs.writeSync(fd, 'end');
        assert.equal(pread(fs, fd, 10, 0), 'ab\0\0end');
        assert.equal(sys.lseek(fd, 0, SEEK.end), 7);
      }),
  },
  {
    name: 'a new file that is unlinked while open goes on for who has it, its name is free',
    check(fs, at) {
      const fd = fs.openSync(`${at}/new`, 'wx+');
      fs.writeSync(fd, 'abc');
      fs.unlinkSync(`${at}/new`);
      fails('ENOENT', () => fs.statSync(`${at}/new`));
      assert.deepEqual(fs.readdirSync(at), []);
      fs.writeSync(fd, 'd', 3);
      assert.equal(pread(fs, fd, 10, 0), 'abcd');
      put(fs, `${at}/new`, 'another');
      fs.closeSync(fd);
      assert.equal(text(fs, `${at}/new`), 'another');
    },
  },
  {
    name: 'fallocate makes a new file grow with zeroes; no bytes are EINVAL',
    check: (fs, at) =>
      withOpen(fs, `${at}/new`, 'wx+', (fd) => {
        sys.fallocate(fd, 0, 0, 5_000_000);
        assert.equal(fs.fstatSync(fd).size, 5_000_000);
        assert.equal(pread(fs, fd, 3, 4_999_997), '\0\0\0');
        fails('EINVAL', () => sys.fallocate(fd, 0, 0, 0));
      }),
  },
  {
    name: 'a mode without write bits still lets the maker write',
    check(fs, at) {
      put(fs, `${at}/a`, ten, 0o400);
      assert.deepEqual([text(fs, `${at}/a`), fs.statSync(`${at}/a`).mode & 0o777], [ten, 0o400]);
    },
  },
  {
    name: 'stores into a shared mapping are read by everybody, into a private one by nobody',
    files: { a: 'x'.repeat(9000) },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        sys.mapped(fd, 9000, sys.MAP_SHARED, (bytes) => bytes.write('SHARED', 4094));
        assert.equal(pread(fs, fd, 8, 4093), 'xSHAREDx');
        sys.mapped(fd, 9000, sys.MAP_PRIVATE, (bytes) => bytes.write('PRIVATE', 0));
        assert.equal(text(fs, `${at}/a`).slice(0, 7), 'x'.repeat(7));
      }),
  },
  {
    name: 'a writable shared mapping of a descriptor for reading is EACCES',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) =>
        fails('EACCES', () => sys.mapped(fd, 10, sys.MAP_SHARED, () => {})),
      ),
  },
  {
    name: 'fsync, fdatasync and the sync of a directory succeed',
    files: { a: ten },
    check(fs, at) {
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        fs.fsyncSync(fd);
        fs.fdatasyncSync(fd);
      });
      withOpen(fs, at, 'r', (fd) => fs.fsyncSync(fd));
    },
  },
  {
    name: 'names appear in a listing while it is read, none twice, none lost',
    check(fs, at) {
      for (let i = 0; i < 300; i++) fs.mkdirSync(`${at}/${i}`);
      const directory = fs.opendirSync(at, { bufferSize: 1 });
      const seen = [];
      for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
        if (seen.length < 100) fs.mkdirSync(`${at}/later${seen.length}`);
        seen.push(entry.name);
      }
      directory.closeSync();
      assert.equal(new Set(seen).size, seen.length);
      assert.equal(seen.filter((name) => /^\d+$/.test(name)).length, 300);
      assert.equal(fs.readdirSync(at).length, 400);
    },
  },
  {
    name: 'chmod, chown and utimes are seen at once, through name and descriptor; a new owner takes the set-id bits',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (fd) => {
        fs.chmodSync(`${at}/a`, 0o6755);
        assert.equal(fs.fstatSync(fd).mode & 0o7777, 0o6755);
        fs.chownSync(`${at}/a`, 12, 34);
        fs.futimesSync(fd, 1_000_000_000, 1_000_000_000.5);
        const { uid, gid, mode, mtimeMs, atimeMs } = fs.statSync(`${at}/a`);
        assert.deepEqual([uid, gid, mode & 0o7777], [12, 34, 0o755]);
        assert.deepEqual([atimeMs, mtimeMs], [1_000_000_000_000, 1_000_000_000_500]);
      }),
  },
  {
    name: 'a write by a user takes the set-id bits of a file, one by root does not',
    files: { a: ten },
    check(fs, at) {
      fs.chmodSync(`${at}/a`, 0o6777);
      withOpen(fs, `${at}/a`, 'r+', (fd) => {
        fs.writeSync(fd, 'x', 0);
        assert.equal(fs.statSync(`${at}/a`).mode & 0o7777, 0o6777);
        process.seteuid(65534);
        try {
          fs.writeSync(fd, 'y', 0);
        } finally {
          process.seteuid(0);
        }
        assert.equal(fs.statSync(`${at}/a`).mode & 0o7777, 0o777);
      });
    },
  },
  {
    name: 'permissions are those of mode and owner',
    files: { a: ten },
    check(fs, at) {
      fs.chmodSync(`${at}/a`, 0o640);
      const readable = () => codeOf(() => fs.readFileSync(`${at}/a`));
      const asUser = (act) => {
        process.setegid(65534);
        process.seteuid(65534);
        try {
          return act();
        } finally {
          process.seteuid(0);
          process.setegid(0);
        }
      };
      assert.equal(asUser(readable), 'EACCES');
      assert.equal(
        asUser(() => codeOf(() => fs.mkdirSync(`${at}/d`))),
        'EACCES',
      );
      fs.chownSync(`${at}/a`, 65534, 0);
      assert.equal(asUser(readable), 'none');
    },
  },
  {
    name: 'locks exclude descriptors of one mount: flock',
    files: { a: ten },
    check: (fs, at) =>
      withOpen(fs, `${at}/a`, 'r', (one) =>
        withOpen(fs, `${at}/a`, 'r', (two) => {
          const LOCK_EX_NB = 6;
          sys.flock(one, LOCK_EX_NB);
          fails('EAGAIN', () => sys.flock(two, LOCK_EX_NB));
        }),
      ),
  },
  {
    name: 'statfs: free space shrinks by what is written',
    check(fs, at) {
      const before = fs.statfsSync(at);
      put(fs, `${at}/a`, Buffer.alloc(4 * 2 ** 20, 1));
      const after = fs.statfsSync(at);
      assert.ok(before.blocks === after.blocks && before.bfree <= before.blocks);
      assert.ok((before.bfree - after.bfree) * before.bsize >= 4 * 2 ** 20);
    },
  },
];
