import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { canPersistMemory } from '../../src/libc/index.js';
import { createBacking, memfdBacking, openBacking } from '../../src/memory/index.js';
import {
  afterwards,
  closedAfterwards,
  errorOf,
  freshMemfd,
  MiB,
  PAGE,
  temporaryDirectory,
} from './support.js';

const isRoot = process.getuid?.() === 0;

function fileOf(bytes: number, under?: string): string {
  const file = path.join(temporaryDirectory(under), 'memory');
  fs.writeFileSync(file, Buffer.alloc(bytes, 0xa5));
  return file;
}

describe('openBacking', () => {
  it('opens a disk file as persistent, coherent memory in pages', () => {
    const file = fileOf(3 * PAGE);
    const backing = closedAfterwards(openBacking(file));
    expect(backing).toMatchObject({
      name: file,
      size: 3 * PAGE,
      granule: PAGE,
      writable: true,
      sharedOnly: false,
      coherent: true,
    });
    expect(backing.persistent).toBe(backing.kind === 'file');
  });

  it('opens a file in /dev/shm as tmpfs, which no power loss survives', () => {
    const backing = closedAfterwards(openBacking(fileOf(PAGE, '/dev/shm')));
    expect(backing).toMatchObject({ kind: 'tmpfs', persistent: false });
  });

  it('gives two names of one file the same identity, and other files another', () => {
    const file = fileOf(PAGE);
    fs.linkSync(file, `${file}.link`);
    fs.writeFileSync(`${file}.other`, 'x');
    const [a, b, c] = [file, `${file}.link`, `${file}.other`].map((name) =>
      closedAfterwards(openBacking(name)),
    );
    expect(a!.identity).toBe(b!.identity);
    expect(a!.identity).not.toBe(c!.identity);
  });

  it('does not pass its descriptor on to programs it starts', () => {
    const backing = freshMemfd(PAGE);
    const flags = fs.readFileSync(`/proc/self/fdinfo/${backing.fd}`, 'latin1');
    const closeOnExec = 0o2000000;
    expect(Number.parseInt(/flags:\s+(\d+)/.exec(flags)![1]!, 8) & closeOnExec).toBe(closeOnExec);
    const opened = closedAfterwards(openBacking(fileOf(PAGE)));
    const openedFlags = fs.readFileSync(`/proc/self/fdinfo/${opened.fd}`, 'latin1');
    expect(Number.parseInt(/flags:\s+(\d+)/.exec(openedFlags)![1]!, 8) & closeOnExec).toBe(closeOnExec);
  });

  it('says ENOENT for a missing file and names it', () => {
    const file = path.join(temporaryDirectory(), 'absent');
    expect(errorOf(() => openBacking(file))).toMatchObject({
      code: 'ENOENT',
      message: expect.stringContaining(file),
    });
  });

  it('says EISDIR for a directory', () => {
    expect(errorOf(() => openBacking(temporaryDirectory())).code).toBe('EISDIR');
  });

  it('says ENODEV for a pipe, without waiting for its other end', () => {
    const pipe = path.join(temporaryDirectory(), 'pipe');
    execFileSync('mkfifo', [pipe]);
    expect(errorOf(() => openBacking(pipe))).toMatchObject({
      code: 'ENODEV',
      message: expect.stringContaining('a pipe'),
    });
  });

  it('says ENODEV for a socket', async () => {
    const socket = path.join(temporaryDirectory(), 'socket');
    const server = net.createServer().listen(socket);
    await new Promise((resolve) => server.once('listening', resolve));
    expect(errorOf(() => openBacking(socket)).code).toBe('ENODEV');
    await new Promise((resolve) => server.close(resolve));
  });

  it('says ENODEV for a character device that is no dax device', () => {
    expect(errorOf(() => openBacking('/dev/null'))).toMatchObject({
      code: 'ENODEV',
      message: expect.stringContaining('not a dax device'),
    });
  });

  it('says EINVAL for an empty file and how to give it a size', () => {
    const file = path.join(temporaryDirectory(), 'empty');
    fs.writeFileSync(file, '');
    expect(errorOf(() => openBacking(file))).toMatchObject({
      code: 'EINVAL',
      message: expect.stringContaining('truncate'),
    });
  });

  it.skipIf(!isRoot)(
    'says EACCES for a file this user may not write (needs root to become somebody else)',
    () => {
      const file = fileOf(PAGE);
      fs.chmodSync(path.dirname(file), 0o755);
      fs.chmodSync(file, 0o444);
      process.seteuid!(65534);
      afterwards(() => process.seteuid!(0));
      const error = errorOf(() => openBacking(file));
      const readable = openBacking(file, { writable: false });
      expect(error).toMatchObject({ code: 'EACCES', message: expect.stringContaining('for writing') });
      expect(closedAfterwards(readable).writable).toBe(false);
    },
  );

  it('leaves no descriptor open when it refuses', () => {
    const file = path.join(temporaryDirectory(), 'empty');
    fs.writeFileSync(file, '');
    errorOf(() => openBacking(file));
    const open = fs.readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return [fs.readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    });
    expect(open).not.toContain(file);
  });
});

describe('createBacking', () => {
  it('allocates all of the file', () => {
    const file = path.join(temporaryDirectory(), 'new');
    const backing = closedAfterwards(createBacking(file, 4 * MiB));
    expect(backing.size).toBe(4 * MiB);
    expect(fs.statSync(file).blocks * 512).toBeGreaterThanOrEqual(4 * MiB);
  });

  it('allocates nothing when sparse', () => {
    const file = path.join(temporaryDirectory(), 'new');
    closedAfterwards(createBacking(file, 2 ** 40, { sparse: true }));
    expect(fs.statSync(file)).toMatchObject({ size: 2 ** 40 });
    expect(fs.statSync(file).blocks * 512).toBeLessThan(MiB);
  });

  it('says EEXIST and leaves the file that is there alone', () => {
    const file = fileOf(PAGE);
    expect(errorOf(() => createBacking(file, PAGE)).code).toBe('EEXIST');
    expect(fs.readFileSync(file)[0]).toBe(0xa5);
  });

  it.each([0, -1, 0.5, Number.NaN, 2 ** 60])('refuses a size of %d and makes no file', (size) => {
    const file = path.join(temporaryDirectory(), 'new');
    expect(errorOf(() => createBacking(file, size)).code).toBe('EINVAL');
    expect(fs.existsSync(file)).toBe(false);
  });

  it('leaves no file behind when the file system has no room', () => {
    const file = path.join(temporaryDirectory('/dev/shm'), 'new');
    const error = errorOf(() => createBacking(file, 2 ** 45));
    expect(error).toMatchObject({ code: 'ENOSPC', message: expect.stringContaining('smaller size') });
    expect(fs.existsSync(file)).toBe(false);
  });

  it.skipIf(!isRoot)('says ENOSPC on a full tmpfs and leaves no file (needs root to mount one)', () => {
    const directory = temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'udax-test', directory]);
    afterwards(() => execFileSync('umount', [directory]));
    const error = errorOf(() => createBacking(path.join(directory, 'new'), 4 * MiB));
    expect(error).toMatchObject({ code: 'ENOSPC', message: expect.stringContaining(directory) });
    expect(fs.readdirSync(directory)).toEqual([]);
    closedAfterwards(createBacking(path.join(directory, 'fits'), MiB));
  });
});

describe('memfdBacking', () => {
  it('cannot be shrunk under a mapping', () => {
    const backing = freshMemfd(2 * PAGE);
    expect(errorOf(() => fs.ftruncateSync(backing.fd, PAGE)).code).toBe('EPERM');
  });

  it('refuses size 0', () => {
    expect(errorOf(() => memfdBacking('nothing', 0)).code).toBe('EINVAL');
  });
});

describe('a backing', () => {
  it('names file, end and range when a range is not there any more', () => {
    const file = fileOf(4 * PAGE);
    const backing = closedAfterwards(openBacking(file));
    backing.checkRange(0, 4 * PAGE);
    fs.truncateSync(file, PAGE);
    const { code, message } = errorOf(() => backing.checkRange(PAGE, PAGE));
    expect(code).toBe('EIO');
    expect(message).toContain(`${file} ends at byte ${PAGE}`);
    expect(message).toContain(`${PAGE}..${2 * PAGE}`);
  });

  it.each([
    [-1, 1],
    [0, 0],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ])('refuses the senseless range %d, %d', (offset, length) => {
    expect(errorOf(() => freshMemfd(PAGE).checkRange(offset, length)).code).toBe('EINVAL');
  });

  it.each([
    ['a disk file', undefined],
    ['tmpfs', '/dev/shm'],
  ])('zeroes exactly the bytes asked for and keeps the space, on %s', (_where, under) => {
    const file = fileOf(8 * PAGE, under);
    const backing = closedAfterwards(openBacking(file));
    const before = fs.statSync(file).blocks;
    backing.zero(PAGE + 5, 3 * PAGE);
    const expected = Buffer.alloc(8 * PAGE, 0xa5).fill(0, PAGE + 5, 4 * PAGE + 5);
    expect(fs.readFileSync(file).equals(expected)).toBe(true);
    expect(fs.statSync(file).blocks).toBeGreaterThanOrEqual(before);
  });

  it('gives the space of a sparse file back when it zeroes', () => {
    const file = path.join(temporaryDirectory('/dev/shm'), 'sparse');
    const backing = closedAfterwards(createBacking(file, 64 * MiB, { sparse: true }));
    fs.writeSync(backing.fd, Buffer.alloc(MiB, 1), 0, MiB, MiB);
    backing.zero(0, 64 * MiB);
    expect(fs.statSync(file)).toMatchObject({ size: 64 * MiB, blocks: 0 });
  });

  it('does not zero what it may not write', () => {
    const backing = closedAfterwards(openBacking(fileOf(PAGE), { writable: false }));
    expect(errorOf(() => backing.zero(0, PAGE)).code).toBe('EACCES');
  });

  it('syncs any byte range of a file, aligned or not', () => {
    const backing = closedAfterwards(openBacking(fileOf(4 * PAGE)));
    backing.sync(100, 5000);
    backing.sync(0, 4 * PAGE);
    expect(errorOf(() => backing.sync(-1, 1)).code).toBe('EINVAL');
  });

  // What went wrong: lines past the end of an image that is shorter than its device were flushed too, which is a SIGBUS.
  it('syncs what is there of a range that goes past the end (the flush skipped without libpmem)', () => {
    for (const coherent of canPersistMemory() ? [true, false] : [true]) {
      const backing = closedAfterwards(openBacking(fileOf(PAGE), { writable: true, coherent }));
      backing.sync(0, 8 * PAGE);
      backing.sync(4 * PAGE, PAGE);
    }
  });

  it('says EBADF after close, and closes twice in peace', () => {
    const backing = openBacking(fileOf(PAGE));
    backing.close();
    backing.close();
    expect(errorOf(() => backing.fd).code).toBe('EBADF');
    expect(errorOf(() => backing.checkRange(0, 1)).code).toBe('EBADF');
  });
});
