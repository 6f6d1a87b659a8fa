import { Bus } from '../../src/dax/index.js';
import { accessTo, type RegionPlace, Sysfs } from '../../src/sysfs/index.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

export interface TestBus {
  bus: Bus;
  tree: Sysfs;
}

/** A bus without memory: region 0 dynamic (1 GiB at 4 GiB, node 1), region 1 static (512 MiB, node 0); no driver loaded. */
export function makeBus(
  options: { type?: 'device' | 'kmem'; idle?: boolean; place?: RegionPlace } = {},
): TestBus {
  const bus = new Bus({ autoOnline: 'offline' });
  bus.addRegion({
    type: options.type ?? 'device',
    start: 4 * GIB,
    size: GIB,
    align: 2 * MIB,
    targetNode: 1,
    idle: options.idle ?? false,
  });
  bus.addRegion({
    type: 'device',
    static: true,
    start: 6 * GIB,
    size: 512 * MIB,
    align: 2 * MIB,
    targetNode: 0,
  });
  const tree = new Sysfs(accessTo(bus), options.place ? { place: options.place } : {});
  return { bus, tree };
}

export function loadDrivers(bus: Bus): void {
  for (const name of ['device_dax', 'fsdev_dax', 'kmem']) bus.insmod(name);
}
