import { describe, expect, it } from 'vitest';
import { bareBus, dynamicRegion, MiB, outcome, START } from './support.js';

describe('a range that starts inside a 2 MiB section', () => {
  it.each(['device_dax', 'fsdev_dax'])(
    'is taken by `mapping`, but no page map of %s can start there',
    (driver) => {
      const bus = bareBus({ modules: [driver] });
      const device = dynamicRegion(bus, 16 * MiB, { idle: true }).createDevice();
      device.addMapping(START + MiB, START + 3 * MiB - 1);
      expect(device.size).toBe(2 * MiB);
      bus.newId(driver, device.name);
      expect(outcome(() => bus.bind(driver, device.name))).toBe('EINVAL');
      expect(bus.resources.lines()).toEqual([]);
    },
  );
});
