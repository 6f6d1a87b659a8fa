// Many host files onto a volume: what is published, byte for byte and in order, is what one copyIn() after another publishes.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FileCopy, Volume } from '../../../src/famfs/volume/index.js';
import { contentOf, Pool, pattern, UNIT } from './support.js';

const KIB = 1024;
const coded = (code: string) => expect.objectContaining({ code });

describe('copying many files', () => {
  let pool: Pool;
  let volume: Volume;
  beforeEach(() => {
    pool = new Pool({ size: 512 * 2 ** 20 });
    volume = pool.mount();
  });
  afterEach(() => {
    expect(pool.fsck()).toEqual([]);
    pool.close();
  });

  const copyOf = (name: string, bytes: Uint8Array, destination = `/${name}`): FileCopy => ({
    source: pool.hostFile(name, bytes),
    destination,
  });
  /** The names in the order in which the log has them. */
  const published = () =>
    [...volume.walk('/')]
      .filter((stat) => stat.isFile())
      .sort((a, b) => a.ino - b.ino)
      .map((stat) => stat.path);

  it('publishes the same log and the same bytes as one copy after another', async () => {
    const sizes = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.constantFrom(1, 4096, 65_536, 65_537, 70_000)),
      {
        minLength: 1,
        maxLength: 90,
      },
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.boolean(), async (lengths, inDirectory) => {
        const [one, many] = [new Pool({ size: 2 ** 29 }), new Pool({ size: 2 ** 29 })];
        try {
          const above = inDirectory ? '/d' : '';
          const copies = lengths.map((length, i) => ({
            source: one.hostFile(`f${i}`, pattern(length, i)),
            destination: `${above}/f${i}`,
          }));
          const volumes = [one.mount(), many.mount()] as const;
          for (const each of volumes) if (inDirectory) each.mkdir('/d');
          for (const { source, destination } of copies) await volumes[0].copyIn(source, destination);
          await volumes[1].copyManyIn(copies);
          // The superblocks have uuids of their own. Buffers are compared whole: toEqual() takes seconds for them.
          const [metadata, wanted] = [many.metadata().subarray(UNIT), one.metadata().subarray(UNIT)];
          expect(Buffer.compare(metadata, wanted)).toBe(0);
          for (const { destination } of copies) {
            expect(
              Buffer.compare(contentOf(volumes[1], destination), contentOf(volumes[0], destination)),
            ).toBe(0);
          }
          expect(many.fsck()).toEqual([]);
        } finally {
          one.close();
          many.close();
        }
      }),
      { numRuns: 12 },
    );
  });

  it('small, large and empty ones keep their order, and are told in it', async () => {
    const lengths = [10, 0, 300 * KIB, 20, 65_537, 65_536, 0, 30];
    const copies = lengths.map((length, i) => copyOf(`f${i}`, pattern(length, i)));
    const told: [string, number][] = [];
    await volume.copyManyIn(copies, { onCopied: (copy, bytes) => told.push([copy.destination, bytes]) });
    expect(told).toEqual(lengths.map((length, i) => [`/f${i}`, length]));
    for (const [i, length] of lengths.entries()) {
      expect(Buffer.compare(contentOf(volume, `/f${i}`), pattern(length, i)), `f${i}`).toBe(0);
    }
  });

  it('takes modes and owners as copyIn() does, and those that one copy names', async () => {
    const [a, b] = [copyOf('a', pattern(5)), { ...copyOf('b', pattern(5)), mode: 0o604 }];
    fs.chmodSync(a.source, 0o751);
    await volume.copyManyIn([a, b], { uid: 7, gid: 8 });
    expect(volume.stat('/a')).toMatchObject({ mode: 0o751, uid: 7, gid: 8 });
    expect(volume.stat('/b')).toMatchObject({ mode: 0o604, uid: 7, gid: 8 });
    await expect(volume.copyManyIn([{ ...a, destination: '/c', mode: 0o10000 }])).rejects.toEqual(
      coded('EINVAL'),
    );
  });

  it('overwrites a file of the same size in place; another size is EEXIST, or replaced', async () => {
    await volume.copyManyIn([copyOf('same', pattern(50, 1)), copyOf('other', pattern(50, 1))]);
    const { ino } = volume.stat('/same');
    const again = [
      copyOf('same', pattern(50, 2)),
      copyOf('other', pattern(60, 2)),
      copyOf('new', pattern(3)),
    ];
    await expect(volume.copyManyIn(again)).rejects.toEqual(coded('EEXIST'));
    expect(volume.stat('/same').ino).toBe(ino);
    expect(Buffer.compare(contentOf(volume, '/same'), pattern(50, 2))).toBe(0);
    expect(Buffer.compare(contentOf(volume, '/other'), pattern(50, 1))).toBe(0);
    expect(volume.exists('/new')).toBe(false);
    await volume.copyManyIn(again, { replace: true });
    expect(Buffer.compare(contentOf(volume, '/other'), pattern(60, 2))).toBe(0);
    expect(volume.exists('/new')).toBe(true);
  });

  it('two copies to one name: the later one is there, however its path is written', async () => {
    volume.mkdir('/d');
    volume.symlink('/d', '/l');
    const paths = ['/d/f', '/d/f', 'd/f', '//d//f', '/l/f'];
    await volume.copyManyIn(paths.map((destination, i) => copyOf(`f${i}`, pattern(40, i), destination)));
    expect(Buffer.compare(contentOf(volume, '/d/f'), pattern(40, 4))).toBe(0);
    expect(volume.readdir('/d')).toEqual(['f']);
  });

  it('a name that the log cannot say, among others that it can', async () => {
    const [long, longer] = ['n'.repeat(90), 'n'.repeat(91)];
    const names = ['a', long, 'b', longer, 'c'];
    const copies = names.map((name, i) => copyOf(`f${i}`, pattern(40 + i, i), `/${name}`));
    await volume.copyManyIn(copies);
    await volume.copyManyIn([copyOf('d', pattern(9), '/d'), copyOf('f1', pattern(41, 7), `/${long}`)]);
    expect(volume.readdir('/').sort()).toEqual([...names, 'd'].sort());
    expect(Buffer.compare(contentOf(volume, `/${long}`), pattern(41, 7))).toBe(0);
    for (const [i, name] of names.entries())
      if (i !== 1) expect(Buffer.compare(contentOf(volume, `/${name}`), pattern(40 + i, i)), name).toBe(0);
  });

  it('a full log ends it with ENOSPC, behind the last entry that fits; what is there is overwritten all the same', async () => {
    await volume.copyManyIn([copyOf('there', pattern(50, 1))]);
    const { logFree } = volume.statfs();
    for (let i = 2; i < logFree; i++) volume.mkdir(`/d${i}`);
    const copies = ['x', 'y', 'z'].map((name, i) => copyOf(name, pattern(20, i)));
    await expect(volume.copyManyIn(copies)).rejects.toEqual(coded('ENOSPC'));
    expect(['x', 'y', 'z'].map((name) => volume.exists(`/${name}`))).toEqual([true, true, false]);
    await volume.copyManyIn([copyOf('there', pattern(50, 2))]);
    expect(Buffer.compare(contentOf(volume, '/there'), pattern(50, 2))).toBe(0);
  });

  it('a failure is told, and the others are copied, in order', async () => {
    volume.mkdir('/d');
    const pipe = path.join(pool.directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const copies = [
      copyOf('a', pattern(5)),
      { source: path.join(pool.directory, 'missing'), destination: '/missing' },
      { source: pipe, destination: '/pipe' },
      { source: pool.directory, destination: '/directory' },
      copyOf('b', pattern(5)),
      copyOf('c', pattern(5), '/nowhere/c'),
      copyOf('d', pattern(5), '/d'),
      copyOf('e', pattern(5), `/${'n'.repeat(300)}`),
      copyOf('f', pattern(5), '/f/'),
      copyOf('g', pattern(5)),
    ];
    const told: string[] = [];
    await volume.copyManyIn(copies, {
      onCopied: ({ destination }) => told.push(destination),
      onFailure: ({ destination }, error) =>
        told.push(`${destination.slice(0, 12)} ${(error as { code?: string }).code}`),
    });
    expect(told).toEqual([
      '/a',
      '/missing ENOENT',
      '/pipe EINVAL',
      '/directory EISDIR',
      '/b',
      '/nowhere/c ENOENT',
      '/d EISDIR',
      '/nnnnnnnnnnn ENAMETOOLONG',
      '/f/ EISDIR',
      '/g',
    ]);
    expect(published()).toEqual(['/a', '/b', '/g']);
  });

  it('without onFailure the first failure ends it: what was before it stays, nothing behind it is made', async () => {
    const copies = [copyOf('a', pattern(5)), copyOf('b', pattern(5), '/no/b'), copyOf('c', pattern(5))];
    await expect(volume.copyManyIn(copies)).rejects.toEqual(coded('ENOENT'));
    expect(published()).toEqual(['/a']);
  });

  it('a full device ends it with ENOSPC, behind the last file that fits', async () => {
    const { free } = volume.statfs();
    const room = free / UNIT;
    const copies = Array.from({ length: room + 3 }, (_, i) => copyOf(`f${i}`, pattern(100, i)));
    await expect(volume.copyManyIn(copies)).rejects.toEqual(coded('ENOSPC'));
    expect(published()).toEqual(copies.slice(0, room).map(({ destination }) => destination));
    expect(volume.statfs()).toMatchObject({ free: 0, reserved: 0 });
  });

  it('an image that was cut ends it with EIO, behind the last file that has memory, and is not made longer', async () => {
    const { size } = fs.statSync(pool.file);
    const { used } = volume.statfs();
    const cut = used + 2 * UNIT + 4096;
    fs.truncateSync(pool.file, cut);
    const copies = Array.from({ length: 5 }, (_, i) => copyOf(`f${i}`, pattern(100, i)));
    await expect(volume.copyManyIn(copies)).rejects.toEqual(coded('EIO'));
    expect(published()).toEqual(['/f0', '/f1']);
    expect(fs.statSync(pool.file).size).toBe(cut);
    expect(volume.statfs().reserved).toBe(0);
    fs.truncateSync(pool.file, size);
  });

  it('an abort leaves whole files only', async () => {
    const control = new AbortController();
    const copies = Array.from({ length: 150 }, (_, i) => copyOf(`f${i}`, pattern(100, i)));
    const copied: string[] = [];
    const onCopied = ({ destination }: FileCopy) => {
      copied.push(destination);
      if (copied.length === 70) control.abort();
    };
    await expect(volume.copyManyIn(copies, { onCopied, signal: control.signal })).rejects.toThrow(/abort/i);
    expect(published()).toEqual(copied);
    expect(copied.length).toBeGreaterThanOrEqual(70);
    expect(copied.length).toBeLessThan(150);
    expect(volume.statfs().reserved).toBe(0);
  });

  it('other mounts see the files, and make theirs in between', async () => {
    const other = pool.mount();
    const copies = Array.from({ length: 100 }, (_, i) => copyOf(`f${i}`, pattern(100, i)));
    async function* slowly() {
      for (const [i, copy] of copies.entries()) {
        if (i % 10 === 0) other.create(`/theirs-${i}`, { size: 1 }).close();
        yield copy;
      }
    }
    await volume.copyManyIn(slowly());
    other.refresh();
    for (const { destination } of copies) expect(other.exists(destination)).toBe(true);
    volume.refresh();
    expect(volume.statfs().files).toBe(110);
  });

  it('takes text, and nothing else, for its paths, and refuses what may not write', async () => {
    await expect(volume.copyManyIn('/etc' as never)).rejects.toEqual(coded('EINVAL'));
    await expect(volume.copyManyIn([{ source: 5, destination: '/a' } as never])).rejects.toEqual(
      coded('EINVAL'),
    );
    await expect(volume.copyManyIn([copyOf('a', pattern(1), '/a\0b')])).rejects.toEqual(coded('EINVAL'));
    const client = pool.mount({ role: 'client' });
    await expect(client.copyManyIn([copyOf('a', pattern(1))])).rejects.toEqual(coded('EROFS'));
    volume.close();
    await expect(volume.copyManyIn([copyOf('a', pattern(1))])).rejects.toEqual(coded('EBADF'));
  });
});
