import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cp } from '../../src/cli/commands/cp.js';
import { logplay } from '../../src/cli/commands/logplay.js';
import { cat, getmap, ls } from '../../src/cli/commands/look.js';
import { clone, creat, mkdir } from '../../src/cli/commands/make.js';
import { fsckCommand, info, mkfsCommand, takeOverCommand } from '../../src/cli/commands/media.js';
import { pcq } from '../../src/cli/commands/pcq.js';
import { df } from '../../src/cli/commands/space.js';
import { AlreadyReported, UsageError } from '../../src/cli/errors.js';
import { goldenImage, recordingContext, temporaryDirectory } from './support/udax.js';

const US = '11111111-2222-4333-8444-555555555555';
const OTHER = '99999999-2222-4333-8444-555555555555';
let directory: ReturnType<typeof temporaryDirectory>;
let image: string;

beforeEach(() => {
  directory = temporaryDirectory();
  process.env.UDAX_SYSTEM_UUID = US;
  image = join(directory.path, 'pool.img');
  writeFileSync(image, '');
  execFileSync('truncate', ['-s', '128M', image]);
  mkfsCommand(context(), [image], {});
});
afterEach(() => {
  process.env.UDAX_SYSTEM_UUID = US;
  directory.remove();
});

const context = (options = {}) => recordingContext(join(directory.path, 'root'), options);
const on = (path: string) => `${image}:${path}`;
const code = (error: string) => expect.objectContaining({ code: error });

function json<T>(run: (target: ReturnType<typeof context>) => unknown): T {
  const target = context({ json: true });
  run(target);
  return target.documents[0] as T;
}
const names = () =>
  json<{ path: string }[]>((to) => ls(to, [on('/')], { recursive: true })).map(({ path }) => path);

describe('creat --multi', () => {
  it('makes several files, with and without a pattern, names with commas too', () => {
    const made = json((to) => creat(to, [], { multi: [on('/a,4096,42'), on('/b,2M'), on('/c,1,8K,7')] }));
    expect(made).toEqual([
      { path: '/a', size: 4096, existed: false, seed: 42 },
      { path: '/b', size: 2 ** 21, existed: false },
      { path: '/c,1', size: 8192, existed: false, seed: 7 },
    ]);
    expect(names()).toEqual(['/a', '/b', '/c,1']);
  });

  it('tells what is wrong with one file and makes the others', () => {
    const target = context();
    const run = () => creat(target, [], { multi: [on('/none/x,1'), on('/ok,1')] });
    expect(run).toThrow(AlreadyReported);
    expect(target.notes.join()).toContain('/none does not exist');
    expect(names()).toEqual(['/ok']);
  });

  it.each([
    [[], { multi: ['x'] }],
    [[], { multi: ['IMAGE:/x'] }],
    [[], { multi: ['IMAGE:/x,0'] }],
    [[], { multi: ['local,4096'] }],
    [['IMAGE:/x'], { multi: ['IMAGE:/y,1'] }],
    [[], { multi: ['IMAGE:/y,1'], size: '1' }],
    [[], {}],
  ])('is wrong usage for %j %j', (args, flags) => {
    const named = JSON.parse(JSON.stringify({ args, flags }).replaceAll('IMAGE', image));
    expect(() => creat(context(), named.args, named.flags)).toThrow(UsageError);
    expect(names()).toEqual([]);
  });
});

describe('clone', () => {
  it('wants force, and fsck names both files then', () => {
    creat(context(), [on('/a')], { size: '5000' });
    expect(() => clone(context(), [on('/a'), on('/b')], {})).toThrow(code('EPERM'));
    clone(context(), [on('/a'), on('/b')], { force: true });
    expect(json((to) => getmap(to, [on('/b')]))).toMatchObject({ extents: [{ offset: 10 * 2 ** 20 }] });
    const checked = context();
    expect(() => fsckCommand(checked, [image], {})).toThrow(AlreadyReported);
    expect(checked.printed.join()).toMatch(/extent-overlap.*'b'.*'a'/);
    expect(() => clone(context(), [on('/a'), 'elsewhere.img:/b'], { force: true })).toThrow(UsageError);
  });
});

describe('take-over', () => {
  it('wants the owner named or force, and this host writes then', () => {
    process.env.UDAX_SYSTEM_UUID = OTHER;
    expect(() => mkdir(context(), [on('/d')], {})).toThrow(code('EROFS'));
    expect(() => takeOverCommand(context(), [image], {})).toThrow(code('EPERM'));
    expect(() => takeOverCommand(context(), [image], { from: OTHER })).toThrow(code('EINVAL'));
    const done = json((to) => takeOverCommand(to, [image], { from: US }));
    expect(done).toMatchObject({ from: US, to: OTHER, changed: true });
    mkdir(context(), [on('/d')], {});
    expect(json((to) => info(to, [image]))).toMatchObject({
      role: 'master',
      superblock: { systemUuid: OTHER },
    });
    expect(json((to) => takeOverCommand(to, [image], {}))).toMatchObject({ changed: false });
    process.env.UDAX_SYSTEM_UUID = US;
    expect(() => mkdir(context(), [on('/e')], {})).toThrow(code('EROFS'));
  });
});

describe('pcq', () => {
  it('creates, puts, tells and gets', async () => {
    await pcq(context(), ['create', on('/q')], { nbuckets: '8', bucketsize: '64', wait: true });
    await pcq(context(), ['put', on('/q'), 'hello', 'world'], { wait: true });
    const target = context({ json: true });
    await pcq(target, ['info', on('/q')], { wait: true });
    expect(target.documents).toEqual([expect.objectContaining({ length: 2, capacity: 7, nextPutSeq: 2 })]);
    const got = context();
    await pcq(got, ['get', on('/q')], { all: true, text: true, wait: true });
    expect(got.printed).toEqual(['hello', 'world']);
    await expect(pcq(context(), ['get', on('/q')], { wait: false })).rejects.toThrow(code('EAGAIN'));
    await pcq(context(), ['put', on('/q'), 'x'], { wait: true });
    const raw = context();
    await pcq(raw, ['get', on('/q')], { wait: true });
    expect(Buffer.from(raw.written[0]!)).toEqual(Buffer.concat([Buffer.from('x'), Buffer.alloc(47)]));
    const full = pcq(context(), ['put', on('/q'), 'y'], { count: '8', wait: false });
    await expect(full).rejects.toThrow(/full, 7 messages put/);
  });

  it('is wrong usage without what it needs', async () => {
    for (const args of [['create', on('/q')], ['put'], ['frob', on('/q')], ['get', on('/q'), 'x']]) {
      await expect(pcq(context(), args, { wait: true })).rejects.toThrow(UsageError);
    }
  });
});

describe('logplay', () => {
  it('wants to know what for', () => {
    expect(() => logplay(context(), [image], {})).toThrow(UsageError);
    expect(() => logplay(context(), [], { dryrun: true })).toThrow(UsageError);
    expect(() => logplay(context(), [image], { daxdev: image, dryrun: true })).toThrow(UsageError);
  });

  it('writes a shadow tree, and finds it as it was', () => {
    mkdir(context(), [on('/d')], {});
    creat(context(), [on('/d/f')], { size: '5000' });
    const shadow = join(directory.path, 'shadow');
    mkdirSync(shadow);
    const report = (run: () => unknown) => run();
    expect(json((to) => report(() => logplay(to, [image], { shadow })))).toMatchObject({
      ok: true,
      entries: 2,
      files: 1,
      directories: 1,
    });
    expect(readFileSync(join(shadow, 'root/d/f'), 'utf8')).toContain('  path: d/f\n  size: 5000\n');
    const again = context();
    logplay(again, [], { shadow, daxdev: image });
    expect(again.printed[0]).toBe(
      'famfs_logplay(shadow): 2 log entries; 0 new files; 0 new directories\n' +
        '  shadow yaml checked for 1 files\n  there were 0 yaml errors detected',
    );
    writeFileSync(join(shadow, 'root/d/f'), '---\nfile:\n');
    const damaged = context();
    expect(() => logplay(damaged, [image], { shadow })).toThrow(AlreadyReported);
    expect(damaged.notes.join()).toContain('shadow-yaml');
  });

  it('prints the counts C prints, of a volume with one bad path', () => {
    const { file } = goldenImage('28-absolute-path', directory.path);
    const shadow = join(directory.path, 'shadow');
    mkdirSync(shadow);
    const target = context();
    expect(() => logplay(target, [file], { shadow })).toThrow(AlreadyReported);
    expect(target.printed[0]).toBe(
      'famfs_logplay(shadow): 9 log entries; 7 new files; 1 new directories\n  1 file errors and 0 dir errors\n' +
        '  shadow yaml checked for 7 files\n  there were 0 yaml errors detected',
    );
    expect(readdirSync(shadow)).toEqual(['root']);
  });
});

describe('files on devices that are not here', () => {
  it('are listed by info, fsck, ls and getmap, and ENODEV to read', async () => {
    const { file } = goldenImage('09-add-daxdev', directory.path);
    const uuid = 'aaaaaaaa-0000-4000-8000-000000000001';
    expect(json((to) => info(to, [file]))).toMatchObject({
      devices: [{ size: 2 ** 32 }, { uuid, size: 2 ** 30 }, { size: 2 ** 31 }],
    });
    const told = context();
    info(told, [file]);
    expect(told.printed[0]).toMatch(new RegExp(`device 1 .*${uuid}.*listed only`));
    const checked = context();
    fsckCommand(checked, [file], {});
    expect(checked.printed[0]).toContain(uuid);
    const listed = json<{ path: string }[]>((to) => ls(to, [`${file}:/`], { recursive: true }));
    expect(listed.map(({ path }) => path)).toContain('/d/ondev1');
    expect(json((to) => getmap(to, [`${file}:/d/ondev1`]))).toMatchObject({ extents: [{ devindex: 1 }] });
    await expect(async () => cat(context(), [`${file}:/d/ondev1`])).rejects.toThrow(uuid);
    await expect(async () => cat(context(), [`${file}:/d/ondev1`])).rejects.toThrow(code('ENODEV'));
  });
});

describe('cp again', () => {
  it('of the same tree overwrites in place: no new log entry, no new space; another size replaces', async () => {
    const tree = join(directory.path, 'tree');
    mkdirSync(join(tree, 'sub'), { recursive: true });
    writeFileSync(join(tree, 'a'), 'one');
    writeFileSync(join(tree, 'sub/b'), 'two');
    await cp(context(), [tree, on('/t')], { recursive: true });
    const before = json<{ logUsed: number; free: number }>((to) => df(to, [image]));
    writeFileSync(join(tree, 'a'), 'ONE');
    // With -r the tree would go into the existing directory, as with scp. So this names the tree's content.
    await cp(context(), [`${tree}/.`, on('/t')], { recursive: true });
    expect(json((to) => df(to, [image]))).toEqual(before);
    const shown = context();
    await cat(shown, [on('/t/a')]);
    expect(Buffer.concat(shown.written).toString()).toBe('ONE');
    writeFileSync(join(tree, 'a'), 'longer');
    writeFileSync(join(tree, 'c'), 'new');
    await cp(context(), [`${tree}/.`, on('/t')], { recursive: true });
    const longer = context();
    await cat(longer, [on('/t/a')]);
    expect(Buffer.concat(longer.written).toString()).toBe('longer');
    expect(names()).toContain('/t/c');
  });
});
