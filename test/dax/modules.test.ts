import { describe, expect, it } from 'vitest';
import { bareBus, dynamicRegion, MiB, outcome, START, staticRegion } from './support.js';

describe('modules', () => {
  it('load once, by the names that there are', () => {
    const bus = bareBus({ modules: ['kmem', 'device_dax'] });
    for (const name of ['nd_pmem', 'hwpoison', 'toString', ''])
      expect(outcome(() => bus.insmod(name))).toBe('ENOENT');
    expect(() => bus.insmod('nd_pmem')).toThrow(/no module nd_pmem/);
    expect(outcome(() => bus.insmod('device_dax'))).toBe('EEXIST');
    expect(bus.modules.map(({ name }) => name)).toEqual(['kmem', 'device_dax']);
  });

  it('that have no driver are listed, and offered no device', () => {
    const bus = bareBus({ modules: ['hwpoison_inject', 'device_dax'] });
    expect(bus.modules.map(({ name, driver }) => [name, driver?.name ?? null])).toEqual([
      ['hwpoison_inject', null],
      ['device_dax', 'device_dax'],
    ]);
    expect(bus.drivers.map(({ name }) => name)).toEqual(['device_dax']);
    expect([bus.driver('hwpoison_inject'), bus.driver('kmem')]).toEqual([undefined, undefined]);
    expect(outcome(() => bus.newId('hwpoison_inject', 'dax0.0'))).toBe('ENODEV');
    bus.rmmod('hwpoison_inject');
    expect(bus.modules.map(({ name }) => name)).toEqual(['device_dax']);
  });

  it('are held, twice, by each file of their own driver only', () => {
    const bus = bareBus({ modules: ['device_dax', 'fsdev_dax'] });
    bus.newId('fsdev_dax', 'dax1.0');
    staticRegion(bus);
    bus.autoprobe = false;
    bus.addRegion({ type: 'device', start: START * 2, size: 16 * MiB, align: 2 * MiB, targetNode: 2 });
    bus.bind('fsdev_dax', 'dax1.0');
    const refcounts = () => bus.modules.map(({ refcount }) => refcount);
    const files = ['dax1.0', 'dax1.0', 'dax0.0'].map((name) => bus.open(name));
    expect(refcounts()).toEqual([2, 4]);
    expect(() => bus.rmmod('fsdev_dax')).toThrow(/fsdev_dax is in use by 2 open files/);
    files[2]!.close();
    expect(refcounts()).toEqual([0, 4]);
    bus.rmmod('device_dax');
    for (const file of files.slice(0, 2)) file.close();
    expect(refcounts()).toEqual([0]);
    bus.rmmod('fsdev_dax');
  });

  it('unload without a word to the devices of others', () => {
    const bus = bareBus({ memoryBlockBytes: 4 * MiB });
    dynamicRegion(bus);
    bus.addRegion({ type: 'kmem', start: START * 2, size: 16 * MiB, align: 2 * MiB, targetNode: 2 });
    bus.takeUevents();
    bus.rmmod('device_dax');
    expect(bus.devices().map(({ driver }) => driver)).toEqual([null, 'kmem']);
    expect(bus.takeUevents().map(({ action, device }) => [action, device.name])).toEqual([
      ['unbind', 'dax0.0'],
    ]);
  });

  it('that a restored state has too stay as they are: same driver, same ids, held by the same files', () => {
    const bus = bareBus({ modules: ['kmem', 'device_dax', 'fsdev_dax'] });
    staticRegion(bus);
    const drivers = [...bus.drivers];
    const file = bus.open('dax0.0');
    bus.restore(bus.snapshot());
    expect(bus.drivers.every((driver, at) => driver === drivers[at])).toBe(true);
    expect(bus.modules.map(({ refcount }) => refcount)).toEqual([0, 2, 0]);
    expect(outcome(() => bus.rmmod('device_dax'))).toBe('EAGAIN');
    file.close();
    bus.rmmod('device_dax');
  });

  it('that a restored state lacks are gone, though a file was open; its end disturbs nobody', () => {
    const bus = bareBus({ modules: ['device_dax'] });
    const before = bareBus({ modules: ['kmem'] }).snapshot();
    staticRegion(bus);
    const file = bus.open('dax0.0');
    bus.restore(before);
    expect(bus.modules.map(({ name }) => name)).toEqual(['kmem']);
    file.close();
    expect(bus.modules.map(({ refcount }) => refcount)).toEqual([0]);
  });
});
