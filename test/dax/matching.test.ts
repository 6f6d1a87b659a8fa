import { describe, expect, it } from 'vitest';
import { bareBus, dynamicRegion, outcome, START, staticRegion } from './support.js';

const orders = [
  ['device_dax', 'fsdev_dax', 'kmem'],
  ['fsdev_dax', 'kmem', 'device_dax'],
  ['kmem', 'device_dax', 'fsdev_dax'],
];

describe('matching', () => {
  it.each(orders)(
    'a device-type device goes to device_dax, whatever the load order (%s %s %s)',
    (...modules) => {
      const bus = bareBus({ modules });
      staticRegion(bus);
      expect(bus.device('dax0.0')?.driver).toBe('device_dax');
    },
  );

  it.each(orders)(
    'a kmem-type device goes to kmem, also when drivers come later (%s %s %s)',
    (...modules) => {
      const bus = bareBus({ modules: [] });
      bus.addRegion({ type: 'kmem', start: START, size: 2 ** 28, align: 2 ** 21, targetNode: 1 });
      for (const module of modules) bus.insmod(module);
      expect(bus.device('dax0.0')?.driver).toBe('kmem');
    },
  );

  it('fsdev_dax never binds by itself', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    staticRegion(bus);
    bus.probe('dax0.0');
    expect(bus.device('dax0.0')?.driver).toBeNull();
    expect(outcome(() => bus.bind('fsdev_dax', 'dax0.0'))).toBe('ENODEV');
  });

  it('unloading a driver leaves its devices unbound: nobody else is asked', () => {
    const bus = bareBus();
    staticRegion(bus);
    bus.newId('fsdev_dax', 'dax0.0');
    bus.rmmod('device_dax');
    expect(bus.device('dax0.0')?.driver).toBeNull();
    bus.probe('dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
  });

  it('with autoprobe off nothing is attached by appearing or loading, only on request', () => {
    const bus = bareBus({ modules: ['device_dax'] });
    bus.autoprobe = false;
    staticRegion(bus);
    bus.insmod('fsdev_dax');
    expect(bus.device('dax0.0')?.driver).toBeNull();
    bus.probe('dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('device_dax');
    expect(outcome(() => bus.probe('dax9.9'))).toBe('ENODEV');
  });
});

describe('ids', () => {
  const bad = [
    'dax00.0',
    'dax0.0 ',
    ' dax0.0',
    'dax0.0\n\n',
    'DAX0.0',
    'dax0',
    'dax0.0x',
    'dax2147483648.0',
    'dax-0.0',
    'dax+1.0',
    '',
  ];
  it.each(bad)('the spelling %j is refused', (id) => {
    const bus = bareBus();
    expect(outcome(() => bus.newId('fsdev_dax', id))).toBe('EINVAL');
    expect(outcome(() => bus.removeId('fsdev_dax', id))).toBe('EINVAL');
    expect(bus.driver('fsdev_dax')?.ids).toEqual([]);
  });

  it.each(['dax0.0', 'dax-1.0', 'dax2147483647.12', 'dax3.4\n'])('the spelling %j is taken', (id) => {
    const bus = bareBus();
    bus.newId('fsdev_dax', id);
    expect(bus.driver('fsdev_dax')?.ids).toEqual([id.trim()]);
  });

  it('an id binds all unbound devices its driver matches, not only the one named', () => {
    const bus = bareBus({ modules: [] });
    dynamicRegion(bus);
    bus.insmod('device_dax');
    bus.unbind('device_dax', 'dax0.0');
    bus.newId('device_dax', 'dax5.5');
    expect(bus.device('dax0.0')?.driver).toBe('device_dax');
  });

  it('an id survives its device, which binds again when it returns', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    bus.newId('fsdev_dax', 'dax0.0');
    dynamicRegion(bus);
    bus.removeRegion(0);
    dynamicRegion(bus);
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
  });

  it('removing an id unbinds nothing, and stops nothing that matches by type', () => {
    const bus = bareBus({ modules: ['fsdev_dax', 'device_dax'] });
    bus.newId('fsdev_dax', 'dax0.0');
    dynamicRegion(bus);
    bus.removeId('fsdev_dax', 'dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
    bus.unbind('fsdev_dax', 'dax0.0');
    expect(outcome(() => bus.bind('fsdev_dax', 'dax0.0'))).toBe('ENODEV');
    bus.removeId('device_dax', 'dax0.0');
    bus.bind('device_dax', 'dax0.0');
  });
});

describe('bind and unbind', () => {
  it('answer with the errno of each case', () => {
    const bus = bareBus();
    staticRegion(bus);
    expect(outcome(() => bus.bind('device_dax', 'dax9.0'))).toBe('ENODEV');
    expect(outcome(() => bus.bind('device_dax', 'dax0.0 '))).toBe('ENODEV');
    expect(outcome(() => bus.bind('device_dax', 'dax0.0'))).toBe('EBUSY');
    expect(outcome(() => bus.bind('kmem', 'dax0.0'))).toBe('ENODEV');
    expect(outcome(() => bus.unbind('kmem', 'dax0.0'))).toBe('ENODEV');
    bus.unbind('device_dax', 'dax0.0');
    expect(outcome(() => bus.unbind('device_dax', 'dax0.0'))).toBe('ENODEV');
    bus.bind('device_dax', 'dax0.0');
  });

  it('tell in order: add, bind, unbind, remove, youngest device first', () => {
    const bus = bareBus({ modules: ['device_dax'] });
    const region = dynamicRegion(bus);
    bus.device('dax0.0')?.dax;
    bus.unbind('device_dax', 'dax0.0');
    bus.device('dax0.0')!.resize(2 ** 21);
    region.createDevice();
    bus.bind('device_dax', 'dax0.0');
    bus.removeRegion(region);
    expect(bus.takeUevents().map(({ action, device, driver }) => [action, device.name, driver])).toEqual([
      ['add', 'dax0.0', null],
      ['bind', 'dax0.0', 'device_dax'],
      ['unbind', 'dax0.0', null],
      ['add', 'dax0.1', null],
      ['bind', 'dax0.0', 'device_dax'],
      ['remove', 'dax0.1', null],
      ['unbind', 'dax0.0', null],
      ['remove', 'dax0.0', null],
    ]);
  });
});
