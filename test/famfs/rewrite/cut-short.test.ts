/** Rewrites that move data, and rewrites that are cut short: the volume is whole, and the next mount of the master goes on. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deviceMedia, fsckMedia, type Volume } from '../../../src/famfs/index.js';
import { codeOf } from '../../machine/support.js';
import { contentOf, MIB, OTHER_HOST, Pool, pattern } from '../volume/support.js';

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

describe('defragmenting', () => {
  /** /f in two extents, free space in several runs. */
  async function fragmented(): Promise<Volume> {
    const volume = pool.mount();
    await make(volume, { '/a': 10, '/b': 10, '/c': 40 * MIB });
    await make(volume, { '/d': volume.statfs().free });
    await volume.rewrite({ remove: ['/a', '/d'] });
    await make(volume, { '/f': volume.statfs().free });
    await volume.rewrite({ remove: ['/c'] });
    expect(volume.getmap('/f').extents.length).toBeGreaterThan(1);
    return volume;
  }

  it('makes each file one run, at the front, with its bytes', async () => {
    const volume = await fragmented();
    const { size } = volume.stat('/f');
    const steps: number[] = [];
    const result = await volume.rewrite(
      { defragment: true },
      { onProgress: ({ bytes }) => steps.push(bytes) },
    );
    expect(result.changed).toBe(true);
    expect(result.movedBytes).toBeGreaterThan(0);
    expect(steps.length).toBeGreaterThan(0);
    expect(volume.getmap('/f').extents).toHaveLength(1);
    expect(has(volume, '/f', pattern(size, 2))).toBe(true);
    expect(has(volume, '/b', pattern(10, 2))).toBe(true);
    expect(volume.getmap('/b').extents[0]!.offset).toBe(10 * MIB);
    expect(pool.fsck()).toEqual([]);
    expect((await volume.rewrite({ defragment: true })).changed).toBe(false);
  });

  it('that is aborted leaves a whole volume', async () => {
    const volume = await fragmented();
    const before = tree(volume);
    const stop = new AbortController();
    const aborted = volume.rewrite(
      { defragment: true },
      { signal: stop.signal, onProgress: () => stop.abort() },
    );
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    expect(tree(volume)).toEqual(before);
    expect(has(volume, '/f', pattern(volume.stat('/f').size, 2))).toBe(true);
    expect(pool.fsck()).toEqual([]);
    volume.mkdir('/goes-on');
  });

  it('keeps this process out of the volume meanwhile', async () => {
    const volume = await fragmented();
    const codes: (string | undefined)[] = [];
    await volume.rewrite(
      { defragment: true },
      {
        onProgress: () =>
          codes.push(
            codeOf(() => volume.mkdir('/x')),
            codeOf(() => volume.open('/f')),
          ),
      },
    );
    expect(new Set(codes)).toEqual(new Set(['EBUSY']));
    expect(volume.exists('/x')).toBe(false);
  });
});

describe('a rewrite that died', () => {
  /** Dies behind its n-th fence. */
  async function cut(after: number): Promise<void> {
    const machine = pool.machine();
    const media = deviceMedia(machine);
    let fences = 0;
    let record = new Uint8Array();
    const volume = pool.mountOn(machine);
    const { prototype } = Object.getPrototypeOf(media).constructor as { prototype: { fence(): void } };
    const { fence } = prototype;
    prototype.fence = function (this: unknown) {
      fence.call(this);
      if (++fences !== after) return;
      record = Uint8Array.from(media.bytes(2048, 512));
      throw new Error('died');
    };
    try {
      await expect(volume.rewrite({ remove: ['/a'] })).rejects.toThrow('died');
    } finally {
      prototype.fence = fence;
      volume.close();
    }
    // An error still removes the record that did not count yet; a kill does not.
    media.bytes(2048, 512).set(record);
  }

  const note = () => fsckMedia(deviceMedia(pool.machine())).notes.find(({ code }) => code === 'torn-rewrite');

  it('is completed by the next mount of the master, once, and readers see the new log until then', async () => {
    const first = pool.mount();
    await make(first, { '/a': 10, '/b': 10 });
    first.close();
    await cut(3);
    const reader = pool.mount({ readOnly: true });
    const client = pool.mount({ uuid: OTHER_HOST });
    expect(tree(reader)).toEqual(['/b']);
    expect(tree(client)).toEqual(['/b']);
    expect(has(client, '/b', pattern(10, 2))).toBe(true);
    expect(pool.fsck()).toEqual([]);
    expect(note()).toMatchObject({
      code: 'torn-rewrite',
      hint: 'complete-rewrite',
      message: expect.stringMatching(
        /rewrite of the log \(1 entries instead of up to 3\), begun 20\d\d-\S+Z, was cut short when its new log was already valid: .* completes it/,
      ),
    });
    const master = pool.mount();
    expect(tree(master)).toEqual(['/b']);
    master.mkdir('/c');
    // What was read of it meanwhile ends, like every mount of an older log.
    expect(codeOf(() => client.refresh())).toBe('ESTALE');
    expect(codeOf(() => reader.refresh())).toBe('ESTALE');
    expect(tree(pool.mount({ readOnly: true }))).toEqual(['/b', '/c']);
    expect(pool.fsck()).toEqual([]);
  });

  it('before it was decided leaves the old log, and the next mount removes its record', async () => {
    const first = pool.mount();
    await make(first, { '/a': 10, '/b': 10 });
    first.close();
    await cut(2);
    expect(note()?.message).toMatch(
      /begun 20\d\d-\S+Z, was cut short before it changed anything: .* removes its record/,
    );
    expect(tree(pool.mount({ readOnly: true }))).toEqual(['/a', '/b']);
    const master = pool.mount();
    expect(tree(master)).toEqual(['/a', '/b']);
    await master.rewrite({ remove: ['/a'] });
    expect(tree(master)).toEqual(['/b']);
  });

  it('is not completed beside a mount of the same process that reads it', async () => {
    const first = pool.mount();
    await make(first, { '/a': 10, '/b': 10 });
    first.close();
    await cut(3);
    const machine = pool.machine();
    const reader = pool.mountOn(machine, { readOnly: true });
    expect(codeOf(() => pool.mountOn(machine))).toBe('EBUSY');
    expect(tree(reader)).toEqual(['/b']);
    reader.close();
    expect(tree(pool.mountOn(machine))).toEqual(['/b']);
  });
});
