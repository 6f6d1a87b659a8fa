import type { DevDax, Region } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { PMD_SIZE } from '../../../mm/index.js';
import type { Operation } from '../operation.js';
import type { World } from '../world.js';

/** Regions are added and removed; devices of dynamic regions are made, resized and deleted. */
export const regionOperations: readonly Operation[] = [
  {
    name: 'add_region',
    words: 'REGION',
    group: 'regions',
    offers: ({ bus, scope }) =>
      scope.regions.flatMap((_, id) => (bus.region(id) === undefined ? [[String(id)]] : [])),
    apply: (world, [id]) => world.addRegion(Number(id)),
  },
  {
    name: 'remove_region',
    words: 'REGION',
    group: 'regions',
    offers: ({ bus }) => bus.regions.map(({ id }) => [String(id)]),
    apply: ({ bus }, [id]) => bus.removeRegion(Number(id)),
  },
  {
    name: 'create',
    words: 'REGION',
    group: 'resizing',
    offers: ({ bus, scope }) =>
      dynamicRegions(bus.regions)
        .filter(({ devices }) => devices.length < scope.limits.devices)
        .map(({ id }) => [String(id)]),
    apply: (world, [id]) => {
      regionNumbered(world, id!).createDevice();
    },
  },
  {
    name: 'delete',
    words: 'DEVICE',
    group: 'resizing',
    offers: ({ bus }) => dynamicDevices(bus.devices()).map(({ name }) => [name]),
    apply: (world, [name]) => regionOf(world, name!).deleteDevice(name!),
  },
  {
    name: 'size',
    words: 'DEVICE UNITS',
    group: 'resizing',
    offers: ({ bus, scope }) =>
      dynamicDevices(bus.devices()).flatMap((device) => {
        const all = scope.regions[device.region.id]!.size / PMD_SIZE;
        return [...new Set([0, 1, all])].map((units) => [device.name, String(units)]);
      }),
    apply: (world, [name, units]) => world.device(name!).resize(Number(units) * PMD_SIZE),
  },
  {
    name: 'mapping',
    words: 'DEVICE START+UNITS',
    group: 'resizing',
    offers: ({ bus, scope }) =>
      dynamicDevices(bus.devices()).flatMap((device) => {
        const last = scope.regions[device.region.id]!.size / PMD_SIZE - 1;
        return [
          [device.name, `${last}+1`],
          [device.name, '0+0'],
        ];
      }),
    apply: addMapping,
  },
  {
    name: 'align',
    words: 'DEVICE BYTES',
    group: 'resizing',
    offers: ({ bus }) =>
      dynamicDevices(bus.devices()).map((device) => [
        device.name,
        device.align === 4096 ? '2097152' : '4096',
      ]),
    apply: (world, [name, bytes]) => world.device(name!).setAlign(Number(bytes)),
  },
];

/** Units count from the start of the region. */
function addMapping(world: World, [name, span]: readonly string[]): void {
  const device = world.device(name!);
  const { start, end } = spanOf(device.region.start, span!);
  device.addMapping(start, end);
}

/** Reads `START+UNITS` as bytes, end inclusive. @throws DaxError EINVAL */
export function spanOf(base: number, text: string): { start: number; end: number } {
  const parts = /^(\d+)\+(\d+)$/.exec(text) ?? fail('EINVAL', `${text} is not START+UNITS`);
  const start = base + Number(parts[1]) * PMD_SIZE;
  return { start, end: start + Number(parts[2]) * PMD_SIZE - 1 };
}

function dynamicRegions(regions: readonly Region[]): Region[] {
  return regions.filter(({ isStatic }) => !isStatic);
}

function dynamicDevices(devices: readonly DevDax[]): DevDax[] {
  return devices.filter(({ region }) => !region.isStatic);
}

function regionNumbered({ bus }: World, id: string): Region {
  return bus.region(Number(id)) ?? fail('ENODEV', `there is no region ${id}`);
}

function regionOf(world: World, name: string): Region {
  return world.bus.regionOf(world.device(name));
}
