// Memory is damaged during use: a page fails, the driver is unbound, the file is replaced or removed, the disk under it is full.
// The process must live, the error must be exact, and other files must keep working. (For a file that is cut:
// test/famfs/volume/cut.test.ts, test/mounts/cut-region.test.ts.)
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createQueue,
  fsck,
  type Machine,
  mkfs,
  mountFamfs,
  openMachine,
  openQueue,
  type Queue,
  type Volume,
  type VolumeFile,
} from '../../src/index.js';

import { because, have, noMounts, Place } from '../mounts/support.js';
import { mapper } from './mapper.js';

const MIB = 2 ** 20;
const PAGE = 4096;

/** A machine whose volume is used in every way a process can. */
class Use {
  readonly directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-damage-'));
  readonly memory = path.join(this.directory, 'state', 'regions', '0.mem');
  readonly machine: Machine;
  readonly volume: Volume;
  readonly hit: VolumeFile;
  readonly view: Uint8Array;
  readonly other: VolumeFile;
  readonly otherView: Uint8Array;
  readonly queue: Queue;

  constructor() {
    this.machine = openMachine(path.join(this.directory, 'state'), { create: true });
    this.machine.createRegion({ size: 64 * MIB });
    this.machine.reconfigure('dax0.0', 'famfs');
    mkfs(this.machine.device('dax0.0'));
    this.volume = mountFamfs(this.machine.device('dax0.0'));
    const { volume } = this;
    this.hit = volume.create('/hit', { size: 4 * MIB });
    this.view = this.hit.map({ writable: true });
    this.other = volume.create('/other', { size: MIB });
    this.otherView = this.other.map({ writable: true });
    this.view.fill(1);
    this.otherView.fill(2);
    createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
    this.queue = openQueue(volume, '/q', { role: 'both' });
    this.queue.tryPut(new Uint8Array(48).fill(3));
  }

  /** The result of each use after the damage: `ok`, or the error's code. */
  answers(): Record<string, string> {
    const { volume, hit, other, queue } = this;
    const bytes = new Uint8Array(PAGE);
    const acts: Record<string, () => unknown> = {
      'read the page': () => hit.read(bytes, MIB),
      'read beside it': () => hit.read(bytes, 0),
      'write part of the page': () => hit.write(bytes.subarray(0, 9), MIB + 5),
      'map it': () => hit.map({ offset: MIB, length: PAGE }),
      'check its memory': () => hit.checkMemory(),
      'read another file': () => other.read(bytes, 0),
      'write another file': () => other.write(bytes, 0),
      'map another file': () => other.map(),
      'open a file': () => volume.open('/other').close(),
      mkdir: () => volume.mkdir('/d'),
      create: () => volume.create('/new', { size: PAGE }).close(),
      get: () => queue.tryGet(),
      refresh: () => volume.refresh(),
    };
    const answers: Record<string, string> = {};
    for (const [name, act] of Object.entries(acts)) {
      try {
        act();
        answers[name] = 'ok';
      } catch (error) {
        answers[name] = (error as { code?: string }).code ?? String(error);
      }
    }
    return answers;
  }

  close(): void {
    this.queue.close();
    this.volume.close();
    this.machine.close();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

const ALL_WELL = {
  'read the page': 'ok',
  'read beside it': 'ok',
  'write part of the page': 'ok',
  'map it': 'ok',
  'check its memory': 'ok',
  'read another file': 'ok',
  'write another file': 'ok',
  'map another file': 'ok',
  'open a file': 'ok',
  mkdir: 'ok',
  create: 'ok',
  get: 'ok',
  refresh: 'ok',
};

interface Damage {
  readonly what: string;
  act(use: Use): void;
  /** The answers that differ from those of an intact volume. */
  readonly answers: Record<string, string>;
  /** Remaining bytes of the view of the damaged file, and of the other one. */
  readonly views: readonly [number, number];
}

const gone = {
  ...Object.fromEntries(Object.keys(ALL_WELL).map((name) => [name, 'ENXIO'])),
  'check its memory': 'EIO',
};

const damages: readonly Damage[] = [
  {
    what: 'one page of a file fails',
    act: ({ machine, volume }) => {
      const { extents } = volume.getmap('/hit');
      machine.memoryFailure({ device: 'dax0.0', offset: extents[0]!.offset + MIB, length: PAGE });
    },
    // A partial write stores its bytes, as fsdev's recovery write does. The page stays bad until it is written completely.
    answers: { 'read the page': 'EIO', 'map it': 'EIO' },
    views: [0, MIB],
  },
  {
    what: 'the driver is unbound',
    act: ({ machine }) => void machine.disable('dax0.0', { force: true }),
    answers: gone,
    views: [0, 0],
  },
  {
    what: 'the memory file is replaced by another',
    act: ({ memory }) => {
      fs.writeFileSync(`${memory}.new`, '');
      fs.truncateSync(`${memory}.new`, 64 * MIB);
      fs.renameSync(`${memory}.new`, memory);
    },
    answers: {},
    views: [4 * MIB, MIB],
  },
  {
    what: 'the memory file is removed',
    act: ({ memory }) => fs.rmSync(memory),
    answers: {},
    views: [4 * MIB, MIB],
  },
];

describe('damage under a process that uses a volume', () => {
  let use: Use;
  beforeEach(() => {
    use = new Use();
  });
  afterEach(() => use.close());

  for (const { what, act, answers, views } of damages) {
    it(`${what}: the process lives, the error is exact, other files keep working`, () => {
      act(use);
      expect([use.view.length, use.otherView.length]).toEqual(views);
      expect(use.answers()).toEqual({ ...ALL_WELL, ...answers });
    });
  }

  it('one page of a file fails: a whole write over it makes it good again, and fsck finds nothing', () => {
    damages[0]!.act(use);
    expect(fsck(use.machine.device('dax0.0')).errors.map(({ code }) => code)).toEqual(['file-memory']);
    expect(use.hit.write(new Uint8Array(PAGE), MIB)).toBe(PAGE);
    expect(use.hit.read(new Uint8Array(PAGE), MIB)).toBe(PAGE);
    expect(fsck(use.machine.device('dax0.0')).errors).toEqual([]);
  });

  it('a machine whose memory file was replaced gives new users the new memory: no file system, and no bytes of the old', () => {
    damages[2]!.act(use);
    const machine = openMachine(use.machine.root);
    try {
      expect(() => mountFamfs(machine.device('dax0.0'), { readOnly: true })).toThrow(
        expect.objectContaining({ code: 'EINVAL' }),
      );
    } finally {
      machine.close();
    }
  });
});

describe.skipIf(noMounts !== '')(`damage under a mount${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
    const volume = place.volume();
    for (const name of ['/hit', '/other']) volume.create(name, { size: 4 * MIB }).close();
  });
  afterEach(() => place.close());

  it('one page of a file fails: a read of it is EIO, all else is served, the daemon lives', async () => {
    const { extents } = place.volume().getmap('/hit');
    const at = place.mount();
    const pid = place.daemonPid(at);
    expect(place.udax('poison', 'dax0.0', String(extents[0]!.offset + MIB), '4096').status).toBe(0);
    const page = (name: string, offset: number) => {
      const fd = fs.openSync(`${at}/${name}`, 'r');
      try {
        return fs.readSync(fd, Buffer.alloc(PAGE), 0, PAGE, offset);
      } finally {
        fs.closeSync(fd);
      }
    };
    expect(() => page('hit', MIB)).toThrow(expect.objectContaining({ code: 'EIO' }));
    expect(page('other', MIB)).toBe(PAGE);
    fs.writeFileSync(`${at}/new`, 'x');
    expect(fs.existsSync(`/proc/${pid}`)).toBe(true);
    expect(place.udax('umount', at).status).toBe(0);
  });

  it('the memory file is removed: the mount goes on with the memory it has, and is unmounted', () => {
    const at = place.mount();
    fs.writeFileSync(`${at}/before`, 'x');
    fs.rmSync(path.join(place.root, 'regions', '0.mem'));
    expect(fs.readFileSync(`${at}/before`, 'utf8')).toBe('x');
    expect(fs.readFileSync(`${at}/other`).length).toBe(4 * MIB);
    fs.writeFileSync(`${at}/after`, 'y');
    expect(place.udax('umount', at).status).toBe(0);
  });

  it.skipIf(!have('python3'))(
    '(needs python3) another process wants to unbind or destroy the device: EBUSY names the daemon, and open, mapped and new files go on',
    async () => {
      const at = place.mount();
      const pid = place.daemonPid(at);
      const storeMore = await mapper(place, `${at}/hit`);
      const open = fs.openSync(`${at}/other`, 'r+');
      for (const words of [
        ['disable-device', 'dax0.0'],
        ['reconfigure-device', '-f', '-m', 'devdax', 'dax0.0'],
        ['reconfigure-device', '-f', '-m', 'system-ram', 'dax0.0'],
        ['destroy-device', '-f', 'dax0.0'],
        ['destroy-region', '-f', '0'],
        ['mkfs', '-f', 'dax0.0'],
      ]) {
        const { status, stderr } = place.udax(...words);
        const refused = expect.stringMatching(new RegExp(`pid ${pid}.*EBUSY`, 's'));
        expect([words.join(' '), status, stderr]).toEqual([words.join(' '), 1, refused]);
      }
      expect(fs.writeSync(open, Buffer.alloc(PAGE, 4), 0, PAGE, MIB)).toBe(PAGE);
      expect(fs.readSync(open, Buffer.alloc(PAGE), 0, PAGE, MIB)).toBe(PAGE);
      fs.closeSync(open);
      expect(await storeMore()).toBe('7 9');
      fs.writeFileSync(`${at}/new`, 'x');
      expect(place.udax('umount', at).status).toBe(0);
    },
  );
});
