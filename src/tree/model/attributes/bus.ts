/** `bus/dax/`: devices, drivers, probing. Also `module/`, because drivers link to it. */
import {
  type Bus,
  busStores,
  type DaxDriver,
  type DevDax,
  driverStores,
  type Module,
} from '../../../dax/index.js';
import {
  type AttributeRow,
  attributes,
  type DirectoryNode,
  directory,
  type Entries,
  emptyDirectory,
  largeDirectory,
  link,
} from '../node.js';
import { BUS_PATH, devicePath, driverPath, type RegionPlace } from '../place.js';
import { parseSyntheticUevent } from '../uevents.js';
import { relativeTarget } from '../walk.js';

/** Checks only that the store is well formed: it causes no uevent of a dax device. */
function checkUevent(_subject: unknown, text: string): void {
  parseSyntheticUevent(text);
}

const BUS_ATTRIBUTES: readonly AttributeRow<Bus>[] = [
  {
    name: 'drivers_autoprobe',
    mode: 0o644,
    show: (bus) => (bus.autoprobe ? '1\n' : '0\n'),
    store: (bus, text) => busStores.drivers_autoprobe(bus, text),
  },
  { name: 'drivers_probe', mode: 0o200, store: (bus, text) => busStores.drivers_probe(bus, text) },
  { name: 'uevent', mode: 0o200, store: checkUevent },
];

interface DriverSubject {
  readonly bus: Bus;
  readonly driver: DaxDriver;
}

function driverStore(name: keyof typeof driverStores): AttributeRow<DriverSubject> {
  return {
    name,
    mode: 0o200,
    store: ({ bus, driver }, text) => driverStores[name](bus, driver.name, text),
  };
}

const DRIVER_ATTRIBUTES: readonly AttributeRow<DriverSubject>[] = [
  driverStore('bind'),
  driverStore('new_id'),
  driverStore('remove_id'),
  { name: 'uevent', mode: 0o200, store: checkUevent },
  driverStore('unbind'),
];

const MODULE_ATTRIBUTES: readonly AttributeRow<Module>[] = [
  { name: 'initstate', mode: 0o444, show: () => 'live\n' },
  { name: 'refcnt', mode: 0o444, show: (module) => `${module.refcount}\n` },
  { name: 'taint', mode: 0o444, show: () => '\n' },
  { name: 'uevent', mode: 0o200, store: checkUevent },
];

export function busDirectory(bus: Bus, place: RegionPlace): DirectoryNode {
  return directory(() => [
    ['devices', devicesDirectory(bus, place)],
    [
      'drivers',
      directory(() => bus.drivers.map((driver) => [driver.name, driverDirectory(bus, driver, place)])),
    ],
    ...attributes(BUS_ATTRIBUTES, bus),
  ]);
}

function devicesDirectory(bus: Bus, place: RegionPlace): DirectoryNode {
  const here = `${BUS_PATH}/devices`;
  const linkTo = (device: DevDax) => link(relativeTarget(here, devicePath(place, device)));
  return largeDirectory(
    () => bus.devices().map((device) => [device.name, linkTo(device)]),
    (name) => {
      const device = bus.device(name);
      return device && linkTo(device);
    },
  );
}

function driverDirectory(bus: Bus, driver: DaxDriver, place: RegionPlace): DirectoryNode {
  const here = driverPath(driver.name);
  return directory(() => {
    const entries: Entries = attributes(DRIVER_ATTRIBUTES, { bus, driver });
    entries.push(['module', link(relativeTarget(here, `module/${driver.name}`))]);
    for (const device of bus.devices()) {
      if (device.driver !== driver.name) continue;
      entries.push([device.name, link(relativeTarget(here, devicePath(place, device)))]);
    }
    return entries;
  });
}

export function modulesDirectory(bus: Bus): DirectoryNode {
  return directory(() => bus.modules.map((module) => [module.name, moduleDirectory(bus, module)]));
}

function moduleDirectory(bus: Bus, module: Module): DirectoryNode {
  const drivers = `module/${module.name}/drivers`;
  return directory(() => [
    [
      'drivers',
      directory(() => {
        if (bus.driver(module.name) === undefined) return [];
        return [[`dax:${module.name}`, link(relativeTarget(drivers, driverPath(module.name)))]];
      }),
    ],
    ['holders', emptyDirectory],
    ...attributes(MODULE_ATTRIBUTES, module),
  ]);
}
