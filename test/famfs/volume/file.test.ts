import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  deviceMedia,
  type Fmap,
  Log,
  LogAppender,
  type NewLogEntry,
  type Volume,
} from '../../../src/famfs/index.js';
import { collectNow } from '../../../src/memory/full-collection.js';
import { HPA, type Machine, MIB, PAGE, Pool, pattern, UNIT } from './support.js';

const coded = (code: string) => expect.objectContaining({ code });

describe('an open file', () => {
  let pool: Pool;
  let machine: Machine;
  let volume: Volume;
  beforeEach(() => {
    pool = new Pool();
    machine = pool.machine();
    volume = pool.mountOn(machine);
  });
  afterEach(() => pool.close());

  it('maps to exactly its size, and always to the same view', () => {
    const file = volume.create('/a', { size: 4097 });
    const view = file.map();
    expect(view.length).toBe(4097);
    expect(file.map()).toBe(view);
    expect(volume.open('/a').map().buffer).toBe(view.buffer);
  });

  it('maps a part that starts anywhere', () => {
    const file = volume.create('/a', { size: 3 * PAGE });
    file.write(pattern(3 * PAGE), 0);
    expect(file.map({ offset: 4000, length: 200 })).toEqual(pattern(3 * PAGE).subarray(4000, 4200));
    expect(file.map({ offset: 2 * PAGE })).toEqual(pattern(3 * PAGE).subarray(2 * PAGE));
  });

  it('maps as numbers, when offset and length are whole ones', () => {
    const file = volume.create('/a', { size: 82 });
    const floats = file.mapAs(Float64Array, { length: 80, writable: true });
    floats[3] = 1.5;
    expect(file.mapAs(Float64Array, { offset: 24, length: 8 })[0]).toBe(1.5);
    expect(file.mapAs(DataView).getFloat64(24, true)).toBe(1.5);
    expect(() => file.mapAs(Float64Array)).toThrow(coded('EINVAL'));
    expect(() => file.mapAs(Float64Array, { offset: 4, length: 8 })).toThrow(coded('EINVAL'));
  });

  it('maps as a Buffer without a warning', () => {
    const warnings: unknown[] = [];
    const listen = (warning: unknown) => warnings.push(warning);
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(listen);
    const view = volume.create('/a', { size: 5 }).mapAs(Buffer);
    warn.mockRestore();
    expect([Buffer.isBuffer(view), view.length, warnings]).toEqual([true, 5, []]);
  });

  it('reads and writes bytes only: wider arrays are EINVAL', () => {
    const file = volume.create('/a', { size: 80 });
    const wide = new Float64Array(2) as unknown as Uint8Array;
    expect(() => file.read(wide, 0)).toThrow(coded('EINVAL'));
    expect(() => file.write(wide, 0)).toThrow(coded('EINVAL'));
  });

  it('windows walk it in parts, the last one shorter', () => {
    const file = volume.create('/a', { size: 2 * UNIT + 5 });
    const windows = [...file.windows({ size: UNIT })];
    expect(windows.map(({ length }) => length)).toEqual([UNIT, UNIT, 5]);
    expect(() => [...file.windows({ size: 0 })]).toThrow(coded('EINVAL'));
  });

  it('over 4 GiB in one view is ERANGE that names windows()', () => {
    const big = new Pool({ size: 6 * 2 ** 30 });
    const file = big.mount().create('/big', { size: 5 * 2 ** 30, zero: false });
    expect(() => file.map()).toThrow(/windows\(\)/);
    expect(() => file.map()).toThrow(coded('ERANGE'));
    expect([...file.windows({ size: 2 ** 32 })].map(({ length }) => length)).toEqual([2 ** 32, 2 ** 30]);
    big.close();
  });

  it('a stray store into a read-only view never reaches the file', () => {
    const file = volume.create('/a', { size: 10 });
    // A store that the type does not allow.
    (file.map() as Uint8Array)[0] = 7;
    const bytes = new Uint8Array(1);
    file.read(bytes, 0);
    expect(bytes[0]).toBe(0);
  });

  it('opened with writable: false it does not write', () => {
    volume.create('/a', { size: 10 });
    const file = volume.open('/a', { writable: false });
    expect(() => file.write(pattern(1), 0)).toThrow(coded('EBADF'));
    expect(() => file.map({ writable: true })).toThrow(coded('EBADF'));
  });

  it('writing at or past the end is ENOSPC and writes nothing', () => {
    const file = volume.create('/a', { size: 10 });
    expect(() => file.write(pattern(11), 0)).toThrow(coded('ENOSPC'));
    expect(() => file.write(pattern(1), 10)).toThrow(coded('ENOSPC'));
    expect(file.map()).toEqual(new Uint8Array(10));
  });

  it('close ends its views; another handle on the same span keeps the memory', () => {
    const file = volume.create('/a', { size: 2 * PAGE });
    const view = file.map();
    const part = file.map({ offset: PAGE + 2, length: 3 });
    const other = volume.open('/a');
    const kept = other.map({ offset: PAGE + 2, length: 3 });
    file.close();
    file.close();
    expect(view.length).toBe(0);
    expect(part).toBe(kept);
    expect(kept.length).toBe(3);
    other.close();
    expect(kept.length).toBe(0);
    expect(() => file.map()).toThrow(coded('EBADF'));
    expect(machine.memory.stats().mappings).toBe(0);
    const pfn = (HPA + file.fmap.extents[0]!.offset) / PAGE;
    expect(machine.dax.pages.describe(pfn)).toMatchObject({ refcount: 0, mapping: null, order: 0 });
  });

  // What went wrong: only a mapped handle kept the pages, so open + map + close beside a reader made them anew each time.
  it('keeps the pages of the file until the last handle is closed, mapped or not', () => {
    const reader = volume.create('/a', { size: 3 * PAGE });
    const pfn = (HPA + reader.fmap.extents[0]!.offset) / PAGE;
    const other = volume.open('/a');
    other.map();
    expect(machine.dax.pages.describe(pfn)).toMatchObject({ refcount: 1 });
    other.close();
    expect(machine.memory.stats().mappings).toBe(0);
    expect(machine.dax.pages.describe(pfn).mapping).not.toBeNull();
    reader.close();
    expect(machine.dax.pages.describe(pfn)).toMatchObject({ refcount: 0, mapping: null });
  });

  // What went wrong: what was made for such a listener gave the inode back a second time when it was collected.
  it('asked about losses after its close does not give up a use that another handle has', async () => {
    const reader = volume.create('/a', { size: 3 * PAGE });
    const view = reader.map();
    const pfn = (HPA + reader.fmap.extents[0]!.offset) / PAGE;
    for (let i = 0; i < 3; i++) {
      const other = volume.open('/a');
      other.close();
      expect(other.lost.aborted).toBe(false);
      other.onLost(() => {});
      other.close();
    }
    for (let turn = 0; turn < 5; turn++) {
      collectNow();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(view.length).toBe(3 * PAGE);
    reader.close();
    expect(view.length).toBe(0);
    expect(machine.dax.pages.describe(pfn)).toMatchObject({ refcount: 0, mapping: null });
  });

  it('volume.close ends the views of handles nobody closed', () => {
    const view = volume.create('/a', { size: 10 }).map();
    volume.open('/a').map();
    volume.close();
    expect(view.length).toBe(0);
    expect(machine.memory.stats().mappings).toBe(0);
  });

  // What went wrong: the file released a use that the volume had already released, and so ended a view of another volume.
  it('a file that is closed after its volume leaves the views of others alone', () => {
    volume.create('/a', { size: 10 }).close();
    const other = pool.mountOn(machine);
    const [file, view] = [volume.open('/a'), other.open('/a').map()];
    file.map();
    volume.close();
    file.close();
    expect(view.length).toBe(10);
    other.close();
    expect(view.length).toBe(0);
  });

  // What went wrong: with two views of one span, unmap() ended only one use, and neither view got length 0.
  it('unmap ends all views of the span that this handle gave out', () => {
    const file = volume.create('/a', { size: 3 * PAGE });
    const views = [
      file.map({ length: 10 }),
      file.map({ length: 20 }),
      file.map({ offset: PAGE, length: 20 }),
    ];
    file.unmap(views[0]!);
    expect(views.map(({ length }) => length)).toEqual([0, 0, 20]);
  });

  it('disabling the device ends all views and tells them; later calls are ENXIO; the process lives', () => {
    const file = volume.create('/a', { size: UNIT });
    const views = [file.map(), file.map({ writable: true })];
    const told: string[] = [];
    file.onLost((error) => told.push(error.code));
    machine.bus.unbind('fsdev_dax', 'dax0.0');
    expect(views.map(({ length }) => length)).toEqual([0, 0]);
    expect(told).toEqual(['ENXIO', 'ENXIO']);
    expect(machine.held).toEqual([]);
    for (const act of [
      () => file.map(),
      () => file.read(new Uint8Array(1), 0),
      () => volume.readdir('/'),
      () => volume.create('/b', { size: 1 }),
      () => volume.refresh(),
    ]) {
      expect(act).toThrow(coded('ENXIO'));
    }
    file.close();
    volume.close();
    machine.bus.bind('fsdev_dax', 'dax0.0');
    expect(pool.mountOn(machine).stat('/a').size).toBe(UNIT);
  });

  it('poison fails the files that own it, and only those', () => {
    const hit = volume.create('/hit', { size: 2 * UNIT });
    const spared = volume.create('/spared', { size: UNIT });
    const [gone, stays] = [hit.map(), spared.map()];
    const told: string[] = [];
    hit.onLost((error) => told.push(error.code));
    const { offset } = hit.fmap.extents[0]!;
    machine.bus.memoryFailure(HPA + offset + UNIT, PAGE);
    expect(gone.length).toBe(0);
    expect(stays.length).toBe(UNIT);
    expect(told).toEqual(['EIO']);
    expect(() => hit.read(new Uint8Array(PAGE), UNIT)).toThrow(coded('EIO'));
    expect(() => hit.map()).toThrow(coded('EIO'));
    expect(hit.read(new Uint8Array(UNIT), 0)).toBe(UNIT);
    expect(hit.map({ length: UNIT }).length).toBe(UNIT);
    hit.write(pattern(PAGE), UNIT);
    expect(hit.map().subarray(UNIT, UNIT + PAGE)).toEqual(pattern(PAGE));
  });
});

/** Appends entries that udax never writes. */
function appendRaw(pool: Pool, volume: Volume, ...entries: NewLogEntry[]): void {
  const appender = new LogAppender(Log.open(deviceMedia(pool.machine()), volume.superblock));
  for (const entry of entries) appender.append(entry);
  volume.refresh();
}

describe('a clone', () => {
  it('shares its memory, and both files map', () => {
    const pool = new Pool();
    const volume = pool.mount();
    const file = volume.create('/a', { size: UNIT });
    file.write(pattern(100), 0);
    appendRaw(pool, volume, {
      kind: 'file',
      path: 'b',
      size: UNIT,
      uid: 0,
      gid: 0,
      mode: 0o644,
      fmap: file.fmap,
    });
    const clone = volume.open('/b');
    const views = [file.map({ length: UNIT - 5 }), clone.map(), clone.map({ offset: 5, length: 10 })];
    for (const view of views.slice(0, 2)) expect(view.subarray(0, 100)).toEqual(pattern(100));
    file.close();
    expect(clone.map().length).toBe(UNIT);
    volume.close();
    pool.close();
  });
});

describe('a file on a device that is not here', () => {
  it('is listed with its place, and opening it is ENODEV that names the device', () => {
    const pool = new Pool();
    const volume = pool.mount();
    const uuid = 'aaaaaaaa-0000-4000-8000-00000000000b';
    const fmap: Fmap = { type: 'simple', extents: [{ devindex: 1, offset: 0, length: UNIT }] };
    appendRaw(
      pool,
      volume,
      { kind: 'add_daxdev', size: 64 * MIB, uuid, daxIndex: 1 },
      { kind: 'file', path: 'far', size: 10, uid: 0, gid: 0, mode: 0o644, fmap },
    );
    expect(volume.stat('/far').size).toBe(10);
    expect(volume.getmap('/far').extents).toEqual(fmap.extents);
    expect(volume.devices[1]).toEqual({ size: 64 * MIB, uuid });
    for (const options of [{}, { writable: true }, { writable: false }]) {
      const open = () => volume.open('/far', options);
      expect(open).toThrow(coded('ENODEV'));
      expect(open).toThrow(uuid);
    }
    pool.close();
  });
});
