// The file system under a sparse region fills up while the region is mapped, written, served by FUSE. A store that finds no memory
// is a fatal SIGBUS. Right: each access finds out before, the error is ENOSPC, what has memory works on, and nobody dies.
// What went wrong: a file that grows by doubling was refused where the doubled size found no memory and the needed one did;
// `udax mount` said of a full disk only "MountRecords.add() failed".
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fsck, openMachine } from '../../src/index.js';
import { canMountTmpfs } from '../machine/support.js';
import { because, have, MIB, Place } from '../mounts/support.js';
import { mapper } from './mapper.js';

const why = because || (canMountTmpfs ? '' : ' (skipped: no tmpfs can be mounted here)');
const PAGE = 4096;

/** `ok`, or the error's code. */
function answer(act: () => unknown): string {
  try {
    act();
    return 'ok';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

describe.skipIf(why !== '')(`the file system under a sparse region is full${why}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.onTmpfs(24 * MIB);
    place.makeVolume('64MiB');
  });
  afterEach(() => place.close());

  /** Leaves this much free, and where that is nothing, no room for a name either. */
  const fillUp = (leave = 0) => {
    const { bavail, bsize } = fs.statfsSync(place.root);
    fs.writeFileSync(path.join(place.root, 'filler'), Buffer.alloc(bavail * bsize - leave));
    if (leave > 0) return;
    answer(() => {
      for (let i = 0; ; i++) fs.writeFileSync(path.join(place.root, `filler-${i}`), 'x');
    });
    expect(fs.statfsSync(place.root).bavail).toBe(0);
  };
  const giveRoom = () => {
    for (const name of fs.readdirSync(place.root))
      if (name.startsWith('filler')) fs.rmSync(path.join(place.root, name));
  };
  const errorsOfFsck = () => {
    const machine = openMachine(place.root);
    try {
      return fsck(machine.device('dax0.0')).errors;
    } finally {
      machine.close();
    }
  };

  it('the library: files with memory are read, written and mapped; a new one is ENOSPC; with room again all is well', () => {
    const volume = place.volume();
    const file = volume.create('/a', { size: 2 * MIB });
    const view = file.map({ writable: true });
    fillUp();
    view.fill(5);
    const bytes = new Uint8Array(PAGE);
    const acts = {
      read: () => file.read(bytes, MIB),
      write: () => file.write(bytes, 0),
      map: () => file.map({ offset: MIB, length: PAGE }),
      mkdir: () => volume.mkdir('/d'),
      create: () => volume.create('/big', { size: 32 * MIB }),
      list: () => volume.readdir('/'),
      refresh: () => volume.refresh(),
    };
    const answers = Object.fromEntries(Object.entries(acts).map(([name, act]) => [name, answer(act)]));
    const well = { read: 'ok', write: 'ok', map: 'ok', mkdir: 'ok', list: 'ok', refresh: 'ok' };
    expect(answers).toEqual({ ...well, create: 'ENOSPC' });
    expect(view[MIB]).toBe(5);
    expect(volume.readdir('/')).toEqual(['a', 'd']);
    giveRoom();
    volume.create('/small', { size: 2 * MIB }).close();
    expect(errorsOfFsck()).toEqual([]);
  });

  it('a region whose file has lost its pages: a load is ENOSPC too, not a signal', () => {
    const volume = place.volume();
    volume.create('/a', { size: 4 * MIB }).close();
    const { extents } = volume.getmap('/a');
    volume.close();
    const fd = fs.openSync(path.join(place.root, 'regions', '0.mem'), 'r+');
    // A file that is cut and made longer again has holes there.
    fs.ftruncateSync(fd, extents[0]!.offset + MIB);
    fs.ftruncateSync(fd, 64 * MIB);
    fs.closeSync(fd);
    fillUp();
    const again = place.volume();
    const file = again.open('/a', { writable: true });
    const bytes = new Uint8Array(PAGE);
    expect(file.read(bytes, 0)).toBe(PAGE);
    for (const act of [
      () => file.read(bytes, 2 * MIB),
      () => file.write(bytes, 2 * MIB),
      () => file.map({ offset: 2 * MIB, length: PAGE }),
    ])
      expect(answer(act)).toBe('ENOSPC');
    const at = place.root;
    giveRoom();
    expect(file.read(bytes, 2 * MIB)).toBe(PAGE);
    expect(fs.existsSync(at)).toBe(true);
  });

  it('a file that grows takes what it needs where twice as much finds no memory', () => {
    const growing = place.volume().inodes.grow('/g', { mode: 0o644, uid: 0, gid: 0 });
    growing.write(Buffer.alloc(4 * MIB, 1), 0);
    fillUp(3 * MIB);
    expect(growing.write(Buffer.alloc(MIB, 2), 4 * MIB)).toBe(MIB);
    expect(answer(() => growing.write(Buffer.alloc(4 * MIB), 5 * MIB))).toBe('ENOSPC');
    growing.end();
  });

  it.skipIf(!have('python3'))(
    '(needs python3) a mount: what has memory is served and mapped, a new file is ENOSPC at write or close, the daemon lives',
    async () => {
      const volume = place.volume();
      for (const name of ['/a', '/b']) volume.create(name, { size: 4 * MIB }).close();
      volume.close();
      const at = place.mount();
      const pid = place.daemonPid(at);
      const storeMore = await mapper(place, `${at}/a`);
      const growing = fs.openSync(`${at}/growing`, 'w');
      fs.writeSync(growing, Buffer.alloc(MIB, 1));
      fillUp();
      expect(answer(() => fs.writeFileSync(growing, Buffer.alloc(4 * MIB, 2)))).toBe('ENOSPC');
      expect(answer(() => fs.closeSync(growing))).toBe('ENOSPC');
      expect(answer(() => fs.writeFileSync(`${at}/too-big`, Buffer.alloc(8 * MIB)))).toBe('ENOSPC');
      expect(fs.readFileSync(`${at}/b`).length).toBe(4 * MIB);
      const fd = fs.openSync(`${at}/b`, 'r+');
      expect(fs.writeSync(fd, Buffer.alloc(PAGE, 8), 0, PAGE, MIB)).toBe(PAGE);
      fs.closeSync(fd);
      fs.mkdirSync(`${at}/d`);
      expect(fs.readdirSync(at).sort()).toEqual(['a', 'b', 'd']);
      expect(await storeMore()).toBe('7 9');
      expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
      giveRoom();
      fs.writeFileSync(`${at}/now`, Buffer.alloc(MIB, 3));
      expect(place.udax('umount', at).status).toBe(0);
      expect(place.volume().readdir('/').sort()).toEqual(['a', 'b', 'd', 'now']);
      expect(errorsOfFsck()).toEqual([]);
    },
  );

  it('a new mount is refused with the file that found no space; the directory is not mounted', () => {
    fillUp();
    const at = place.mountpoint();
    const { status, stderr } = place.udax('mount', 'dax0.0', at);
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/cannot write .*mounts\/.*no space left.*ENOSPC/),
    ]);
    expect(fs.readFileSync('/proc/self/mounts', 'utf8')).not.toContain(` ${at} `);
  });
});
