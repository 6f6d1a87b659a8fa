import { afterEach } from 'vitest';
import { Bus, type BusOptions, type Region } from '../../src/dax/index.js';
import { memfdBacking, PhysicalMemory } from '../../src/memory/index.js';

export const MiB = 1024 * 1024;
export const GiB = 1024 * MiB;
/** hpa of the first test region. */
export const START = 64 * GiB;

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

/** The errno code that a call throws, or the value that it returns. */
export function outcome(run: () => unknown): unknown {
  try {
    return run() ?? 'ok';
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return error.code;
  }
}

/** A bus without memory and all three drivers loaded. */
export function bareBus(options: BusOptions & { modules?: string[] } = {}): Bus {
  const bus = new Bus(options);
  for (const module of options.modules ?? ['device_dax', 'fsdev_dax', 'kmem']) bus.insmod(module);
  return bus;
}

/** A bus over `bytes` of real memory at START. */
export function realBus(bytes: number, options: BusOptions & { modules?: string[] } = {}): Bus {
  const memory = new PhysicalMemory();
  const backing = memfdBacking('udax-test', bytes);
  memory.insert({ start: START, length: bytes, backing, offset: 0 });
  cleanups.push(
    () => backing.close(),
    () => memory.close(),
  );
  return bareBus({ ...options, memory });
}

export function staticRegion(bus: Bus, size = 64 * MiB, align = 2 * MiB): Region {
  return bus.addRegion({ type: 'device', static: true, start: START, size, align, targetNode: 1 });
}

export function dynamicRegion(
  bus: Bus,
  size = 64 * MiB,
  options: { idle?: boolean; align?: number } = {},
): Region {
  return bus.addRegion({
    type: 'device',
    start: START,
    size,
    align: options.align ?? 2 * MiB,
    targetNode: 1,
    idle: options.idle ?? false,
  });
}

/** dax0.1 in famfs mode over two ranges: 4 MiB at 0x..400000 first, then the 4 MiB in front of them. */
export function twoRangeFsdev(bus: Bus): ReturnType<Bus['device']> & object {
  const region = dynamicRegion(bus, 64 * MiB, { idle: true });
  const front = bus.device('dax0.0')!;
  front.resize(4 * MiB);
  const device = region.createDevice();
  device.resize(4 * MiB);
  front.resize(0);
  device.resize(8 * MiB);
  bus.newId('fsdev_dax', device.name);
  return device;
}
