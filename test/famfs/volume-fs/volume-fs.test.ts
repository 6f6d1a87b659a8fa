import { constants } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { fdir } from 'fdir';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Volume } from '../../../src/famfs/index.js';
import { type Machine, MIB, Pool, pattern } from '../volume/support.js';

describe('the fs face of a volume', () => {
  let pool: Pool;
  let volume: Volume;
  let machine: Machine;
  const big = pattern(3 * MIB + 5);

  beforeAll(() => {
    pool = new Pool();
    machine = pool.machine();
    volume = pool.mountOn(machine);
    volume.mkdir('/a/b', { recursive: true, mode: 0o750 });
    write('/top.txt', Buffer.from('hello world'));
    write('/a/big.bin', big, 0o600);
    write('/a/b/deep', Buffer.from('x'), 0o755);
    write('/a/b/n\u00e9', Buffer.from('y'));
  });
  afterAll(() => pool.close());

  function write(path: string, bytes: Uint8Array, mode = 0o644): void {
    const file = volume.create(path, { size: bytes.length, mode });
    file.write(bytes, 0);
    file.close();
  }

  const coded = (code: string) => expect.objectContaining({ code });

  it('says what exists', () => {
    const { existsSync } = volume.fs;
    expect(
      ['/', '/a', 'top.txt', '/a/./b/../big.bin', '/none', '/top.txt/x', ''].map((p) => existsSync(p)),
    ).toEqual([true, true, true, true, false, false, false]);
    expect(existsSync(pathToFileURL('/top.txt'))).toBe(true);
    expect(existsSync(Buffer.from('/a/b/n\u00e9'))).toBe(true);
    expect(existsSync(`/${'x'.repeat(200)}`)).toBe(false);
  });

  it('stats files and directories as node does', () => {
    const file = volume.fs.statSync('/a/big.bin');
    expect(file.size).toBe(big.length);
    expect(file.isFile() && !file.isDirectory() && !file.isSymbolicLink()).toBe(true);
    expect(file.mode).toBe(constants.S_IFREG | 0o600);
    expect(file.mtime).toBeInstanceOf(Date);
    expect(volume.fs.lstatSync('/a').isDirectory()).toBe(true);
    expect(volume.fs.statSync('/a/b').mode & 0o7777).toBe(0o750);
    expect(volume.fs.statSync('/top.txt', { bigint: true }).size).toBe(11n);
    expect(volume.fs.statSync('/none', { throwIfNoEntry: false })).toBeUndefined();
    expect(() => volume.fs.statSync('/none')).toThrow(coded('ENOENT'));
    expect(() => volume.fs.statSync('/top.txt/x')).toThrow(coded('ENOTDIR'));
  });

  it('lists directories, flat, with types, recursively and as buffers', () => {
    const { readdirSync } = volume.fs;
    expect(readdirSync('/')).toEqual(['a', 'top.txt']);
    expect(readdirSync('/a', { recursive: true })).toEqual(['b', 'b/deep', 'b/n\u00e9', 'big.bin']);
    const entries = readdirSync('/a', { withFileTypes: true });
    expect(entries.map((entry) => [entry.name, entry.isDirectory(), entry.parentPath])).toEqual([
      ['b', true, '/a'],
      ['big.bin', false, '/a'],
    ]);
    expect(readdirSync('/a/b', 'buffer')[1]).toEqual(Buffer.from('n\u00e9'));
    expect(() => readdirSync('/top.txt')).toThrow(coded('ENOTDIR'));
  });

  it('reads whole files', () => {
    const { readFileSync } = volume.fs;
    expect(readFileSync('/top.txt', 'utf8')).toBe('hello world');
    expect(readFileSync('/top.txt', { encoding: 'hex' })).toBe(Buffer.from('hello world').toString('hex'));
    expect(Buffer.compare(readFileSync('/a/big.bin'), big)).toBe(0);
    expect(() => readFileSync('/a')).toThrow(coded('EISDIR'));
    expect(() => readFileSync('/none')).toThrow(coded('ENOENT'));
  });

  it('reads through descriptors, at positions and on from the last one', () => {
    const { openSync, readSync, closeSync, fstatSync, readFileSync } = volume.fs;
    const fd = openSync('/top.txt', 'r');
    const bytes = Buffer.alloc(5);
    expect(readSync(fd, bytes)).toBe(5);
    expect(bytes.toString()).toBe('hello');
    expect(readSync(fd, bytes, 0, 5, 6)).toBe(5);
    expect(bytes.toString()).toBe('world');
    expect(readSync(fd, bytes, { offset: 1, length: 2, position: null })).toBe(2);
    expect(bytes.toString()).toBe('w wld');
    expect(readFileSync(fd, 'utf8')).toBe('orld');
    expect(readSync(fd, bytes, 0, 5, 11)).toBe(0);
    expect(fstatSync(fd).size).toBe(11);
    expect(() => readSync(fd, bytes, 3, 4, 0)).toThrow(coded('ERR_OUT_OF_RANGE'));
    closeSync(fd);
    expect(() => readSync(fd, bytes)).toThrow(coded('EBADF'));
    expect(() => closeSync(fd)).toThrow(coded('EBADF'));
  });

  it('refuses to write, before anything is touched', () => {
    for (const flags of ['w', 'a', 'r+', 'wx', constants.O_RDWR, constants.O_WRONLY | constants.O_CREAT]) {
      expect(() => volume.fs.openSync('/top.txt', flags)).toThrow(coded('EROFS'));
    }
    expect(() => volume.fs.accessSync('/top.txt', constants.W_OK)).toThrow(coded('EROFS'));
    expect(() => volume.fs.accessSync('/top.txt', constants.X_OK)).toThrow(coded('EACCES'));
    volume.fs.accessSync('/a/b/deep', constants.R_OK | constants.X_OK);
  });

  it('resolves paths and knows no links', () => {
    expect(volume.fs.realpathSync('a/../a//b/')).toBe('/a/b');
    expect(volume.fs.realpathSync.native('/')).toBe('/');
    expect(() => volume.fs.realpathSync('/none')).toThrow(coded('ENOENT'));
    expect(() => volume.fs.readlinkSync('/top.txt')).toThrow(coded('EINVAL'));
  });

  it('streams a file, or a part of it', async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of volume.fs.createReadStream('/a/big.bin', { highWaterMark: 100_000 })) {
      chunks.push(chunk as Buffer);
    }
    expect(chunks.length).toBeGreaterThan(30);
    expect(Buffer.compare(Buffer.concat(chunks), big)).toBe(0);
    const part = volume.fs.createReadStream('/top.txt', { start: 2, end: 6, encoding: 'utf8' });
    expect(await part.toArray()).toEqual(['llo w']);
    const missing = volume.fs.createReadStream('/none');
    await expect(missing.toArray()).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('answers callbacks, in a later turn', async () => {
    const { fs } = volume;
    let isLater = false;
    const listed = new Promise((resolve, reject) => {
      fs.readdir('/', (error, names) => (error ? reject(error) : resolve([isLater, names])));
    });
    isLater = true;
    expect(await listed).toEqual([true, ['a', 'top.txt']]);
    expect((await promisify(fs.stat)('/top.txt')).size).toBe(11);
    expect(await promisify(fs.readFile)('/top.txt', 'utf8')).toBe('hello world');
    await expect(promisify(fs.access)('/none')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await new Promise((resolve) => fs.exists('/a', resolve))).toBe(true);
    const fd = await promisify(
      fs.open as (path: string, flags: string, cb: (e: unknown, fd: number) => void) => void,
    )('/top.txt', 'r');
    const read = await new Promise((resolve, reject) => {
      fs.read(fd, Buffer.alloc(4), 0, 4, 0, (error, count, buffer) =>
        error ? reject(error) : resolve([count, buffer.toString()]),
      );
    });
    expect(read).toEqual([4, 'hell']);
    await promisify(fs.close)(fd);
  });

  it('answers promises', async () => {
    const { promises } = volume.fs;
    expect(await promises.readdir('/a')).toEqual(['b', 'big.bin']);
    expect((await promises.stat('/a')).isDirectory()).toBe(true);
    expect(await promises.readFile('/top.txt', 'utf8')).toBe('hello world');
    expect(await promises.realpath('/a/.')).toBe('/a');
    await expect(promises.access('/none')).rejects.toMatchObject({ code: 'ENOENT' });
    const handle = await promises.open('/top.txt');
    expect((await handle.read(Buffer.alloc(5), 0, 5, 6)).buffer.toString()).toBe('world');
    expect(await handle.readFile('utf8')).toBe('hello world');
    expect((await handle.stat()).size).toBe(11);
    await handle.close();
    await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF' });
    const aborted = promises.readFile('/a/big.bin', { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('serves a library that takes an fs: fdir crawls the volume', async () => {
    const crawler = () => new fdir({ fs: volume.fs as never }).withFullPaths().withDirs().crawl('/');
    const wanted = ['/', '/a/', '/a/b/', '/a/b/deep', '/a/b/n\u00e9', '/a/big.bin', '/top.txt'];
    expect(crawler().sync().sort()).toEqual(wanted);
    expect((await crawler().withPromise()).sort()).toEqual(wanted);
    const counted = new fdir({ fs: volume.fs as never }).onlyCounts().crawl('/').sync();
    expect(counted).toMatchObject({ files: 4 });
  });

  it('ends with its volume', () => {
    const other = pool.mountOn(machine);
    const { fs } = other;
    const fd = fs.openSync('/top.txt', 'r');
    other.close();
    expect(() => fs.readSync(fd, Buffer.alloc(1))).toThrow(coded('EBADF'));
    expect(() => fs.statSync('/top.txt')).toThrow(coded('EBADF'));
  });
});
