// Temporaries of programs became permanent rubbish: whatever a program had closed stayed in the log for good. Right: what is removed
// before it has settled never was, and what is published late is what stat showed.
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pool } from '../famfs/volume/support.js';
import { FamfsWire, ROOT } from './famfs-wire.js';
import { because, noMounts, output, Place } from './support.js';

const ENOSPC = -28;
const FSYNC = 20;
const SYNCFS = 50;

let pool: Pool;
let famfs: FamfsWire;
beforeEach(() => {
  pool = new Pool();
  famfs = new FamfsWire(pool.mount());
});
afterEach(() => pool.close());

const sync = (node: bigint, handle = 0n) =>
  famfs.errorOf(FSYNC, node, ['u64', handle], ['u32', 0], ['u32', 0]);
const unlink = (name: string, parent = ROOT) => famfs.errorOf(10, parent, ['text', `${name}\0`]);
const link = (node: bigint, name: string) => famfs.errorOf(13, ROOT, ['u64', node], ['text', `${name}\0`]);

describe('what has not settled', () => {
  it('10,000 creations and removals leave the log with exactly the survivors, and no annex', () => {
    const before = pool.mount().statfs();
    for (let i = 0; i < 10_000; i++) {
      const kept = i % 1000 === 0;
      famfs.make(ROOT, `f${i}`, 'x');
      if (!kept) expect(unlink(`f${i}`)).toBe(0);
    }
    famfs.publish();
    const after = pool.mount().statfs();
    expect([after.logUsed - before.logUsed, after.files, before.free - after.free]).toEqual([
      10,
      10,
      10 * 2 ** 21,
    ]);
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('empty files are published empty, with mode and owner, and in the order of the last close', () => {
    const first = famfs.create(ROOT, 'first', { mode: 0o640 });
    famfs.make(ROOT, 'second', 'x');
    famfs.make(ROOT, 'empty', '');
    famfs.close(first.node, first.handle);
    famfs.publish();
    const volume = pool.mount();
    expect(volume.readdir('/')).toEqual(['empty', 'first', 'second']);
    expect(volume.stat('/first')).toMatchObject({ size: 0, mode: 0o640, uid: 1000, nlink: 1 });
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('a file with several names is published with all of them; a name that is removed before is not', () => {
    const { node } = famfs.make(ROOT, 'a', 'text');
    expect([link(node, 'b'), link(node, 'c'), unlink('a')]).toEqual([0, 0, 0]);
    expect(famfs.rename(ROOT, 'b', 'd')).toBe(0);
    famfs.publish();
    const volume = pool.mount();
    expect([volume.readdir('/'), volume.stat('/c').nlink, volume.stat('/c').ino]).toEqual([
      ['c', 'd'],
      2,
      volume.stat('/d').ino,
    ]);
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('fsync publishes at once, also what is open for writing; what is written later is published with the next', () => {
    const { node, handle } = famfs.create(ROOT, 'f');
    famfs.write(node, handle, 'one');
    expect(sync(node, handle)).toBe(0);
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('one');
    famfs.write(node, handle, ' two', 3);
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('one');
    expect(sync(node, handle)).toBe(0);
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('one two');
    famfs.write(node, handle, 'ONE', 0); // in place: seen at once
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('ONE two');
    famfs.close(node, handle);
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('syncfs publishes all that is closed', () => {
    famfs.make(ROOT, 'f', 'x');
    expect(famfs.errorOf(SYNCFS, ROOT, ['u64', 0n])).toBe(0);
    expect(pool.mount().exists('/f')).toBe(true);
  });

  it('a replaced file holds the old bytes for others until the new ones are published, in one step', () => {
    famfs.make(ROOT, 'f', 'old');
    famfs.publish();
    famfs.make(ROOT, 'f.tmp', 'new');
    expect(famfs.rename(ROOT, 'f.tmp', 'f')).toBe(0);
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('old');
    const seen = famfs.lookup(ROOT, 'f').node;
    const { handle } = famfs.open(seen);
    expect(famfs.read(seen, handle)).toBe('new');
    famfs.publish();
    const volume = pool.mount();
    expect([volume.fs.readFileSync('/f', 'utf8'), volume.readdir('/')]).toEqual(['new', ['f']]);
  });

  it('a change of a published file that finds no space leaves it as it was', () => {
    famfs.make(ROOT, 'f', 'text');
    famfs.publish();
    const { node } = famfs.lookup(ROOT, 'f');
    const { handle } = famfs.open(node, 2);
    expect(famfs.write(node, handle, 'x', 2 ** 40)).toBe(ENOSPC);
    expect(famfs.close(node, handle)).toBe(ENOSPC);
    expect([famfs.getattr(node).size, pool.mount().fs.readFileSync('/f', 'utf8')]).toEqual([4n, 'text']);
    famfs.publish();
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('times that a program sets are kept', () => {
    const { node } = famfs.make(ROOT, 'f', 'text');
    const [ATIME, MTIME] = [1 << 4, 1 << 5];
    const u64 = (value: number) => ['u64', BigInt(value)] as const;
    const u32 = (value: number) => ['u32', value] as const;
    const zeroes = [u32(0), u32(0), u32(0), u32(0), u32(0)];
    const times = [u64(1000), u64(2000), u64(0), u32(7), u32(8), u32(0)];
    expect(
      famfs.errorOf(4, node, u32(ATIME | MTIME), u32(0), u64(0), u64(0), u64(0), ...times, ...zeroes),
    ).toBe(0);
    famfs.publish();
    expect(pool.mount().stat('/f').times).toMatchObject({
      atime: { seconds: 1000, nanoseconds: 7 },
      mtime: { seconds: 2000, nanoseconds: 8 },
    });
  });
});

describe.skipIf(noMounts !== '')(`on a mount${because}`, () => {
  let place: Place;
  let at: string;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('256MiB');
    at = place.mount('dax0.0', '--settle', '3600');
  });
  afterEach(() => place.close());

  it('a killed daemon takes with it what has not settled, and nothing else: fsync is the promise', () => {
    output(
      `cd ${at} && echo kept > kept && sync kept && echo more >> kept && echo gone > gone && mkdir d && touch d/empty`,
    );
    process.kill(place.daemonPid(at), 'SIGKILL');
    output(`umount -l ${at}`);
    const volume = place.volume();
    expect([volume.readdir('/'), volume.fs.readFileSync('/kept', 'utf8')]).toEqual([['kept'], 'kept\n']);
    expect(place.udax('fsck', 'dax0.0').stdout).toMatch(/: clean\n$/);
    const { used } = volume.statfs();
    volume.create('/all', { size: volume.statfs().free, zero: false }).close();
    expect(used).toBeLessThan(16 * 2 ** 20);
  });

  it('the directory that a program is in stays its directory when it is published', () => {
    const name = 'n'.repeat(150);
    fs.mkdirSync(`${at}/${name}`);
    const script = `cd ${at}/${name} && echo x > f && sync . && pwd && ls && cat f`;
    expect(output(script)).toBe(`${at}/${name}\nf\nx\n`);
  });
});
