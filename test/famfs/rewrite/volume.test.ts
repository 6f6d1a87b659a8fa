/** Volume.rewrite(): what it takes back, whom it asks, and what everybody sees of the volume afterwards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RewriteChanges, Volume } from '../../../src/famfs/index.js';
import { mkfs, mountFamfs, openDevice, openMachine } from '../../../src/index.js';
import { codeOf } from '../../machine/support.js';
import { contentOf, MIB, OTHER_HOST, Pool, pattern, THIS_HOST, UNIT } from '../volume/support.js';

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

async function make(volume: Volume, files: Record<string, number>): Promise<void> {
  for (const [path, size] of Object.entries(files)) {
    const above = path.slice(0, path.lastIndexOf('/'));
    if (above !== '') volume.mkdir(above, { recursive: true });
    await volume.writeFile(path, pattern(size, path.length));
  }
}

/** Whether a file begins with these bytes. (A difference of megabytes takes minutes to print.) */
function has(volume: Volume, path: string, bytes: Uint8Array): boolean {
  return Buffer.compare(contentOf(volume, path).subarray(0, bytes.length), bytes) === 0;
}

const tree = (volume: Volume) => [...volume.walk('/')].map(({ path }) => path);
const code = (error: string) => expect.objectContaining({ code: error });

describe('a rewrite', () => {
  it('frees the units and the log slots of what it removes, and leaves all else where it is', async () => {
    const volume = pool.mount();
    await make(volume, { '/d/a': 5 * MIB, '/d/e/b': 10, '/keep': 3 * MIB });
    const before = volume.statfs();
    const map = volume.getmap('/keep');
    const { uuid } = volume.superblock;
    const result = await volume.rewrite({ remove: ['/d'], recursive: true });
    expect(result).toMatchObject({
      changed: true,
      removed: { files: 2, directories: 2 },
      freedBytes: 4 * UNIT,
      movedBytes: 0,
      before,
    });
    expect(volume.statfs()).toMatchObject({
      used: before.used - 4 * UNIT,
      logUsed: 1,
      files: 1,
      directories: 0,
    });
    expect(result.after).toEqual(volume.statfs());
    expect(volume.getmap('/keep')).toEqual(map);
    expect(has(volume, '/keep', pattern(3 * MIB, 5))).toBe(true);
    expect(volume.superblock.uuid).toBe(result.uuid);
    expect(result.uuid).not.toBe(uuid);
    volume.mkdir('/more');
    expect(tree(volume)).toEqual(['/keep', '/more']);
    expect(pool.fsck()).toEqual([]);
    expect(tree(pool.mount({ readOnly: true }))).toEqual(['/keep', '/more']);
  });

  it('does all or nothing: an error names the path, and nothing was changed', async () => {
    const volume = pool.mount();
    await make(volume, { '/d/a': 10, '/b': 10 });
    const before = pool.metadata();
    const refused: [RewriteChanges, string, RegExp][] = [
      [{ remove: ['/b', '/x'] }, 'ENOENT', /\/x/],
      [{ remove: ['/b', '/d'] }, 'ENOTEMPTY', /\/d/],
      [{ remove: ['/b'], move: [['/d', '/d/e']] }, 'EINVAL', /\/d/],
      [{ move: [['/b', `/${'n'.repeat(80)}`]] }, 'ENAMETOOLONG', /nnn/],
      [{ remove: ['/b'], resize: [['/b', 5]] }, 'ENOENT', /\/b/],
      [{ resize: [['/b', 0]] }, 'EINVAL', /format/],
      [{ resize: [['/b', 1.5]] }, 'EINVAL', /\/b/],
      [{ resize: [['/d', 5]] }, 'EISDIR', /\/d/],
      [{ resize: [['/b', 55 * MIB]] }, 'EFBIG', /\/b/],
      [{ resize: [['/b', 53 * MIB]] }, 'ENOSPC', /free/],
      [
        {
          resize: [
            ['/b', 5],
            ['/b', 6],
          ],
        },
        'EINVAL',
        /twice/,
      ],
    ];
    for (const [changes, error, message] of refused) {
      await expect(volume.rewrite(changes), JSON.stringify(changes)).rejects.toThrow(code(error));
      await expect(volume.rewrite(changes)).rejects.toThrow(message);
    }
    await expect(volume.rewrite({ remove: '/b' } as never)).rejects.toThrow(code('EINVAL'));
    expect(pool.metadata().equals(before)).toBe(true);
    expect(tree(volume)).toEqual(['/b', '/d', '/d/a']);
    volume.mkdir('/goes-on');
  });

  it('without anything to do writes nothing, and every mount stays valid', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 10 });
    const before = pool.metadata();
    const result = await volume.rewrite({ move: [['/a', '/a']], resize: [['/a', 10]], defragment: true });
    expect(result).toMatchObject({ changed: false, uuid: volume.superblock.uuid, freedBytes: 0 });
    expect((await volume.rewrite()).changed).toBe(false);
    expect(pool.metadata().equals(before)).toBe(true);
  });

  it('with dryRun says the same and writes nothing', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 3 * MIB, '/b': 10 });
    const before = pool.metadata();
    const planned = await volume.rewrite({ remove: ['/a'], resize: [['/b', 5 * MIB]] }, { dryRun: true });
    expect(pool.metadata().equals(before)).toBe(true);
    const done = await volume.rewrite({ remove: ['/a'], resize: [['/b', 5 * MIB]] });
    expect({ ...planned, uuid: '' }).toEqual({ ...done, uuid: '' });
  });

  it('puts a directory before what moved into it, so that a log of C and every replay agree', async () => {
    const volume = pool.mount();
    await make(volume, { '/old/deep/a': 10, '/new/b': 10 });
    await volume.rewrite({
      move: [
        ['/old', '/new/old'],
        ['/new/b', '/new/old/deep/a'],
      ],
    });
    expect(tree(volume)).toEqual(['/new', '/new/old', '/new/old/deep', '/new/old/deep/a']);
    expect(has(volume, '/new/old/deep/a', pattern(10, 6))).toBe(true);
    expect(pool.fsck()).toEqual([]);
    const other = pool.mount({ uuid: OTHER_HOST });
    expect(tree(other)).toEqual(tree(volume));
  });
});

describe('who else has the volume', () => {
  it('this process: an open file, a view, another volume are EBUSY and named', async () => {
    const machine = pool.machine();
    const volume = pool.mountOn(machine);
    await make(volume, { '/a': 10, '/b': 10 });
    const file = volume.open('/a');
    await expect(volume.rewrite({ remove: ['/b'] })).rejects.toThrow(/\/a open/);
    file.close();
    const second = pool.mountOn(machine);
    await expect(volume.rewrite({ remove: ['/b'] })).rejects.toThrow(code('EBUSY'));
    second.close();
    await volume.rewrite({ remove: ['/b'] });
    expect(tree(volume)).toEqual(['/a']);
  });

  it('a client, and a volume that only reads, cannot', async () => {
    await make(pool.mount(), { '/a': 10 });
    await expect(pool.mount({ uuid: OTHER_HOST }).rewrite({ remove: ['/a'] })).rejects.toThrow(code('EROFS'));
    await expect(pool.mount({ readOnly: true }).rewrite({ remove: ['/a'] })).rejects.toThrow(code('EROFS'));
  });

  it('what another host still has of it is ESTALE, before a byte is stored', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 10, '/b': 10 });
    // Another host: no lock of this host shows it.
    const old = pool.mount({ uuid: OTHER_HOST, clientWrites: true });
    const file = old.open('/b', { writable: true });
    const view = file.map();
    await volume.rewrite({ remove: ['/a'] });
    expect(codeOf(() => file.write(new Uint8Array(5), 0))).toBe('ESTALE');
    expect(codeOf(() => old.refresh())).toBe('ESTALE');
    await sleep(100);
    expect(codeOf(() => old.readdir('/'))).toBe('ESTALE');
    expect(view.length).toBe(0);
    expect(has(volume, '/b', pattern(10, 2))).toBe(true);
  });

  it('its own handles from before are ESTALE, its watcher too; the volume goes on', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 10, '/b': 10 });
    const file = volume.open('/b');
    const seen = (async () => {
      for await (const _event of volume.watch());
    })();
    file.close();
    const stream = volume.createWriteStream('/late');
    const ended = new Promise((resolve) => stream.once('error', resolve));
    await volume.rewrite({ remove: ['/a'] });
    await expect(seen).rejects.toMatchObject({ code: 'ESTALE' });
    stream.end('late');
    expect(await ended).toMatchObject({ code: 'ESTALE' });
    expect(tree(volume)).toEqual(['/b']);
    await make(volume, { '/c': 10 });
    expect(has(volume, '/c', pattern(10, 2))).toBe(true);
  });

  it('a process that has the machine of it mounted is EBUSY and named, and keeps what it has', async () => {
    const root = `${pool.directory}/machine`;
    const machine = openMachine(root, { create: true });
    machine.createRegion({ size: 64 * MIB });
    machine.reconfigure('dax0.0', 'famfs');
    mkfs(machine.device('dax0.0'));
    const volume = mountFamfs(machine.device('dax0.0'));
    await make(volume, { '/a': 10, '/b': 10 });
    const other = openMachine(root);
    const reader = mountFamfs(other.device('dax0.0'), { readOnly: true });
    await expect(volume.rewrite({ remove: ['/a'] })).rejects.toThrow(`pid ${process.pid}`);
    await expect(volume.rewrite({ remove: ['/a'] })).rejects.toThrow(code('EBUSY'));
    expect(tree(reader)).toEqual(['/a', '/b']);
    // The same memory under another name.
    reader.close();
    const { backing } = machine.regions()[0]!;
    const image = openDevice(backing.path, { root });
    const second = mountFamfs(image, { readOnly: true });
    await expect(volume.rewrite({ remove: ['/a'] })).rejects.toThrow(code('EBUSY'));
    second.close();
    image.close();
    await volume.rewrite({ remove: ['/a'] });
    const after = mountFamfs(other.device('dax0.0'));
    expect(tree(after)).toEqual(['/b']);
    // While it works, the other one may not come in between; afterwards it may change things again.
    after.mkdir('/c');
    volume.refresh();
    expect(tree(volume)).toEqual(['/b', '/c']);
    after.close();
    volume.close();
    other.close();
    machine.close();
  });

  it('a volume of a path rewrites, and closes its device with itself', async () => {
    const environment = process.env.UDAX_SYSTEM_UUID;
    process.env.UDAX_SYSTEM_UUID = THIS_HOST;
    try {
      const volume = mountFamfs(pool.file);
      await make(volume, { '/a': 10, '/b': 10 });
      await volume.rewrite({ remove: ['/a'] });
      expect(tree(volume)).toEqual(['/b']);
      volume.close();
      const again = mountFamfs(pool.file);
      await again.rewrite({ remove: ['/b'] });
      again.close();
    } finally {
      if (environment === undefined) delete process.env.UDAX_SYSTEM_UUID;
      else process.env.UDAX_SYSTEM_UUID = environment;
    }
  });
});

describe('a file that is resized', () => {
  it('reads as zeroes where it is new, also in the unit that it had', async () => {
    const volume = pool.mount();
    await make(volume, { '/noise': 40 * MIB });
    await volume.rewrite({ remove: ['/noise'] });
    await make(volume, { '/a': 5 * MIB });
    await volume.rewrite({ resize: [['/a', 1000]] });
    expect(volume.statfs().used).toBe(10 * MIB + UNIT);
    expect(has(volume, '/a', pattern(5 * MIB, 2).subarray(0, 1000))).toBe(true);
    await volume.rewrite({ resize: [['/a', 9 * MIB]] });
    const bytes = contentOf(volume, '/a');
    expect(has(volume, '/a', pattern(5 * MIB, 2).subarray(0, 1000))).toBe(true);
    expect(bytes.subarray(1000).every((byte) => byte === 0)).toBe(true);
    expect(volume.getmap('/a').extents).toHaveLength(1);
    expect(pool.fsck()).toEqual([]);
  });

  it('takes space elsewhere when there is none behind it, and uses none that the same rewrite frees', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 10, '/b': 10, '/c': 44 * MIB });
    await expect(volume.rewrite({ remove: ['/c'], resize: [['/a', 20 * MIB]] })).rejects.toThrow(
      code('ENOSPC'),
    );
    await volume.rewrite({ remove: ['/c'] });
    await volume.rewrite({ resize: [['/a', 20 * MIB]] });
    expect(volume.getmap('/a').extents).toHaveLength(2);
    expect(has(volume, '/a', pattern(10, 2))).toBe(true);
    expect(has(volume, '/b', pattern(10, 2))).toBe(true);
    expect(pool.fsck()).toEqual([]);
  });

  it('stays interleaved: its strips grow where they are, or move', async () => {
    const big = new Pool({ size: 256 * MIB });
    const volume = big.mount();
    const stripe = { nstrips: 3, nbuckets: 3, chunkSize: UNIT };
    await volume.copyIn(big.hostFile('s', pattern(10 * MIB, 7)), '/s', { stripe });
    // Space behind the first strip is taken, so it has to move.
    const first = volume.getmap('/s').extents.map(({ offset }) => offset);
    for (let i = 0; i < 8; i++) await volume.writeFile(`/f${i}`, pattern(10, i));
    await volume.rewrite({ resize: [['/s', 20 * MIB]] });
    const map = volume.getmap('/s');
    expect(map).toMatchObject({ type: 'interleaved', nstrips: 3, chunkSize: UNIT });
    expect(map.extents.some(({ offset }, i) => offset !== first[i])).toBe(true);
    const bytes = contentOf(volume, '/s');
    expect(has(volume, '/s', pattern(10 * MIB, 7))).toBe(true);
    expect(bytes.subarray(10 * MIB).every((byte) => byte === 0)).toBe(true);
    await volume.rewrite({ resize: [['/s', 7 * MIB]] });
    expect(has(volume, '/s', pattern(10 * MIB, 7).subarray(0, 7 * MIB))).toBe(true);
    expect(big.fsck()).toEqual([]);
    big.close();
  });

  it('that shares its space with a clone is refused', async () => {
    const volume = pool.mount();
    await make(volume, { '/a': 10, '/b': 10 });
    volume.clone('/a', '/c', { force: true });
    await expect(volume.rewrite({ resize: [['/c', 4 * MIB]] })).rejects.toThrow(/clone/);
    await volume.rewrite({ remove: ['/a'], resize: [['/b', 4 * MIB]] });
    expect(has(volume, '/c', pattern(10, 2))).toBe(true);
    expect(pool.fsck()).toEqual([]);
  });
});

describe('a full device', () => {
  it('gets space back though no unit and few log slots are free', async () => {
    const volume = pool.mount();
    for (let i = 0; i < 15_390; i++) volume.mkdir(`/directory-${i}`);
    await make(volume, { '/big': 20 * MIB });
    const { free } = volume.statfs();
    await make(volume, { '/rest': free });
    expect(volume.statfs().free).toBe(0);
    await volume.rewrite({ remove: ['/big'] });
    expect(volume.statfs().free).toBe(20 * MIB);
    expect(has(volume, '/rest', pattern(free, 5))).toBe(true);
    expect(pool.fsck()).toEqual([]);
  });
});
