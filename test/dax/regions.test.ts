import { describe, expect, it } from 'vitest';
import { deviceStores, regionStores } from '../../src/dax/index.js';
import { bareBus, dynamicRegion, GiB, MiB, outcome, START, staticRegion } from './support.js';

function idle(size = 64 * MiB) {
  const bus = bareBus({ modules: [] });
  const region = dynamicRegion(bus, size, { idle: true });
  return { bus, region, first: region.devices[0]! };
}

describe('create, seed and delete', () => {
  it('a created device is empty, the lowest free instance, the youngest and, if there is none, the seed', () => {
    const { region } = idle();
    const names = [region.createDevice(), region.createDevice(), region.createDevice()].map(
      ({ name }) => name,
    );
    expect(names).toEqual(['dax0.1', 'dax0.2', 'dax0.3']);
    expect([region.seed?.name, region.youngest?.name]).toEqual(['dax0.1', 'dax0.3']);
    region.deleteDevice('dax0.2');
    region.deleteDevice('dax0.3');
    expect([region.seed?.name, region.youngest]).toEqual(['dax0.1', null]);
    expect(region.createDevice().name).toBe('dax0.2');
    region.deleteDevice('dax0.1');
    expect([region.seed, region.youngest?.name]).toEqual([null, 'dax0.2']);
  });

  it('the seed goes when it is bound, not when its probe fails', () => {
    const { bus, region } = idle();
    const device = region.createDevice();
    bus.insmod('device_dax');
    expect(outcome(() => bus.bind('device_dax', device.name))).toBe('ENXIO');
    expect(region.seed).toBe(device);
    device.resize(2 * MiB);
    bus.bind('device_dax', device.name);
    expect(region.seed).toBeNull();
  });

  it('create refuses everything but 1, and a full region', () => {
    const { region, first } = idle();
    for (const text of ['1', '1\n', '01', '0x1', '+1', '1\0junk']) regionStores.create(region, text);
    for (const text of ['0', '2', '-1', ' 1', '1 ', '1x', '\n', '1\n\n'])
      expect(outcome(() => regionStores.create(region, text))).toBe('EINVAL');
    expect(outcome(() => regionStores.create(region, '99999999999999999999'))).toBe('ERANGE');
    first.resize(64 * MiB);
    expect(outcome(() => regionStores.create(region, '1'))).toBe('ENOSPC');
    expect(outcome(() => regionStores.create(region, '2'))).toBe('EINVAL');
  });

  it('delete wants an empty, unbound device of this region, and never the first', () => {
    const { region } = idle();
    const device = region.createDevice();
    device.resize(2 * MiB);
    expect(outcome(() => regionStores.delete(region, 'dax0.1'))).toBe('EBUSY');
    device.resize(0);
    expect(outcome(() => regionStores.delete(region, 'dax0.0'))).toBe('EBUSY');
    for (const name of ['dax0.9', 'dax00.1', 'dax0.1 ', '\n', 'foo'])
      expect(outcome(() => regionStores.delete(region, name))).toBe('ENXIO');
    regionStores.delete(region, 'dax0.1\n');
    expect(device.present).toBe(false);
  });
});

describe('size', () => {
  it('checks in the kernel order: number, multiple, bound, space', () => {
    const { bus, region, first } = idle();
    const store = (text: string): unknown => outcome(() => deviceStores.size(first, text));
    expect(store('junk')).toBe('EINVAL');
    expect(store('18446744073709551616')).toBe('ERANGE');
    expect(store('3145728')).toBe('EINVAL');
    expect(store('0x10000000\n\0')).toBe('ENOSPC');
    expect(store('0x400000\n\0')).toBe('ok');
    bus.insmod('device_dax');
    bus.probe('dax0.0');
    expect(store('3145728')).toBe('EINVAL');
    expect(store('4194304')).toBe('EBUSY');
    expect(region.availableSize).toBe(60 * MiB);
  });

  it('knows numbers of 64 bits that are no multiple from those that are too large', () => {
    const { first } = idle();
    const store = (text: string): unknown => outcome(() => deviceStores.size(first, text));
    expect(['18446744073709551615', '0xffffffffffe00000', '18446744073709551616'].map(store)).toEqual([
      'EINVAL',
      'ENOSPC',
      'ERANGE',
    ]);
  });

  it('grows in place at its last range, else by new ranges in order of address', () => {
    const { region, first } = idle();
    first.resize(8 * MiB);
    const second = region.createDevice();
    second.resize(4 * MiB);
    first.resize(0);
    second.resize(16 * MiB);
    expect(second.ranges).toEqual([
      { start: START + 8 * MiB, end: START + 12 * MiB - 1, pageOffset: 0 },
      { start: START, end: START + 8 * MiB - 1, pageOffset: 1024 },
      { start: START + 12 * MiB, end: START + 16 * MiB - 1, pageOffset: 3072 },
    ]);
    second.resize(20 * MiB);
    expect(second.ranges.length).toBe(3);
    second.resize(6 * MiB);
    expect(second.ranges.map(({ start, end }) => [start - START, end - START])).toEqual([
      [8 * MiB, 12 * MiB - 1],
      [0, 2 * MiB - 1],
    ]);
  });
});

describe('mapping', () => {
  it('adds ranges at the end of the list and never merges them', () => {
    const { first } = idle();
    const hex = (at: number): string => (START + at).toString(16);
    const store = (text: string): unknown => outcome(() => deviceStores.mapping(first, text));
    expect(store(`0x${hex(0)}-0x${hex(2 * MiB - 1)}`)).toBe('ok');
    expect(store(`${hex(2 * MiB)}-${hex(4 * MiB - 1)}\n`)).toBe('ok');
    expect(first.ranges.length).toBe(2);
    expect(store(`${hex(0)}-${hex(2 * MiB - 1)}`)).toBe('ENOMEM');
    expect(store(`${hex(63 * MiB)}-${hex(65 * MiB - 1)}`)).toBe('ENOMEM');
    expect(store('0x0-0x1fffff')).toBe('ENOMEM');
    expect(store(`${hex(8 * MiB)}-${hex(9 * MiB - 1)}`)).toBe('ok');
    expect(store(`${hex(8 * MiB)}-${hex(8 * MiB - 1)}`)).toBe('EBUSY');
    for (const text of ['junk', '0x1', '0x1-', '-0x1', '1-2-3', '1 - 2']) expect(store(text)).toBe('EINVAL');
    expect(first.size).toBe(4 * MiB);
  });

  it('written while bound is accepted, unknown to the driver, and unbind stays safe', () => {
    const { bus, first } = idle();
    first.resize(4 * MiB);
    bus.insmod('device_dax');
    bus.insmod('fsdev_dax');
    bus.newId('fsdev_dax', 'dax0.0');
    first.addMapping(START + 8 * MiB, START + 10 * MiB - 1);
    expect(first.size).toBe(6 * MiB);
    const vma = bus.open('dax0.0').mmap({ offset: 0, length: 6 * MiB, prot: 'rw', type: 'shared' });
    expect(vma.load(0).ok).toBe(true);
    expect(vma.load(4 * MiB)).toMatchObject({ ok: false, signal: 'SIGBUS', offset: 4 * MiB });
    bus.unbind('device_dax', 'dax0.0');
    expect(bus.resources.lines()).toEqual([]);
  });
});

describe('align', () => {
  it('takes 4 KiB, 2 MiB and 1 GiB that fit the ranges; what is no number is ENXIO', () => {
    const bus = bareBus({ modules: [] });
    const device = dynamicRegion(bus, GiB).devices[0]!;
    const store = (text: string): unknown => outcome(() => deviceStores.align(device, text));
    for (const text of ['junk', '2M', '-4096']) expect(store(text)).toBe('ENXIO');
    for (const text of ['0', '1', '8192', '4294967296']) expect(store(text)).toBe('EINVAL');
    expect(store('1073741824')).toBe('ok');
    device.setAlign(4096);
    device.resize(512 * MiB);
    expect(store('1073741824')).toBe('EINVAL');
    expect(outcome(() => device.resize(12288))).toBe('EINVAL');
    bus.insmod('device_dax');
    expect(store('4096')).toBe('EBUSY');
    expect(store('3')).toBe('EINVAL');
  });
});

describe('static regions', () => {
  it('have one device of fixed size, and can share an id', () => {
    const bus = bareBus();
    const region = staticRegion(bus, 4 * MiB);
    const sibling = bus.addRegion({
      id: 0,
      type: 'device',
      static: true,
      start: START + 8 * MiB,
      size: 4 * MiB,
      align: 2 * MiB,
      targetNode: 0,
    });
    expect(sibling.devices[0]?.name).toBe('dax0.1');
    const device = region.devices[0]!;
    expect(outcome(() => device.resize(2 * MiB))).toBe('EACCES');
    expect(outcome(() => region.createDevice())).toBe('EACCES');
    expect(outcome(() => dynamicRegion(bus))).not.toBe('EEXIST');
    expect(
      outcome(() =>
        bus.addRegion({ id: 0, type: 'device', start: 0, size: MiB, align: 4096, targetNode: 0 }),
      ),
    ).toBe('EEXIST');
  });

  it('keep their page map for good, without ops and owner when nothing is bound', () => {
    const bus = bareBus();
    const region = staticRegion(bus, 4 * MiB);
    const pageMap = region.pageMap!;
    expect(pageMap).toMatchObject({ type: 'MEMORY_DEVICE_GENERIC', vmemmapShift: 9 });
    bus.unbind('device_dax', 'dax0.0');
    expect(pageMap).toMatchObject({ type: null, ops: null, owner: null });
    bus.newId('fsdev_dax', 'dax0.0');
    expect(pageMap).toMatchObject({ type: 'MEMORY_DEVICE_FS_DAX', vmemmapShift: 0 });
  });
});
