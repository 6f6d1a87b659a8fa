import { describe, expect, it } from 'vitest';
import { Bus, checkInvariants } from '../../src/dax/index.js';
import { bareBus, dynamicRegion, MiB, outcome, START, staticRegion } from './support.js';

function lived(): Bus {
  const bus = bareBus({ memoryBlockBytes: 4 * MiB });
  const region = dynamicRegion(bus);
  bus.unbind('device_dax', 'dax0.0');
  bus.device('dax0.0')!.resize(8 * MiB);
  const device = region.createDevice();
  device.resize(8 * MiB);
  region.createDevice();
  bus.newId('fsdev_dax', 'dax0.1');
  device.addMapping(START + 32 * MiB, START + 34 * MiB - 1);
  bus.addRegion({ type: 'kmem', start: START * 2, size: 16 * MiB, align: 2 * MiB, targetNode: 2 });
  bus.addRegion({ type: 'kmem', start: START * 3, size: 8 * MiB, align: 2 * MiB, targetNode: 2 });
  bus.unbind('kmem', 'dax2.0');
  bus.memoryBlocks.setState(bus.memoryBlocks.list[0]!.id, 'offline');
  bus.pages.poison(START / 4096 + 5, 2);
  bus.autoprobe = false;
  return bus;
}

describe('restore', () => {
  it('makes the same bus of a snapshot that went through JSON, without telling anybody', () => {
    const bus = lived();
    const state = JSON.parse(JSON.stringify(bus.snapshot()));
    const copy = new Bus({ memoryBlockBytes: 4 * MiB });
    expect(copy.restore(state)).toEqual([]);
    expect(copy.snapshot()).toEqual(state);
    expect(copy.resources.lines()).toEqual(bus.resources.lines());
    expect(copy.takeUevents()).toEqual([]);
    expect(copy.device('dax0.1')).toMatchObject({ driver: 'fsdev_dax', size: 10 * MiB });
    expect(copy.device('dax0.1')?.dax.size).toBe(8 * MiB);
    expect(checkInvariants(copy)).toEqual([]);
    expect(outcome(() => copy.bind('kmem', 'dax2.0'))).toBe('EBUSY');
  });

  it('of its own state leaves a live bus as it is: same devices, files, holders', () => {
    const bus = lived();
    const before = bus.device('dax0.1')!;
    const file = bus.open('dax0.1');
    const holder = {};
    before.dax.holderGet(holder, { notifyFailure: () => undefined });
    expect(bus.restore(bus.snapshot())).toEqual([]);
    expect(bus.device('dax0.1')).toBe(before);
    expect([file.live, before.dax.holder]).toEqual([true, holder]);
  });

  it('changes only the devices that differ', () => {
    const bus = bareBus();
    dynamicRegion(bus);
    bus.addRegion({ type: 'device', start: START * 2, size: 16 * MiB, align: 2 * MiB, targetNode: 2 });
    const state = bus.snapshot();
    const kept = bus.open('dax1.0');
    const first = bus.device('dax0.0')!;
    const dead = bus.open('dax0.0');
    bus.takeUevents();
    state.regions[0]!.devices[0]!.driver = 'fsdev_dax';
    state.modules.find(({ name }) => name === 'fsdev_dax')!.ids.push('dax0.0');
    expect(bus.restore(state)).toEqual([]);
    expect(bus.device('dax0.0')).toBe(first);
    expect([first.driver, kept.live, dead.live, bus.takeUevents()]).toEqual(['fsdev_dax', true, false, []]);
  });

  it('takes away what is gone and adds what is new', () => {
    const bus = bareBus();
    const empty = bus.snapshot();
    staticRegion(bus);
    const full = bus.snapshot();
    const device = bus.device('dax0.0')!;
    bus.restore(empty);
    expect([bus.devices(), device.present, bus.resources.lines()]).toEqual([[], false, []]);
    bus.restore({ ...full, modules: full.modules.slice(0, 1) });
    expect([bus.device('dax0.0')?.driver, bus.modules.map(({ name }) => name)]).toEqual([
      'device_dax',
      ['device_dax'],
    ]);
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('says what it could not bring about', () => {
    const bus = bareBus();
    staticRegion(bus);
    const state = bus.snapshot();
    const copy = new Bus();
    copy.resources.request(START, START + 10, 'foreign');
    const problems = copy.restore(state);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/dax0\.0: device_dax cannot be bound again/);
    expect(copy.device('dax0.0')?.driver).toBeNull();
  });
});
