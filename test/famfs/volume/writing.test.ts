import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVolume, type Volume } from '../../../src/index.js';
import { Tally } from '../../support/tally.js';
import { MIB, pattern } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });

/** Files from bytes and from streams appear whole or not at all. */
describe('writeFile and createWriteStream', () => {
  let directory: string;
  let volume: Volume;
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-writing-'));
    volume = openVolume(`${directory}/pool`, { size: '64MiB' });
  });
  afterEach(() => {
    volume.close();
    fs.rmSync(directory, { recursive: true });
  });

  const contentOf = (name: string) => {
    const file = volume.open(name);
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    file.close();
    return bytes;
  };

  it('bytes make a file of their length, with the permissions asked for', async () => {
    await volume.writeFile('/a', pattern(100_001), { mode: 0o600, uid: 7, gid: 8 });
    expect(contentOf('/a')).toEqual(pattern(100_001));
    expect(volume.stat('/a')).toMatchObject({ size: 100_001, mode: 0o600, uid: 7, gid: 8 });
  });

  it('bytes onto a file of the same size overwrite it in place; of another size they are EEXIST', async () => {
    await volume.writeFile('/a', pattern(5000));
    const { extents } = volume.getmap('/a');
    await volume.writeFile('/a', new Uint8Array(5000).fill(9));
    expect(contentOf('/a')).toEqual(new Uint8Array(5000).fill(9));
    expect(volume.getmap('/a').extents).toEqual(extents);
    await expect(volume.writeFile('/a', pattern(5001))).rejects.toEqual(coded('EEXIST'));
  });

  it('keeps every byte of every sequence of pieces, whatever gives them', async () => {
    const tally = new Tally();
    let number = 0;
    const pieces = fc.array(fc.uint8Array({ minLength: 0, maxLength: 70_000, size: 'max' }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(pieces, fc.constantFrom('list', 'generator', 'node', 'web'), async (list, kind) => {
        const whole = Buffer.concat(list);
        fc.pre(tally.count('has bytes', whole.length > 0));
        const name = `/f${number++}`;
        async function* generator() {
          for (const piece of list) yield piece;
        }
        const content = {
          list,
          generator: generator(),
          node: Readable.from(list),
          web: Readable.toWeb(Readable.from(list)),
        }[kind];
        await volume.writeFile(name, content as AsyncIterable<Uint8Array>);
        expect(Buffer.compare(contentOf(name), whole)).toBe(0);
      }),
      { numRuns: 12 },
    );
    tally.mustReach({ 'has bytes': 0.3 });
  });

  it('a stream shows nothing before its end, then the whole file', async () => {
    const stream = volume.createWriteStream('/a');
    stream.write(pattern(3 * MIB));
    stream.write('text is UTF-8');
    expect(volume.exists('/a')).toBe(false);
    stream.end();
    await once(stream, 'finish');
    expect(volume.stat('/a').size).toBe(3 * MIB + 13);
    expect(Buffer.from(contentOf('/a').subarray(3 * MIB)).toString()).toBe('text is UTF-8');
  });

  it('a destroyed stream, a failing source and an abort leave nothing and no space taken', async () => {
    const before = volume.statfs();
    const stream = volume.createWriteStream('/a');
    stream.write(pattern(MIB));
    stream.destroy();
    await once(stream, 'close');

    async function* failing() {
      yield pattern(MIB);
      throw new Error('the source broke');
    }
    await expect(volume.writeFile('/b', failing())).rejects.toThrow('the source broke');

    const controller = new AbortController();
    async function* endless() {
      for (;;) {
        yield pattern(1000);
        controller.abort(new Error('enough'));
        await new Promise(setImmediate);
      }
    }
    await expect(volume.writeFile('/c', endless(), { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    await expect(volume.writeFile('/d', pattern(10), { signal: controller.signal })).rejects.toMatchObject({
      name: 'AbortError',
    });
    expect(volume.readdir('/')).toEqual([]);
    expect(volume.statfs()).toEqual(before);
  });

  it('refuses what is no content: pieces that are no bytes, a name that is taken', async () => {
    await expect(volume.writeFile('/a', [7] as never)).rejects.toEqual(coded('EINVAL'));
    await expect(volume.writeFile('/a', 'text' as never)).rejects.toEqual(coded('EINVAL'));
    await expect(volume.writeFile('/no/parent', [pattern(1)])).rejects.toEqual(coded('ENOENT'));
    await volume.writeFile('/a', pattern(1));
    await expect(volume.writeFile('/a', [pattern(1)])).rejects.toEqual(coded('EEXIST'));
    expect(() => volume.createWriteStream('/a')).toThrow(coded('EEXIST'));
  });

  it('after close() of the volume a stream stores nothing more, and the next volume is as before', async () => {
    const other = openVolume(`${directory}/pool`);
    const stream = volume.createWriteStream('/a');
    stream.write(pattern(MIB));
    volume.close();
    const failed = once(stream, 'error');
    stream.write(pattern(MIB));
    expect((await failed)[0]).toEqual(coded('EBADF'));
    expect(other.readdir('/')).toEqual([]);
    await other.writeFile('/a', pattern(10));
    other.close();
  });

  it('takes a pipeline of Node', async () => {
    await pipeline(
      Readable.from([pattern(1000), pattern(24)]),
      volume.createWriteStream('/a', { mode: 0o640 }),
    );
    expect(volume.stat('/a')).toMatchObject({ size: 1024, mode: 0o640 });
  });

  it('readdir withFileTypes tells files from directories', async () => {
    volume.mkdir('/d');
    await volume.writeFile('/d/f', pattern(1));
    volume.mkdir('/d/sub');
    const told = volume.readdir('/d', { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      parentPath: entry.parentPath,
      kinds: [entry.isFile(), entry.isDirectory(), entry.isSymbolicLink()],
    }));
    expect(told).toEqual([
      { name: 'f', parentPath: '/d', kinds: [true, false, false] },
      { name: 'sub', parentPath: '/d', kinds: [false, true, false] },
    ]);
  });

  it('unmap ends one view, others of the file stay; what is no view is EINVAL', async () => {
    await volume.writeFile('/a', pattern(8192));
    const file = volume.open('/a');
    const first = file.map({ length: 4096 });
    const words = file.mapAs(Uint32Array, { length: 4096 });
    const second = file.map({ offset: 4096 });
    file.unmap(first);
    expect([first.length, words.length, second.length]).toEqual([0, 0, 4096]);
    expect(() => file.unmap(first)).toThrow(coded('EINVAL'));
    expect(() => file.unmap(new Uint8Array(4096))).toThrow(coded('EINVAL'));
    expect(file.map({ length: 4096 }).slice()).toEqual(pattern(8192).subarray(0, 4096));
    file.close();
  });

  it('unmap waits for a pin', async () => {
    await volume.writeFile('/a', pattern(4096));
    const file = volume.open('/a');
    const view = file.map();
    const pin = file.pin(view);
    file.unmap(view);
    expect(view.length).toBe(4096);
    pin.release();
    expect(view.length).toBe(0);
  });

  it('tells of mounts, new names, maps and losses on diagnostics channels', async () => {
    // As if another host formatted the memory: the superblock is another one.
    openVolume(`${directory}/third`, { size: '32MiB' }).close();
    const superblock = fs.readFileSync(`${directory}/third/regions/0.mem`).subarray(0, 4096);
    const told: [string, unknown][] = [];
    const listeners = ['mount', 'unmount', 'create', 'map', 'lost'].map((event) => {
      const listener = (message: unknown) => told.push([event, message]);
      channel(`udax:${event}`).subscribe(listener);
      return () => channel(`udax:${event}`).unsubscribe(listener);
    });
    const other = openVolume(`${directory}/other`, { size: '32MiB' });
    await other.writeFile('/a', pattern(4096));
    const file = other.open('/a');
    const view = file.map();
    const { lost } = file;
    expect(lost.aborted).toBe(false);
    fs.writeFileSync(`${directory}/other/regions/0.mem`, superblock, { flag: 'r+' });
    await once(lost, 'abort');
    expect([view.length, lost.reason.code]).toEqual([0, 'ESTALE']);
    other.close();
    for (const stop of listeners) stop();
    expect(told.map(([event]) => event)).toEqual(['mount', 'create', 'map', 'lost', 'unmount']);
    expect(told[1]![1]).toEqual({ path: '/a', device: 'dax0.0' });
  });
});
