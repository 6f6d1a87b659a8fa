import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { arena } from '../../src/cli/commands/arena.js';
import { mkfsCommand } from '../../src/cli/commands/media.js';
import { AlreadyReported, UsageError } from '../../src/cli/errors.js';
import { recordingContext, temporaryDirectory } from './support/udax.js';

let directory: ReturnType<typeof temporaryDirectory>;
let image: string;
const context = (options = {}) => recordingContext(join(directory.path, 'root'), options);
const kv = () => `${image}:/kv`;

beforeEach(() => {
  directory = temporaryDirectory();
  process.env.UDAX_SYSTEM_UUID = '11111111-2222-4333-8444-555555555555';
  image = join(directory.path, 'pool.img');
  writeFileSync(image, '');
  execFileSync('truncate', ['-s', '64M', image]);
  mkfsCommand(context(), [image], {});
});
afterEach(() => directory.remove());

async function json<T>(args: string[], flags = {}): Promise<T> {
  const target = context({ json: true });
  await arena(target, args, flags);
  return target.documents[0] as T;
}

describe('arena on the command line', () => {
  it('makes one, puts, lists, gets, deletes and checks', async () => {
    await arena(context(), ['create', kv()], { size: '4M', eviction: 'clock', slots: '64' });
    const file = join(directory.path, 'value');
    writeFileSync(file, 'hello');
    await arena(context(), ['put', kv(), 'greeting', file], {});
    await arena(context(), ['put', kv(), 'short', file], { ttl: '3600' });
    expect(await json(['stat', kv()])).toMatchObject({ objects: 2, slots: 64, eviction: 'clock', used: 128 });
    expect(await json<{ name: string }[]>(['ls', kv()])).toMatchObject([
      { name: 'greeting', size: 5 },
      { name: 'short' },
    ]);
    expect(await json<{ name: string }[]>(['ls', kv(), 'gr'])).toMatchObject([{ name: 'greeting' }]);
    expect(await json(['get', kv(), 'greeting'])).toEqual({
      key: 'greeting',
      value: Buffer.from('hello').toString('base64'),
    });
    await expect(arena(context(), ['put', kv(), 'greeting', file], { ifAbsent: true })).rejects.toMatchObject(
      { code: 'EEXIST' },
    );
    const target = context();
    await expect(arena(target, ['rm', kv(), 'greeting', 'absent'], {})).rejects.toThrow(AlreadyReported);
    expect(target.notes.join()).toContain('absent');
    await expect(arena(context(), ['get', kv(), 'greeting'], {})).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await json(['evict', kv(), '1'])).toEqual({ freed: 64 });
    expect(await json(['fsck', kv()])).toMatchObject({ ok: true, objects: 0, problems: [] });
    expect(await json(['fsck', kv()], { repair: true })).toMatchObject({ ok: true });
  });

  it('measures, and leaves nothing behind', async () => {
    await arena(context(), ['create', kv()], { size: '4M', slots: '64' });
    expect(await json(['bench', kv()], { count: '50', size: '2K' })).toMatchObject({
      count: 50,
      size: 2048,
      put: expect.any(Number),
    });
    expect(await json(['stat', kv()])).toMatchObject({ objects: 0, used: 0 });
  });

  it('says what it wants', async () => {
    for (const args of [
      ['create', kv()],
      ['get', kv()],
      ['dance', kv()],
      ['put'],
      ['stat', kv(), 'more'],
      ['toString', kv()],
    ])
      await expect(arena(context(), args, {})).rejects.toThrow(UsageError);
    await expect(arena(context(), ['create', kv()], { size: '4M', eviction: 'lru' })).rejects.toThrow(
      UsageError,
    );
    await expect(arena(context(), ['stat', kv()], {})).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
