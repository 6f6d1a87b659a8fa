import type { DevDax } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { deviceAt, ModelTree, modeOfDriver, verbs } from '../../../tree/index.js';
import { notifyThread, umountThread, unbindThread } from '../actors/threads.js';
import { type Operation, pairs } from '../operation.js';
import type { World } from '../world.js';

/** A dev_t that no device has. */
const UNKNOWN_DEVT = '251:99';

/** Lookups, helpers that change the mode, and calls that other events overtake. */
export const otherOperations: readonly Operation[] = [
  {
    name: 'lookup',
    words: 'MAJOR:MINOR',
    group: 'lookups',
    offers: () => [[UNKNOWN_DEVT]],
    apply: ({ bus }, [devt]) => {
      if (bus.deviceByDevt(devt!) === undefined) fail('ENXIO', `no device has the number ${devt}`);
    },
  },
  {
    name: 'reconfigure',
    words: 'DEVICE DRIVER',
    group: 'helpers',
    offers: ({ bus }) =>
      pairs(
        bus.devices().map(({ name }) => name),
        bus.drivers.map(({ name }) => name),
      ),
    apply: helper,
  },
  {
    name: 'start_notify',
    words: 'CALL DEVICE UNIT',
    group: 'threads',
    offers: (world) => startable(world, (device) => device.dax.holder !== null, ['0']),
    apply: (world, [call, name, unit]) =>
      world.startThread(call!, `notify ${name} ${unit}`, notifyThread(world.device(name!), Number(unit))),
  },
  {
    name: 'start_umount',
    words: 'CALL FS',
    group: 'threads',
    offers: (world) => {
      const call = world.freeThread();
      const mounted = world.fileSystems.filter(({ device }) => device !== null);
      return call === null ? [] : mounted.map(({ name }) => [call, name]);
    },
    apply: (world, [call, name]) =>
      world.startThread(call!, `umount ${name}`, umountThread(world.fileSystem(name!))),
  },
  {
    name: 'start_unbind',
    words: 'CALL DEVICE DRIVER',
    group: 'threads',
    offers: (world) =>
      startable(world, (device) => device.dax.alive && device.dax.readers > 0, [
        'fsdev_dax',
        'device_dax',
      ]).filter(([, name, driver]) => world.device(name!).driver === driver),
    apply: startUnbind,
  },
  {
    name: 'continue',
    words: 'CALL',
    group: 'threads',
    offers: ({ threads }) => [...threads].flatMap(([name, { pause }]) => (pause.ready() ? [[name]] : [])),
    apply: (world, [call]) => {
      world.stepThread(call!);
      for (const fileSystem of world.fileSystems) fileSystem.takeTold();
    },
  },
];

/**
 * Runs the verb that changes the mode, the same code that runs on a real /sys. It refuses a device in use, as callers of the verb
 * do.
 */
function helper(world: World, [name, driver]: readonly string[]): void {
  const device = world.device(name!);
  if (device.dax.holder !== null || isOpen(world, device))
    fail('EBUSY', `${name} is in use: unmount and close it first`);
  // Separate events load and unload modules, so this verb must not.
  const tree = new ModelTree(world.bus, { modulesAvailable: false });
  const online = driver !== 'kmem';
  verbs.reconfigure(tree, deviceAt(tree, name!), modeOfDriver(driver!), { force: true, online });
}

function isOpen({ bus }: World, device: DevDax): boolean {
  for (const file of bus.openFiles) if (file.device === device) return true;
  return false;
}

function startUnbind(world: World, [call, name, driver]: readonly string[]): void {
  const device = world.device(name!);
  if (device.driver !== driver) fail('ENODEV', `${name} is not bound to ${driver}`);
  world.startThread(call!, `unbind ${driver} ${name}`, unbindThread(world.bus, device, driver!));
}

function startable(world: World, may: (device: DevDax) => boolean, last: readonly string[]): string[][] {
  const call = world.freeThread();
  if (call === null) return [];
  const names = world.bus
    .devices()
    .filter(may)
    .map(({ name }) => name);
  return pairs(names, last).map(([name, word]) => [call, name, word]);
}
