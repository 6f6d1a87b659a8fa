import { afterEach, describe, expect, it } from 'vitest';
import { contentOf, OTHER_HOST, Pool, pattern, UNIT } from './support.js';

describe('clone', () => {
  const pools: Pool[] = [];
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.close();
  });

  function poolWithFile() {
    const pool = new Pool();
    pools.push(pool);
    const volume = pool.mount();
    const file = volume.create('/a', { size: 100, mode: 0o640 });
    file.write(pattern(100), 0);
    file.close();
    return { pool, volume };
  }
  const code = (error: string) => expect.objectContaining({ code: error });

  it('is refused without force', () => {
    const { pool, volume } = poolWithFile();
    expect(() => volume.clone('/a', '/b')).toThrow(code('EPERM'));
    expect(volume.exists('/b')).toBe(false);
    expect(pool.fsck()).toEqual([]);
  });

  it('makes a second file over the same space, which fsck names', () => {
    const { pool, volume } = poolWithFile();
    volume.clone('/a', '/b', { force: true });
    expect(volume.getmap('/b')).toEqual(volume.getmap('/a'));
    expect(volume.stat('/b')).toMatchObject({ size: 100, mode: 0o640 });
    expect(contentOf(volume, '/b')).toEqual(pattern(100));
    expect(pool.fsck()).toEqual([expect.stringMatching(/extent-overlap.*'b'.*log entry 0 \('a'\)/)]);
  });

  it('shows a store to one in the other, mapped side by side', () => {
    const { volume } = poolWithFile();
    const a = volume.open('/a', { writable: true });
    const before = a.map({ writable: true });
    volume.clone('/a', '/b', { force: true });
    const b = volume.open('/b');
    const view = b.map();
    before[3] = 99;
    expect(view[3]).toBe(99);
    a.close();
    expect(view[3]).toBe(99);
    b.close();
    const again = volume.open('/b');
    expect(again.map()[3]).toBe(99);
    again.close();
  });

  it('takes no space and keeps allocation sound', () => {
    const { volume } = poolWithFile();
    const { free } = volume.statfs();
    volume.clone('/a', '/b', { force: true });
    expect(volume.statfs().free).toBe(free);
    volume.create('/c', { size: UNIT }).close();
    expect(volume.getmap('/c').extents[0]!.offset).not.toBe(volume.getmap('/a').extents[0]!.offset);
  });

  it('refuses directories, names that exist, missing sources, and clients', () => {
    const { pool, volume } = poolWithFile();
    volume.mkdir('/d');
    expect(() => volume.clone('/d', '/e', { force: true })).toThrow(code('EISDIR'));
    expect(() => volume.clone('/a', '/d', { force: true })).toThrow(code('EEXIST'));
    expect(() => volume.clone('/none', '/e', { force: true })).toThrow(code('ENOENT'));
    const client = pool.mount({ uuid: OTHER_HOST });
    expect(() => client.clone('/a', '/e', { force: true })).toThrow(code('EROFS'));
  });
});
