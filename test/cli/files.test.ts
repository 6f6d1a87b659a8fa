import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chkread, flush, verify } from '../../src/cli/commands/check.js';
import { cp } from '../../src/cli/commands/cp.js';
import { cat, getmap, ls } from '../../src/cli/commands/look.js';
import { creat, mkdir } from '../../src/cli/commands/make.js';
import { fsckCommand, info, mkfsCommand } from '../../src/cli/commands/media.js';
import { df } from '../../src/cli/commands/space.js';
import { AlreadyReported, statusOf, UsageError } from '../../src/cli/errors.js';
import { recordingContext, temporaryDirectory } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let image: string;

beforeEach(() => {
  directory = temporaryDirectory();
  process.env.UDAX_SYSTEM_UUID = '11111111-2222-4333-8444-555555555555';
  image = local('pool.img');
  writeFileSync(image, '');
  execFileSync('truncate', ['-s', '128M', image]);
  mkfsCommand(context(), [image], {});
});
afterEach(() => directory.remove());

const context = (options = {}) => recordingContext(join(directory.path, 'root'), options);
const local = (name: string) => join(directory.path, name);
const on = (path: string) => `${image}:${path}`;

function json<T = unknown>(run: (target: ReturnType<typeof context>) => void): T {
  const target = context({ json: true });
  run(target);
  return target.documents[0] as T;
}

const listing = (path = '/') =>
  json<{ path: string }[]>((target) => ls(target, [on(path)], { recursive: true })).map((file) => file.path);

async function textOf(path: string): Promise<string> {
  const target = context();
  await cat(target, [on(path)]);
  return Buffer.concat(target.written).toString();
}

/** Runs a copy. Returns the messages about what was not copied; empty when everything was. */
async function copy(args: string[], flags: Parameters<typeof cp>[2] = {}): Promise<string[]> {
  const target = context();
  try {
    await cp(target, args, flags);
  } catch (error) {
    if (!(error instanceof AlreadyReported)) throw error;
    expect(error.status).toBe(1);
    expect(target.notes).not.toEqual([]);
  }
  return target.notes;
}

describe('cp', () => {
  it('copies a file in, with its mode, and out again', async () => {
    writeFileSync(local('a'), 'some bytes');
    chmodSync(local('a'), 0o640);
    expect(await copy([local('a'), on('/')])).toEqual([]);
    expect(json((target) => ls(target, [on('/a')], {}))).toMatchObject([
      { path: '/a', size: 10, mode: '0640' },
    ]);
    expect(await copy([on('/a'), local('b')])).toEqual([]);
    expect(readFileSync(local('b'), 'utf8')).toBe('some bytes');
    expect(statSync(local('b')).mode & 0o777).toBe(0o640);
  });

  it('-r copies a tree into DST/basename when DST is there, else as DST, both ways', async () => {
    mkdirSync(local('tree/deep/er'), { recursive: true });
    writeFileSync(local('tree/one'), '1');
    writeFileSync(local('tree/deep/er/two'), '22');
    expect(await copy([local('tree'), on('/')], { recursive: true })).toEqual([]);
    expect(await copy([local('tree'), on('/other')], { recursive: true })).toEqual([]);
    const below = (top: string) => [top, `${top}/deep`, `${top}/deep/er`, `${top}/deep/er/two`, `${top}/one`];
    expect(listing().sort()).toEqual([...below('/tree'), ...below('/other')].sort());
    expect(await copy([on('/tree'), local('out')], { recursive: true })).toEqual([]);
    expect(readFileSync(local('out/deep/er/two'), 'utf8')).toBe('22');
    expect(await copy([on('/tree'), directory.path], { recursive: true })).toEqual([]);
    expect(readdirSync(local('tree')).sort()).toEqual(['deep', 'one']);
  });

  it('a source of `.` or `/` means its contents', async () => {
    mkdirSync(local('tree'));
    writeFileSync(local('tree/one'), '1');
    expect(await copy([`${local('tree')}/.`, on('/')], { recursive: true })).toEqual([]);
    expect(listing()).toEqual(['/one']);
    mkdirSync(local('back'));
    expect(await copy([on('/'), local('back')], { recursive: true })).toEqual([]);
    expect(readdirSync(local('back'))).toEqual(['one']);
  });

  it('copies from volume to volume', async () => {
    const second = local('second.img');
    execFileSync('truncate', ['-s', '64M', second]);
    mkfsCommand(context(), [second], {});
    creat(context(), [on('/pattern')], { size: '3000001', random: true, seed: '9' });
    expect(await copy([on('/pattern'), `${second}:/copy`])).toEqual([]);
    expect(() => verify(context(), [`${second}:/copy`], { seed: '9' })).not.toThrow();
  });

  it('overwrites a file of equal size in place, and replaces one of another size', async () => {
    writeFileSync(local('a'), 'first');
    await copy([local('a'), on('/a')]);
    writeFileSync(local('a'), 'other');
    expect(await copy([local('a'), on('/a')])).toEqual([]);
    expect(await textOf('/a')).toBe('other');
    writeFileSync(local('a'), 'longer now');
    expect(await copy([local('a'), on('/a')])).toEqual([]);
    expect(await textOf('/a')).toBe('longer now');
    expect(listing()).toEqual(['/a']);
  });

  it('tells of special files, copies the rest, empty files too, and fails at the end', async () => {
    mkdirSync(local('mixed'));
    writeFileSync(local('mixed/empty'), '');
    writeFileSync(local('mixed/good'), 'good');
    execFileSync('mkfifo', [local('mixed/pipe')]);
    symlinkSync('.', local('mixed/loop'));
    symlinkSync('/nowhere/at/all', local('mixed/dangling'));
    const notes = await copy([local('mixed'), on('/')], { recursive: true });
    expect(notes).toHaveLength(3);
    expect(notes.join('\n')).toMatch(/pipe.*\(EINVAL\)/);
    expect(notes.join('\n')).toMatch(/loop.*\(ELOOP\)/);
    expect(listing()).toEqual(['/mixed', '/mixed/empty', '/mixed/good']);
    // Once more: an empty file over an empty one.
    expect(await copy([local('mixed/empty'), on('/mixed/empty')])).toEqual([]);
    await copy([on('/mixed/empty'), local('back')]);
    expect(readFileSync(local('back'), 'utf8')).toBe('');
  });

  it('a directory without -r, a source that is not there, and several sources onto a file are errors', async () => {
    mkdirSync(local('tree'));
    expect(await copy([local('tree'), on('/')])).toEqual([expect.stringMatching(/-r.*\(EISDIR\)/)]);
    expect(await copy([local('nothing'), on('/')])).toEqual([expect.stringMatching(/nothing.*\(ENOENT\)/)]);
    await expect(copy([local('tree'), local('tree'), on('/x')])).rejects.toMatchObject({ code: 'ENOTDIR' });
    await expect(copy([local('tree'), local('x')])).rejects.toThrow(UsageError);
    await expect(copy([local('tree')])).rejects.toThrow(UsageError);
    expect(listing()).toEqual([]);
  });

  it('names that do not fit, missing parents and .. are refused', async () => {
    writeFileSync(local('a'), 'a');
    await expect(copy([local('a'), on(`/${'n'.repeat(256)}`)])).rejects.toMatchObject({
      code: 'ENAMETOOLONG',
    });
    await expect(copy([local('a'), on('/../a')])).rejects.toMatchObject({ code: 'EINVAL' });
    expect(await copy([local('a'), on('/missing/a')])).toEqual([expect.stringContaining('(ENOENT)')]);
    expect(await copy([local('a'), on(`/${'n'.repeat(255)}`)])).toEqual([]);
    expect(listing()).toEqual([`/${'n'.repeat(255)}`]);
  });

  it('a tree deeper than the log can say is copied, and read back', async () => {
    const deep = 'd'.repeat(60);
    mkdirSync(local(`tree/${deep}/${deep}`), { recursive: true });
    writeFileSync(local(`tree/${deep}/${'f'.repeat(60)}`), 'x');
    writeFileSync(local('tree/short'), 'x');
    expect(await copy([local('tree'), on('/')], { recursive: true })).toEqual([]);
    expect(listing()).toEqual([
      '/tree',
      `/tree/${deep}`,
      `/tree/${deep}/${deep}`,
      `/tree/${deep}/${'f'.repeat(60)}`,
      '/tree/short',
    ]);
  });

  it('an interrupted copy leaves nothing behind and ends with 130', async () => {
    execFileSync('truncate', ['-s', '64M', local('big')]);
    const interrupt = new AbortController();
    const target = { ...context(), interruptible: () => interrupt.signal };
    const copying = cp(target, [local('big'), on('/big')], {});
    setImmediate(() => interrupt.abort());
    const error = await copying.catch((reason: unknown) => reason);
    expect(statusOf(error)).toBe(130);
    expect(listing()).toEqual([]);
    expect(json((checked) => df(checked, [image]))).toMatchObject({ used: 10 << 20 });
  });

  it('a copy that does not fit ends with ENOSPC and leaves nothing behind', async () => {
    execFileSync('truncate', ['-s', '200M', local('big')]);
    await expect(copy([local('big'), on('/big')])).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(listing()).toEqual([]);
    expect(json((target) => fsckCommand(target, [image], {}))).toMatchObject({ ok: true, files: 0 });
  });
});

describe('creat and verify', () => {
  it('write and check the pattern of C famfs', async () => {
    creat(context(), [on('/p')], { size: '16', random: true, seed: '42' });
    const target = context();
    await cat(target, [on('/p')]);
    expect(Buffer.concat(target.written).toString('hex')).toBe('985f52e27afb0c3df88c822b402249e5');
    expect(() => verify(context(), [on('/p')], { seed: '42' })).not.toThrow();
    expect(() => verify(context(), [on('/p')], { seed: '43' })).toThrow(/byte 0 /);
  });

  it('a file of the same size is kept, of another size an error', () => {
    creat(context(), [on('/z')], { size: '4096' });
    expect(json((target) => creat(target, [on('/z')], { size: '4K' }))).toMatchObject({ existed: true });
    expect(() => creat(context(), [on('/z')], { size: '8K' })).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
  });

  it('sizes, seeds and modes that make no sense are wrong usage', () => {
    for (const flags of [
      {},
      { size: '0' },
      { size: '1', random: true },
      { size: '1', seed: '1' },
      { size: '1', mode: '9' },
    ]) {
      expect(() => creat(context(), [on('/x')], flags)).toThrow(UsageError);
    }
    expect(listing()).toEqual([]);
  });

  it('interleaves when asked, and getmap shows it', () => {
    creat(context(), [on('/striped')], { size: '8M', nstrips: '2', nbuckets: '2' });
    const map = json((target) => getmap(target, [on('/striped')]));
    expect(map).toMatchObject({ size: 8 << 20, type: 'interleaved', nstrips: 2, chunkSize: 2 << 20 });
    const shown = context();
    getmap(shown, [on('/striped')]);
    expect(shown.printed[0]).toContain('chunks of 2 MiB over 2 strips');
  });
});

describe('looking at files', () => {
  it('mkdir -p makes parents and accepts what is there', () => {
    mkdir(context(), [on('/a/b/c')], { parents: true, mode: '750' });
    mkdir(context(), [on('/a/b')], { parents: true });
    expect(listing()).toEqual(['/a', '/a/b', '/a/b/c']);
    expect(() => mkdir(context(), [on('/a')], {})).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(() => mkdir(context(), [on('/x/y')], {})).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('ls prints names, -l a table, and of a file itself', () => {
    mkdir(context(), [on('/d')], {});
    creat(context(), [on('/d/f')], { size: '5000', mode: '600', uid: '7', gid: '8' });
    const short = context();
    ls(short, [on('/')], {});
    expect(short.printed).toEqual(['d/']);
    const long = context();
    ls(long, [on('/')], { long: true, recursive: true });
    expect(long.printed[0]!.split('\n')[2]).toMatch(/^0600 +7 +8 +5000 +\/d\/f$/);
    const one = context();
    ls(one, [on('/d/f')], {});
    expect(one.printed).toEqual(['/d/f']);
    expect(() => ls(context(), [on('/nothing')], {})).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });

  it('getmap, chkread and flush work on a file, and refuse a directory', () => {
    creat(context(), [on('/f')], { size: '5M' });
    const map = json((target) => getmap(target, [on('/f')]));
    expect(map).toEqual({
      size: 5 << 20,
      type: 'simple',
      extents: [{ devindex: 0, offset: 10 << 20, length: 6 << 20 }],
    });
    expect(json((target) => chkread(target, [on('/f')]))).toMatchObject([{ ok: true, size: 5 << 20 }]);
    expect(() => flush(context(), [on('/f')])).not.toThrow();
    for (const command of [getmap, chkread, flush]) {
      expect(() => command(context(), [on('/')])).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    }
  });

  it('df and info tell the state of the volume, and df warns when it fills', () => {
    expect(json((target) => df(target, [image]))).toMatchObject({
      size: 128 << 20,
      logSlots: 15420,
      logUsed: 0,
    });
    expect(json((target) => info(target, [image]))).toMatchObject({
      role: 'master',
      memory: { coherent: true },
    });
    creat(context(), [on('/most')], { size: '110M' });
    const target = context();
    df(target, [image]);
    expect(target.notes).toEqual([expect.stringContaining('left')]);
  });
});

describe('mkfs', () => {
  it('refuses what is there without -f, bad log lengths, and what is too small', () => {
    expect(() => mkfsCommand(context(), [image], {})).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    expect(() => mkfsCommand(context(), [image], { force: true, loglen: '3M' })).toThrow(/power of two/);
    expect(() => mkfsCommand(context(), [image], { kill: true })).toThrow(UsageError);
    const small = local('small.img');
    execFileSync('truncate', ['-s', '8M', small]);
    expect(() => mkfsCommand(context(), [small], {})).toThrow(/at least/);
    expect(readFileSync(small).every((byte) => byte === 0)).toBe(true);
    expect(() => fsckCommand(context(), [image], {})).not.toThrow();
  });

  it('-f makes a new one, -f -k leaves none', () => {
    creat(context(), [on('/f')], { size: '1' });
    mkfsCommand(context(), [image], { force: true });
    expect(listing()).toEqual([]);
    mkfsCommand(context(), [image], { force: true, kill: true });
    expect(() => ls(context(), [on('/')], {})).toThrow(/not a famfs/);
  });
});
