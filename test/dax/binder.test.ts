import { describe, expect, it } from 'vitest';
import type { Bus } from '../../src/dax/index.js';
import { bareBus, dynamicRegion, MiB, START, staticRegion } from './support.js';

/** dax0.0, dax1.0 and dax2.0, bound to device_dax in this order. */
function threeDevices(): Bus {
  const bus = bareBus({ modules: ['device_dax'] });
  for (const at of [1, 2, 3])
    bus.addRegion({ type: 'device', start: START * at, size: 16 * MiB, align: 2 * MiB, targetNode: 1 });
  bus.takeUevents();
  return bus;
}

const told = (bus: Bus) => bus.takeUevents().map(({ action, device }) => `${action} ${device.name}`);

describe('unloading a driver', () => {
  it('unbinds its devices, the one bound last first', () => {
    const bus = threeDevices();
    bus.unbind('device_dax', 'dax0.0');
    bus.bind('device_dax', 'dax0.0');
    bus.takeUevents();
    bus.rmmod('device_dax');
    expect(told(bus)).toEqual(['unbind dax0.0', 'unbind dax2.0', 'unbind dax1.0']);
    expect(bus.devices().map(({ driver }) => driver)).toEqual([null, null, null]);
  });

  it('says nothing of a device that was unbound before', () => {
    const bus = threeDevices();
    bus.unbind('device_dax', 'dax1.0');
    bus.takeUevents();
    bus.rmmod('device_dax');
    expect(told(bus)).toEqual(['unbind dax2.0', 'unbind dax0.0']);
  });
});

describe('a device that two drivers match', () => {
  it('is bound to the one that was loaded first, and the other is not asked', () => {
    const bus = bareBus({ modules: ['fsdev_dax', 'device_dax'] });
    bus.newId('fsdev_dax', 'dax0.0');
    dynamicRegion(bus);
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
    expect([told(bus), bus.takeLog()]).toEqual([['add dax0.0', 'bind dax0.0'], []]);
  });

  it('stays with its driver when the other is loaded, or gets an id', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    bus.newId('fsdev_dax', 'dax0.0');
    dynamicRegion(bus);
    bus.takeUevents();
    bus.insmod('device_dax');
    bus.newId('device_dax', 'dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
    expect([told(bus), bus.takeLog()]).toEqual([[], []]);
  });

  it('goes to the second when the probe of the first fails', () => {
    const bus = bareBus({ modules: ['fsdev_dax', 'device_dax'] });
    bus.newId('fsdev_dax', 'dax0.0');
    bus.platform.failProbeAtStep = 2;
    dynamicRegion(bus);
    expect(bus.device('dax0.0')?.driver).toBe('device_dax');
    expect(bus.takeLog()).toEqual(['<3>fsdev_dax dax0.0: probe with driver fsdev_dax failed with error -12']);
  });
});

describe('a bound device', () => {
  it('is the seed of its own region no more; the seed of another region stays', () => {
    const bus = bareBus({ modules: ['device_dax'] });
    const first = dynamicRegion(bus, 64 * MiB, { idle: true });
    const second = bus.addRegion({
      type: 'device',
      start: START * 2,
      size: 64 * MiB,
      align: 2 * MiB,
      targetNode: 1,
      idle: true,
    });
    for (const region of [first, second]) region.createDevice();
    expect([first.seed?.name, second.seed?.name]).toEqual(['dax0.1', 'dax1.1']);
    bus.device('dax1.1')!.resize(2 * MiB);
    bus.bind('device_dax', 'dax1.1');
    expect([first.seed?.name, second.seed]).toEqual(['dax0.1', null]);
  });

  it('has nothing to show for cleared pages after device_dax, and its ranges after fsdev_dax', () => {
    const bus = bareBus({ modules: ['device_dax', 'fsdev_dax'] });
    staticRegion(bus, 8 * MiB);
    const device = bus.device('dax0.0')!;
    bus.unbind('device_dax', 'dax0.0');
    expect(device.cleared).toEqual([]);
    bus.newId('fsdev_dax', 'dax0.0');
    bus.unbind('fsdev_dax', 'dax0.0');
    expect(device.cleared.map(({ start, end }) => [start, end])).toEqual([[START, START + 8 * MiB - 1]]);
  });
});

describe('a probe', () => {
  it('of a device without memory is refused by the name of the device', () => {
    const bus = bareBus();
    dynamicRegion(bus, 64 * MiB, { idle: true });
    expect(() => bus.bind('device_dax', 'dax0.0')).toThrow(
      expect.objectContaining({ code: 'ENXIO', path: 'dax0.0' }),
    );
  });

  it('that meets a fault of the program is not taken for a refusal, and leaves the device unbound', () => {
    const bus = bareBus({ modules: [] });
    dynamicRegion(bus);
    const { resources } = bus;
    const fault = new TypeError('not a resource');
    const request = resources.request.bind(resources);
    resources.request = () => {
      throw fault;
    };
    expect(() => bus.insmod('device_dax')).toThrow(fault);
    expect(bus.device('dax0.0')?.driver).toBeNull();
    expect(bus.takeLog().at(-1)).toBe(
      '<3>device_dax dax0.0: probe with driver device_dax failed with error TypeError: not a resource',
    );
    resources.request = request;
    bus.bind('device_dax', 'dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('device_dax');
  });
});

describe('a device bound again (kernel 7.2)', () => {
  it.each([
    [['kernel72-rebind-open-file'], true, true],
    [['kernel72-rebind-open-file'], false, false],
    [[], true, false],
  ])('with quirks %j, a file open: %j, has a corrupt node: %j', (quirks, isOpen, isCorrupt) => {
    const bus = bareBus({ quirks, modules: ['device_dax'] });
    staticRegion(bus);
    if (isOpen) bus.open('dax0.0');
    bus.unbind('device_dax', 'dax0.0');
    bus.bind('device_dax', 'dax0.0');
    bus.removeRegion(0);
    expect(bus.incidents.map(({ quirk, text }) => [quirk, text])).toEqual(
      isCorrupt
        ? [['kernel72-rebind-open-file', 'dax0.0: removing its node is a list corruption (BUG in cd_forget)']]
        : [],
    );
  });
});
