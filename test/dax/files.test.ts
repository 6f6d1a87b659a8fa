import { describe, expect, it } from 'vitest';
import { checkInvariants, type OpenFile } from '../../src/dax/index.js';
import { bareBus, dynamicRegion, GiB, MiB, outcome, realBus, START, staticRegion } from './support.js';

const shared = { prot: 'rw', type: 'shared' } as const;

describe('opening a device file', () => {
  it('follows the driver: ENXIO unbound or kmem, EINVAL with O_DIRECT, ENOENT when gone', () => {
    const bus = bareBus({ memoryBlockBytes: 4 * MiB });
    staticRegion(bus);
    expect(outcome(() => bus.open('dax0.0', { direct: true }))).toBe('EINVAL');
    bus.unbind('device_dax', 'dax0.0');
    expect(outcome(() => bus.open('dax0.0', { direct: true }))).toBe('ENXIO');
    bus.open('dax0.0', { path: true }).close();
    bus.newId('kmem', 'dax0.0');
    expect(outcome(() => bus.open('dax0.0'))).toBe('ENXIO');
    bus.removeRegion(0);
    expect(outcome(() => bus.open('dax0.0'))).toBe('ENOENT');
  });

  it('works through any node with the number', () => {
    const bus = bareBus();
    staticRegion(bus);
    expect(bus.openDevt('251:0').device.name).toBe('dax0.0');
    expect(outcome(() => bus.openDevt('251:7'))).toBe('ENXIO');
  });

  it('an fd of an unbound device is dead for good: a rebind does not revive it', () => {
    const bus = bareBus();
    staticRegion(bus);
    const file = bus.open('dax0.0');
    const vma = file.mmap({ ...shared, offset: 0, length: 2 * MiB });
    expect(vma.store(0, 1).ok).toBe(true);
    bus.unbind('device_dax', 'dax0.0');
    expect(vma.load(0)).toMatchObject({ ok: false, signal: 'SIGBUS', code: 'BUS_ADRERR', offset: 0 });
    expect(outcome(() => bus.open('dax0.0'))).toBe('ENXIO');
    bus.bind('device_dax', 'dax0.0');
    expect(vma.load(0).ok).toBe(false);
    expect(outcome(() => file.mmap({ ...shared, offset: 0, length: 2 * MiB }))).toBe('ENXIO');
    expect([file.lseek(5, 'cur'), outcome(() => file.read(1))]).toEqual([0, 'EINVAL']);
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('counts on the module, twice, until file and mappings are gone', () => {
    const bus = bareBus();
    staticRegion(bus);
    const file = bus.open('dax0.0');
    const vma = file.mmap({ ...shared, offset: 0, length: 2 * MiB });
    file.close();
    expect(bus.modules[0]).toMatchObject({ name: 'device_dax', refcount: 2 });
    expect(outcome(() => bus.rmmod('device_dax'))).toBe('EAGAIN');
    vma.munmap();
    expect(bus.modules[0]?.refcount).toBe(0);
    bus.rmmod('device_dax');
    expect(outcome(() => bus.rmmod('device_dax'))).toBe('ENOENT');
  });
});

describe('calls on a device file', () => {
  it.each(['device_dax', 'fsdev_dax'])('of %s answer as no file does', (driver) => {
    const bus = bareBus({ modules: [driver] });
    staticRegion(bus);
    bus.newId(driver, 'dax0.0');
    const file = bus.open('dax0.0', { access: 'ro' });
    const writable = bus.open('dax0.0');
    const calls: [string, () => unknown][] = [
      ['EINVAL', () => file.read(1)],
      ['EBADF', () => file.write(1)],
      ['ENOTTY', () => file.ioctl(0x5401)],
      ['ENODEV', () => writable.fallocate()],
      ['EBADF', () => file.fallocate()],
      ['EINVAL', () => writable.fallocate(0, 0)],
      ['EINVAL', () => file.ftruncate()],
      ['EINVAL', () => file.fsync()],
    ];
    for (const [code, call] of calls) expect(outcome(call)).toBe(code);
    expect([file.lseek(-1, 'set'), file.ioctl(0x5421), file.poll()]).toEqual([0, 0, ['in', 'out']]);
    file.close();
    expect(outcome(() => file.lseek(0, 'set'))).toBe('EBADF');
  });

  it('mmap of fsdev_dax is ENODEV after the generic checks', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    staticRegion(bus);
    bus.newId('fsdev_dax', 'dax0.0');
    const file = bus.open('dax0.0');
    const map = (options: Partial<Parameters<OpenFile['mmap']>[0]>): unknown =>
      outcome(() => file.mmap({ ...shared, offset: 0, length: 2 * MiB, ...options }));
    expect(map({})).toBe('ENODEV');
    expect(map({ length: 0 })).toBe('EINVAL');
    expect(map({ offset: 100 })).toBe('EINVAL');
    expect(map({ type: 'shared_validate', sync: true })).toBe('EOPNOTSUPP');
    expect(map({ type: 'private' })).toBe('ENODEV');
    expect(
      outcome(() => bus.open('dax0.0', { access: 'ro' }).mmap({ ...shared, offset: 0, length: MiB })),
    ).toBe('EACCES');
  });
});

describe('mmap of device_dax', () => {
  function opened(access: 'ro' | 'wo' | 'rw' = 'rw') {
    const bus = bareBus();
    staticRegion(bus);
    return bus.open('dax0.0', { access });
  }

  it('is shared only, in units of align, by the rights of the fd', () => {
    const file = opened();
    expect(outcome(() => file.mmap({ offset: 0, length: 2 * MiB, prot: 'r', type: 'private' }))).toBe(
      'EINVAL',
    );
    expect(outcome(() => file.mmap({ ...shared, offset: 0, length: 4096 }))).toBe('EINVAL');
    expect(outcome(() => file.mmap({ ...shared, offset: 0, length: 2 * MiB, address: 2 ** 40 + 4096 }))).toBe(
      'EINVAL',
    );
    expect(file.mmap({ ...shared, offset: 0, length: 2 * MiB }).address % (2 * MiB)).toBe(0);
    expect(outcome(() => opened('wo').mmap({ offset: 0, length: 2 * MiB, prot: 'w', type: 'shared' }))).toBe(
      'EACCES',
    );
    const readOnly = opened('ro').mmap({ offset: 0, length: 2 * MiB, prot: 'r', type: 'shared' });
    expect(readOnly.store(0, 1)).toEqual({ ok: false, signal: 'SIGSEGV', code: 'SEGV_ACCERR', offset: 0 });
    expect(outcome(() => readOnly.mprotect(0, 2 * MiB, 'rw'))).toBe('EACCES');
  });

  it('does not look at the size: access at the end or in a hole is SIGBUS', () => {
    const vma = opened().mmap({ ...shared, offset: 62 * MiB, length: 4 * MiB });
    expect(vma.load(2 * MiB - 1).ok).toBe(true);
    expect(vma.load(2 * MiB)).toMatchObject({ ok: false, signal: 'SIGBUS', offset: 2 * MiB });
    const odd = opened().mmap({ ...shared, offset: MiB, length: 2 * MiB, address: 2 ** 40 });
    expect(odd.load(0)).toMatchObject({ signal: 'SIGBUS' });
  });

  it('is split, grown and advised by the rules', () => {
    const vma = opened().mmap({ ...shared, offset: 0, length: 8 * MiB });
    expect(outcome(() => vma.munmap(4096, 4096))).toBe('EINVAL');
    expect(outcome(() => vma.mremap(16 * MiB))).toBe('EFAULT');
    expect(outcome(() => vma.msync())).toBe('EINVAL');
    vma.munmap(2 * MiB, 2 * MiB);
    expect(vma.load(2 * MiB)).toMatchObject({ signal: 'SIGSEGV', code: 'SEGV_MAPERR' });
    vma.mprotect(4 * MiB, 2 * MiB, 'r');
    expect([vma.store(4 * MiB, 1).ok, vma.store(6 * MiB, 1).ok]).toEqual([false, true]);
    for (const [advice, code] of [
      ['dontneed', []],
      ['free', 'EINVAL'],
      ['collapse', 'EINVAL'],
      ['remove', 'ENODEV'],
    ])
      expect(outcome(() => vma.madvise(0, 2 * MiB, advice as string))).toEqual(code);
    expect(outcome(() => vma.madvise(0, 8 * MiB, 'nohugepage'))).toBe('ENOMEM');
    expect(vma.load(0)).toMatchObject({ signal: 'SIGBUS' });
    expect(outcome(() => vma.madvise(0, 2 * MiB, 'populate_read'))).toBe('EFAULT');
  });

  it('takes advice and protection for a part of it, whole units only', () => {
    const vma = opened().mmap({ ...shared, offset: 0, length: 8 * MiB });
    const codes = (calls: (() => unknown)[]) => calls.map(outcome);
    expect(
      codes([
        () => vma.madvise(4096, 4096, 'nohugepage'),
        () => vma.madvise(4096, 4096, 'hugepage'),
        () => vma.madvise(1, 4096, 'dontneed'),
        () => vma.mprotect(4096, 4096, 'r'),
        () => vma.mprotect(4096, 4096, 'rw'),
        () => vma.munmap(0, 0),
        () => vma.madvise(0, 2 * MiB, 'juggle'),
      ]),
    ).toEqual(['EINVAL', [], 'EINVAL', 'EINVAL', 'ok', 'EINVAL', 'EINVAL']);
    vma.madvise(0, 2 * MiB, 'nohugepage');
    expect([vma.load(0).ok, vma.load(2 * MiB).ok]).toEqual([false, true]);
    vma.mprotect(4 * MiB, 4 * MiB, 'r');
    expect(outcome(() => vma.madvise(4 * MiB, 2 * MiB, 'populate_write'))).toBe('EINVAL');
    expect(outcome(() => vma.madvise(4 * MiB, 2 * MiB, 'populate_read'))).toEqual([]);
  });

  it('is not in a forked child where MADV_DONTFORK said so', () => {
    const vma = opened().mmap({ ...shared, offset: 0, length: 4 * MiB });
    vma.madvise(0, 2 * MiB, 'dontfork');
    const child = vma.fork();
    expect([child.load(0), child.load(2 * MiB).ok]).toEqual([
      { ok: false, signal: 'SIGSEGV', code: 'SEGV_MAPERR', offset: 0 },
      true,
    ]);
    child.munmap();
    expect(vma.load(0).ok).toBe(true);
  });

  it('holds one reference a unit, given back by munmap and by unbind', () => {
    const bus = bareBus();
    staticRegion(bus);
    const file = bus.open('dax0.0');
    const first = file.mmap({ ...shared, offset: 0, length: 4 * MiB, populate: true });
    const second = first.fork();
    second.load(0);
    const pfn = START / 4096;
    expect([bus.pages.refcount(pfn), bus.pages.refcount(pfn + 512)]).toEqual([2, 1]);
    expect(bus.pages.describe(pfn + 5)).toMatchObject({ order: 9, mapping: { name: '/dev/dax0.0' } });
    first.munmap();
    expect(checkInvariants(bus)).toEqual([]);
    bus.unbind('device_dax', 'dax0.0');
    expect(bus.pages.describe(pfn)).toMatchObject({ refcount: 0, mapping: null, order: 9 });
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('follows the order of the ranges', () => {
    const bus = realBus(16 * MiB);
    const region = dynamicRegion(bus, 16 * MiB, { idle: true });
    const device = region.createDevice();
    device.addMapping(START + 8 * MiB, START + 10 * MiB - 1);
    device.addMapping(START, START + 2 * MiB - 1);
    bus.bind('device_dax', device.name);
    const vma = bus.open(device.name).mmap({ ...shared, offset: 0, length: 4 * MiB });
    vma.store(1, 11);
    vma.fill(22, 2 * MiB);
    expect([bus.memory!.bytes(START + 8 * MiB, 2)[1], bus.memory!.bytes(START, 1)[0]]).toEqual([11, 22]);
  });
});

describe('a real mapping', () => {
  it('is the memory itself, bounds checked, and has length 0 once the device is unbound', () => {
    const bus = realBus(16 * MiB);
    dynamicRegion(bus, 16 * MiB);
    const file = bus.open('dax0.0');
    for (const [offset, length] of [
      [0, 18 * MiB],
      [4096, 2 * MiB],
      [0, 0],
      [-2 * MiB, 2 * MiB],
    ])
      expect(outcome(() => file.map({ offset: offset!, length: length!, writable: true }))).toBe('EINVAL');
    const mapping = file.map({ offset: 2 * MiB, length: 4 * MiB, writable: true });
    const bytes = new Uint8Array(mapping.buffer);
    bytes[5] = 77;
    expect(bus.memory!.bytes(START + 2 * MiB, 8)[5]).toBe(77);
    expect(bus.pages.refcount(START / 4096 + 512)).toBe(1);
    bus.unbind('device_dax', 'dax0.0');
    expect([bytes.length, mapping.alive, bus.pages.refcount(START / 4096 + 512)]).toEqual([0, false, 0]);
    expect(outcome(() => file.map({ offset: 0, length: 2 * MiB, writable: true }))).toBe('ENXIO');
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('gives its pins back when it is closed, once', () => {
    const bus = realBus(16 * MiB);
    dynamicRegion(bus, 16 * MiB);
    const file = bus.open('dax0.0', { access: 'ro' });
    expect(outcome(() => file.map({ offset: 0, length: 2 * MiB, writable: true }))).toBe('EACCES');
    const mapping = file.map({ offset: 0, length: 16 * MiB, writable: false });
    file.close();
    mapping.close();
    mapping.close();
    expect(bus.pages.stats().sections).toBe(0);
    expect(bus.openFiles.size).toBe(0);
  });
});

describe('a device of 1 GiB align', () => {
  it('is mapped in whole gibibytes', () => {
    const bus = bareBus();
    bus.addRegion({ type: 'device', start: START, size: 2 * GiB, align: GiB, targetNode: 0 });
    const file = bus.open('dax0.0');
    expect(outcome(() => file.mmap({ ...shared, offset: 0, length: 2 * MiB }))).toBe('EINVAL');
    const vma = file.mmap({ ...shared, offset: 0, length: 3 * GiB });
    expect([vma.load(2 * GiB - 1).ok, vma.load(2 * GiB).ok]).toEqual([true, false]);
    expect(bus.pages.describe(START / 4096 + 2 ** 18 + 9)).toMatchObject({ order: 18, refcount: 1 });
  });
});
