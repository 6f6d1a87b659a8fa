import { describe, expect, it } from 'vitest';
import type { Bus } from '../../src/dax/index.js';
import { carving, deviceAt, ModelTree, verbs } from '../../src/tree/index.js';
import { bareBus, dynamicRegion, MiB, outcome, staticRegion } from '../dax/support.js';
import { FailingTree, moveTo } from './support.js';

/** The same code runs on the host's /sys: test/machine/kernel/, test/vm. */
describe('a change of mode', () => {
  it('moves a device from driver to driver, and leaves no id behind', () => {
    const bus = bareBus({ memoryBlockBytes: 4 * MiB, autoOnline: 'offline' });
    staticRegion(bus);
    for (const driver of ['fsdev_dax', 'device_dax', 'kmem', 'device_dax', 'fsdev_dax']) {
      moveTo(bus, 'dax0.0', driver, false);
      expect(bus.device('dax0.0')?.driver).toBe(driver);
    }
    expect(bus.drivers.map(({ name, ids }) => [name, ids])).toEqual([
      ['device_dax', []],
      ['fsdev_dax', ['dax0.0']],
      ['kmem', []],
    ]);
  });

  it('that fails leaves driver and ids as they were (I12)', () => {
    const bus = bareBus({ memoryBlockBytes: 128 * MiB });
    staticRegion(bus, 8 * MiB);
    const before = bus.snapshot();
    expect(outcome(() => moveTo(bus, 'dax0.0', 'kmem'))).toBe('EINVAL');
    expect(bus.snapshot()).toEqual(before);
  });

  it.each(['offline', 'online_kernel', 'online_movable'] as const)(
    'that fails leaves memory that was %s so, whatever the kernel does with new memory',
    (state) => {
      const bus = bareBus({ memoryBlockBytes: 4 * MiB });
      staticRegion(bus);
      moveTo(bus, 'dax0.0', 'kmem');
      for (const { id } of bus.memoryBlocks.list) {
        bus.memoryBlocks.setState(id, 'offline');
        if (state !== 'offline') bus.memoryBlocks.setState(id, state);
      }
      const before = bus.snapshot();
      bus.platform.failProbeAtStep = 2;
      expect(outcome(() => moveTo(bus, 'dax0.0', 'device_dax'))).toBe('ENOMEM');
      expect(bus.snapshot()).toEqual(before);
    },
  );

  it('is done when the driver that it loads takes the device by itself', () => {
    const bus = bareBus({ modules: [] });
    staticRegion(bus);
    const tree = new FailingTree(bus, {});
    verbs.reconfigure(tree, deviceAt(tree, 'dax0.0'), 'devdax', { force: false, online: true });
    expect([bus.device('dax0.0')?.driver, tree.stores]).toEqual(['device_dax', 0]);
  });

  it('refuses to strand memory', () => {
    const bus = bareBus({ memoryBlockBytes: 4 * MiB });
    staticRegion(bus);
    moveTo(bus, 'dax0.0', 'kmem');
    expect(outcome(() => moveTo(bus, 'dax0.0', 'device_dax', false))).toBe('EBUSY');
    expect(bus.device('dax0.0')?.driver).toBe('kmem');
  });

  // A store to new_id makes its driver take every unbound device that it matches.
  it('touches no other device, though the new driver matches it', () => {
    const bus = bareBus();
    const region = dynamicRegion(bus);
    carveTwo(bus);
    bus.newId('fsdev_dax', 'dax0.2');
    moveTo(bus, 'dax0.2', 'fsdev_dax');
    bus.unbind('fsdev_dax', 'dax0.2');
    expect(bus.driver('fsdev_dax')?.ids).toEqual(['dax0.2']);
    moveTo(bus, 'dax0.1', 'fsdev_dax');
    expect(region.devices.map(({ name, driver }) => [name, driver])).toEqual([
      ['dax0.0', null],
      ['dax0.1', 'fsdev_dax'],
      ['dax0.2', null],
    ]);
  });
});

function carveTwo(bus: Bus): void {
  const tree = new ModelTree(bus);
  carving.destroyDevice(tree, deviceAt(tree, 'dax0.0'), { force: true });
  for (const size of [4 * MiB, 8 * MiB]) carving.createDevice(tree, 0, { size, align: undefined });
}

describe('a borrowed mode', () => {
  it('is given back with the memory as it was', () => {
    const bus = bareBus({ memoryBlockBytes: 4 * MiB });
    dynamicRegion(bus, 16 * MiB);
    moveTo(bus, 'dax0.0', 'kmem');
    const [first] = bus.memoryBlocks.list;
    bus.memoryBlocks.setState(first!.id, 'offline');
    const before = bus.snapshot();
    const tree = new ModelTree(bus);
    const place = deviceAt(tree, 'dax0.0');
    const state = verbs.stateOf(tree, place);
    moveTo(bus, 'dax0.0', 'device_dax');
    verbs.restore(tree, place, state);
    expect(bus.snapshot()).toEqual(before);
  });
});

describe('a device that is destroyed', () => {
  it('comes back with its ranges where they were when it cannot be deleted', () => {
    const bus = bareBus();
    dynamicRegion(bus);
    carveTwo(bus);
    const tree = new ModelTree(bus);
    carving.destroyDevice(tree, deviceAt(tree, 'dax0.1'), { force: true });
    bus.unbind('device_dax', 'dax0.2');
    bus.device('dax0.2')!.resize(16 * MiB);
    const ranges = bus.device('dax0.2')!.ranges.map(({ start, end }) => [start, end]);
    const before = bus.snapshot();
    const failing = new FailingTree(bus, { path: /\/delete$/ });
    expect(outcome(() => carving.destroyDevice(failing, deviceAt(tree, 'dax0.2'), { force: true }))).toBe(
      'ENOMEM',
    );
    expect(bus.snapshot()).toEqual(before);
    expect(ranges.length).toBeGreaterThan(0);
  });
});
