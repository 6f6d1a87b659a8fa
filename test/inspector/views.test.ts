/** What the inspector shows is what the machine and its media have. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fmap, fileOffsetAt, filePieces, resolve } from '../../src/famfs/index.js';
import type { Volume } from '../../src/index.js';
import {
  type ArenaView,
  type BusView,
  CELL_KINDS,
  type FileView,
  type FsckView,
  type LogItem,
  type MapView,
  type ModeCheck,
  type PlaceView,
  type TreeView,
  type VolumeView,
} from '../../src/inspector/wire.js';
import { fill, MIB, makeScene, type Scene } from './support.js';

const UNIT = 2 * MIB;
let scene: Scene;
let volume: Volume;
beforeAll(async () => {
  scene = await makeScene();
  volume = scene.mount();
  fill(volume);
});
afterAll(async () => {
  volume.close();
  await scene.close();
});

const mapOf = (query = '') => scene.get<MapView>(`devices/dax0.0/map?${query}`);
const kindOf = (view: MapView, cell: number) => CELL_KINDS[view.kinds[cell]!];

describe('the bus', () => {
  it('shows regions, devices and who has them open', async () => {
    const bus = await scene.get<BusView>('bus');
    expect(bus.regions.map(({ id, devices }) => [id, devices])).toEqual([
      [0, ['dax0.0']],
      [1, ['dax1.0']],
    ]);
    const [famfs, devdax] = bus.devices;
    expect(famfs).toMatchObject({ mode: 'famfs', driver: 'fsdev_dax' });
    expect(famfs!.holders).toMatchObject([{ pid: process.pid, purpose: 'mount' }]);
    expect(devdax).toMatchObject({ mode: 'devdax', driver: 'device_dax', holders: [] });
  });

  it('explains a refusal before the change is tried, and the change says the same', async () => {
    const check = await scene.get<ModeCheck>('devices/dax0.0/mode?to=devdax');
    expect(check.refusal).toMatchObject({ code: 'EBUSY' });
    expect(check.refusal!.message).toContain(`pid ${process.pid}`);
    const { status, text } = await scene.ask('/api/devices/dax0.0/mode', {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${scene.inspector.port}` },
      body: '{"mode":"devdax"}',
    });
    expect([status, JSON.parse(text).error.code]).toEqual([409, 'EBUSY']);
  });

  it('foresees that a device is too small to be ordinary memory, as the machine says when it is tried', async () => {
    const { refusal } = await scene.get<ModeCheck>('devices/dax1.0/mode?to=system-ram');
    expect(refusal).toMatchObject({ code: 'EINVAL' });
    expect(() => scene.machine.reconfigure('dax1.0', 'system-ram')).toThrow('holds no whole memory block');
    const other = await makeScene({ size: '256MiB' });
    try {
      expect((await other.get<ModeCheck>('devices/dax0.0/mode?to=system-ram')).refusal).toBeNull();
      expect(other.machine.reconfigure('dax0.0', 'system-ram').mode).toBe('system-ram');
    } finally {
      await other.close();
    }
  });

  it('changes the mode of a device that nobody uses', async () => {
    const other = await makeScene();
    try {
      expect((await other.get<ModeCheck>('devices/dax1.0/mode?to=famfs')).refusal).toBeNull();
      const { status } = await other.ask('/api/devices/dax1.0/mode', {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: `http://127.0.0.1:${other.inspector.port}` },
        body: '{"mode":"famfs"}',
      });
      expect(status).toBe(200);
      expect(other.machine.deviceInfo('dax1.0').mode).toBe('famfs');
    } finally {
      await other.close();
    }
  });
});

describe('the memory map', () => {
  it('gives each unit to the file whose extents name it', async () => {
    const view = await mapOf('cells=64');
    expect([view.cellBytes, view.kinds.length]).toEqual([UNIT, 64]);
    expect(view.kinds.slice(0, 5).map((kind) => CELL_KINDS[kind])).toEqual(new Array(5).fill('metadata'));
    const owners = new Map<number, string>();
    for (const path of ['/models/weights.bin', '/models/odd', '/striped', '/kv']) {
      const { extents } = volume.getmap(path);
      for (const { offset, length } of extents)
        for (let at = offset; at < offset + length; at += UNIT) owners.set(at / UNIT, path);
    }
    for (let cell = 5; cell < view.kinds.length; cell++) {
      const path = owners.get(cell);
      expect(kindOf(view, cell), `unit ${cell}`).toBe(path === undefined ? 'free' : 'file');
      expect(view.owners[cell]).toBe(path === undefined ? 0 : volume.stat(path).ino);
    }
  });

  it('of the whole device in few cells adds up to the same', async () => {
    const [fine, coarse] = [await mapOf('cells=64'), await mapOf('cells=7')];
    const taken = (view: MapView) =>
      view.fills.reduce((sum, fill) => sum + fill, 0) / view.fills.length / 255;
    expect(coarse.kinds.length).toBeLessThanOrEqual(7);
    expect(taken(coarse)).toBeCloseTo(taken(fine), 1);
  });

  it('from any byte on has cells that begin where units do, so that no cell is of two halves', async () => {
    const whole = await mapOf('cells=64');
    const part = await mapOf(`from=${11 * MIB + 4097}&to=${90 * MIB}&cells=40`);
    expect([part.from % UNIT, part.cellBytes]).toEqual([0, UNIT]);
    expect(part.kinds).toEqual(whole.kinds.slice(5, 45));
    const fine = await mapOf(`from=${11 * MIB + 4097}&to=${27 * MIB}&cells=200`);
    expect([fine.from % fine.cellBytes, UNIT % fine.cellBytes]).toEqual([0, 0]);
  });

  it('zooms in to single pages, and shows what lies behind the last byte of a file', async () => {
    const { offset } = volume.getmap('/models/odd').extents[0]!;
    const end = offset + 5 * MIB + 17;
    const from = Math.floor(end / 4096) * 4096 - 4096;
    const view = await mapOf(`from=${from}&to=${from + 4 * 4096}&cells=4`);
    expect(view.cellBytes).toBe(4096);
    expect(view.kinds.map((kind) => CELL_KINDS[kind])).toEqual(['file', 'file', 'slack', 'slack']);
  });

  it('says of any byte which file it is, and where in it', async () => {
    const map = volume.getmap('/striped');
    for (const offset of [0, 3 * MIB, 9 * MIB + 4321]) {
      const piece = resolve(map, offset);
      const place = await scene.get<PlaceView>(`devices/dax0.0/at?offset=${piece.offset}`);
      expect(place).toMatchObject({
        kind: 'file',
        path: '/striped',
        fileOffset: offset,
        strips: 4,
        size: 16 * MIB,
      });
    }
    expect(await scene.get<PlaceView>('devices/dax0.0/at?offset=0')).toMatchObject({
      kind: 'metadata',
      path: null,
    });
  });

  it('shows failed memory to the page, wherever it is', async () => {
    const at = 100 * MIB + 4096;
    scene.machine.memoryFailure({ device: 'dax0.0', offset: at, length: 4096 });
    const view = await mapOf(`from=${100 * MIB}&to=${100 * MIB + 16384}&cells=4`);
    expect(view.kinds.map((kind) => CELL_KINDS[kind])).toEqual(['free', 'poison', 'free', 'free']);
    expect((await scene.get<PlaceView>(`devices/dax0.0/at?offset=${at}`)).folio).toMatchObject({
      isPoisoned: true,
    });
    expect(kindOf(await mapOf('cells=64'), 50)).toBe('poison');
    scene.machine.clearPoison();
    expect(kindOf(await mapOf('cells=64'), 50)).toBe('free');
  });

  it('of a device without a file system says so', async () => {
    const view = await scene.get<MapView>('devices/dax1.0/map');
    expect(view.problem).toContain('devdax mode');
    expect(new Set(view.kinds)).toEqual(new Set([CELL_KINDS.indexOf('raw')]));
  });

  it('shows space that a file in the making has', async () => {
    const stream = volume.createWriteStream('/coming');
    const written = new Promise((done) => stream.write(Buffer.alloc(3 * MIB, 7), done));
    await written;
    expect((await mapOf()).kinds).toContain(CELL_KINDS.indexOf('settling'));
    await new Promise((done) => stream.end(done));
    expect((await mapOf()).kinds).not.toContain(CELL_KINDS.indexOf('settling'));
    volume.fs.unlinkSync('/coming');
  });
});

describe('an inspector in the process that uses the memory', () => {
  it('shows its own mapped folios: order, references, mapping', async () => {
    const other = await makeScene();
    try {
      const { startInspector } = await import('../../src/inspector/index.js');
      const own = await startInspector(other.machine);
      const mine = other.mount();
      try {
        mine.create('/f', { size: UNIT }).close();
        const file = mine.open('/f');
        const view = file.map();
        const at = mine.getmap('/f').extents[0]!.offset;
        const ask = async (): Promise<PlaceView> => {
          const response = await fetch(`http://127.0.0.1:${own.port}/api/devices/dax0.0/at?offset=${at}`, {
            headers: { 'x-udax-token': own.token },
          });
          return (await response.json()) as PlaceView;
        };
        expect((await ask()).folio).toMatchObject({ order: 9, references: 1, isMapped: true });
        expect(view.length).toBe(UNIT);
        file.close();
        expect((await ask()).folio).toMatchObject({ references: 0, isMapped: false });
      } finally {
        mine.close();
        await own.close();
      }
    } finally {
      await other.close();
    }
  });
});

describe('the inverse of a file map', () => {
  it('finds the byte of the file again, for plain and striped files', () => {
    const plain = fc
      .array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 })
      .map((lengths): Fmap => {
        let at = 0;
        const extents = lengths.map((units) => {
          const extent = { devindex: 0, offset: at * UNIT, length: units * UNIT };
          at += units + 1;
          return extent;
        });
        return { type: 'simple', extents: extents.reverse() };
      });
    const striped = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 4 })).map(
      ([nstrips, chunks]): Fmap => ({
        type: 'interleaved',
        nstrips,
        chunkSize: UNIT,
        extents: Array.from({ length: nstrips }, (_, at) => ({
          devindex: 0,
          offset: at * 10 * UNIT,
          length: chunks * UNIT,
        })),
      }),
    );
    fc.assert(
      fc.property(fc.oneof(plain, striped), fc.double({ min: 0, max: 0.999, noNaN: true }), (fmap, share) => {
        const capacity = fmap.extents.reduce((sum, { length }) => sum + length, 0);
        const offset = Math.floor(capacity * share);
        expect(fileOffsetAt(fmap, 0, resolve(fmap, offset).offset)).toBe(offset);
        expect(fileOffsetAt(fmap, 1, resolve(fmap, offset).offset)).toBeNull();
        expect(filePieces(fmap, capacity, 100)!.length).toBeGreaterThan(0);
      }),
    );
  });
});

describe('a volume', () => {
  it('has the figures that its own statfs has', async () => {
    const { space, role, fragments, holders } = await scene.get<VolumeView>('volumes/dax0.0');
    expect(space).toEqual(volume.statfs());
    expect(role).toBe('master');
    expect(fragments.longestFree).toBeGreaterThan(0);
    expect(holders).toMatchObject([{ purpose: 'mount' }]);
  });

  it('lists names with sizes and extents, and a thousand at a time', async () => {
    const { items } = await scene.get<TreeView>('volumes/dax0.0/tree?path=/');
    expect(items.map(({ name, type }) => [name, type])).toContainEqual(['models', 'directory']);
    const below = await scene.get<TreeView>('volumes/dax0.0/tree?path=/models');
    expect(below.items).toMatchObject([
      { name: 'weights.bin', size: 20 * MIB, extents: 1 },
      { name: 'odd', size: 5 * MIB + 17, capacity: 6 * MIB },
    ]);
  });

  it('finds files by a part of their path, and their extents', async () => {
    expect(await scene.get<string[]>('volumes/dax0.0/search?q=eigh')).toEqual(['/models/weights.bin']);
    const file = await scene.get<FileView>('volumes/dax0.0/file?path=/striped');
    expect(file).toMatchObject({ type: 'interleaved', chunkSize: UNIT, size: 16 * MIB });
    expect(file.extents).toEqual(volume.getmap('/striped').extents);
  });

  it('shows the log, the youngest entry first', async () => {
    const log = await scene.get<LogItem[]>('volumes/dax0.0/log?count=500');
    expect(log.map(({ index }) => index)).toEqual(log.map((_, at) => log.length - 1 - at));
    expect(log.at(-1)).toMatchObject({ kind: 'mkdir', path: '/models' });
    expect(log.length).toBe(volume.statfs().logUsed);
  });

  it('is checked by fsck', async () => {
    expect(await scene.get<FsckView>('volumes/dax0.0/fsck')).toMatchObject({ ok: true, errors: [] });
  });

  it('shows removed files as removed, with the path they had', async () => {
    volume.create('/doomed', { size: UNIT }).close();
    const at = volume.getmap('/doomed').extents[0]!.offset;
    volume.fs.unlinkSync('/doomed');
    expect(await scene.get<PlaceView>(`devices/dax0.0/at?offset=${at}`)).toMatchObject({
      kind: 'removed',
      path: '/doomed',
    });
  });
});

describe('arenas', () => {
  it('are found by their first bytes, and their objects listed', async () => {
    expect(await scene.get<string[]>('volumes/dax0.0/arenas')).toEqual(['/kv']);
    const arena = await scene.get<ArenaView>('volumes/dax0.0/arena?path=/kv');
    expect(arena.objects.map(({ name, size, pins }) => [name, size, pins])).toEqual([
      ['first', 1000, 0],
      ['second', 3000, 0],
    ]);
    const file = volume.open('/kv');
    const into = new Uint8Array(1000);
    file.read(into, arena.objects[0]!.position);
    file.close();
    expect(into).toEqual(new Uint8Array(1000).fill(1));
  });

  it('show who has what pinned', async () => {
    const { openArena } = await import('../../src/arena/index.js');
    const arena = openArena(volume, '/kv');
    try {
      const value = arena.get('second')!;
      const seen = await scene.get<ArenaView>('volumes/dax0.0/arena?path=/kv&prefix=sec');
      expect(seen.objects).toMatchObject([{ name: 'second', pins: 1 }]);
      expect(seen.members).toMatchObject([{ pid: process.pid, pins: 1 }]);
      value.release();
    } finally {
      arena.close();
    }
  });
});
