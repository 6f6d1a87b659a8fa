import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/dax/index.js';
import { bareBus, dynamicRegion, MiB, outcome, START, staticRegion, twoRangeFsdev } from './support.js';

describe('a probe that fails', () => {
  it.each(['device_dax', 'fsdev_dax', 'kmem'])('of %s leaves nothing, whichever step it is', (driver) => {
    for (let step = 0; ; step++) {
      const bus = bareBus({ modules: ['device_dax', 'fsdev_dax', 'kmem'], memoryBlockBytes: 4 * MiB });
      const region = dynamicRegion(bus, 64 * MiB, { idle: true });
      const device = region.devices[0]!;
      device.addMapping(START, START + 8 * MiB - 1);
      device.addMapping(START + 16 * MiB, START + 24 * MiB - 1);
      bus.platform.failProbeAtStep = step;
      bus.newId(driver, 'dax0.0');
      const failed = device.driver === null;
      if (failed) {
        bus.platform.failProbeAtStep = step;
        expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('ENOMEM');
        expect(checkInvariants(bus)).toEqual([]);
        expect(bus.resources.lines()).toEqual([]);
        expect(bus.memoryBlocks.list).toEqual([]);
        bus.bind(driver, 'dax0.0');
      }
      expect(device.driver).toBe(driver);
      if (!failed) {
        expect(step).toBeGreaterThan(3);
        break;
      }
    }
  });

  it('for a claimed range is EBUSY, every time, and says so in the log', () => {
    const bus = bareBus();
    bus.resources.request(START + MiB, START + 2 * MiB - 1, 'foreign');
    dynamicRegion(bus);
    for (const driver of ['device_dax', 'device_dax'])
      expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('EBUSY');
    bus.newId('fsdev_dax', 'dax0.0');
    expect(outcome(() => bus.bind('fsdev_dax', 'dax0.0'))).toBe('EBUSY');
    expect(bus.takeLog().slice(0, 2)).toEqual([
      '<4>device_dax dax0.0: mapping0: 0x1000000000-0x1003ffffff could not reserve range',
      '<3>device_dax dax0.0: probe with driver device_dax failed with error -16',
    ]);
  });

  it('under linux-7.2 a dynamic device keeps the page map of a failed device_dax probe: EINVAL for good', () => {
    const bus = bareBus({ quirks: ['linux-7.2'] });
    const foreign = bus.resources.request(START, START + MiB, 'foreign')!;
    dynamicRegion(bus);
    bus.resources.release(foreign);
    bus.newId('fsdev_dax', 'dax0.0');
    for (const driver of ['device_dax', 'fsdev_dax'])
      expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('EINVAL');
  });

  it('for a range that starts inside a page is EINVAL, and undone', () => {
    const bus = bareBus();
    const device = dynamicRegion(bus, 64 * MiB, { idle: true }).devices[0]!;
    device.addMapping(START + 2048, START + 2 * MiB + 2047);
    bus.newId('fsdev_dax', 'dax0.0');
    for (const driver of ['device_dax', 'fsdev_dax'])
      expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('EINVAL');
    expect([bus.resources.lines(), checkInvariants(bus)]).toEqual([[], []]);
  });

  it('of size 0 is ENXIO before any driver is asked, and silent', () => {
    const bus = bareBus();
    dynamicRegion(bus, 64 * MiB, { idle: true });
    for (const driver of ['fsdev_dax', 'kmem']) bus.newId(driver, 'dax0.0');
    for (const driver of ['device_dax', 'fsdev_dax', 'kmem'])
      expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('ENXIO');
    expect(bus.takeLog()).toEqual([]);
  });

  it('of fsdev_dax for a page map that starts after the data is EINVAL', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    bus.addRegion({
      type: 'device',
      static: true,
      start: START,
      size: 64 * MiB,
      align: 2 * MiB,
      targetNode: 1,
      pageMapStart: START + 2 * MiB,
    });
    bus.newId('fsdev_dax', 'dax0.0');
    expect(outcome(() => bus.bind('fsdev_dax', 'dax0.0'))).toBe('EINVAL');
    expect(checkInvariants(bus)).toEqual([]);
  });
});

describe('devres', () => {
  it('releases in reverse what a probe acquired', () => {
    const bus = bareBus();
    const device = twoRangeFsdev(bus);
    const { devres } = device.binding!;
    expect(devres.acquired).toEqual([
      'page map',
      'range 0',
      'range 1',
      'page map owner',
      'pages',
      'folio state',
      'data offset',
      'char device',
      'dax operations',
      'alive',
    ]);
    bus.unbind('fsdev_dax', device.name);
    expect(devres.settled).toBe(true);
  });

  it('a rebind of either driver finds the same device, without ranges claimed in between', () => {
    const bus = bareBus();
    staticRegion(bus);
    for (let turn = 0; turn < 3; turn++) {
      expect(bus.resources.lines().length).toBe(1);
      bus.unbind('device_dax', 'dax0.0');
      expect(bus.resources.lines()).toEqual([]);
      bus.bind('device_dax', 'dax0.0');
    }
  });
});
