import { fail } from '../libc/index.js';
import { type DaxTree, isThere, namesIn, numberOf, type ReadableTree, refusalOf } from './dax-tree.js';
import { type DevicePlace, driverOf, findDevices } from './devices.js';
import { blocksOf, takeOffline } from './memory-blocks.js';
import type { Undo } from './undo.js';

/** The drivers of the bus, the mode that each gives a device, and the stores (with daxctl's trailing NUL) that bind and unbind. */

/** The three modes of daxctl: driver device_dax, fsdev_dax, kmem. */
export type DeviceMode = 'devdax' | 'famfs' | 'system-ram';

export const driverOfMode: Readonly<Record<DeviceMode, string>> = {
  devdax: 'device_dax',
  famfs: 'fsdev_dax',
  'system-ram': 'kmem',
};

/** The mode of a driver. An unbound device counts as devdax, as daxctl lists it; so does a device with an unknown driver. */
export function modeOfDriver(driver: string | null): DeviceMode {
  if (driver === 'fsdev_dax') return 'famfs';
  return driver === 'kmem' ? 'system-ram' : 'devdax';
}

const DRIVERS = 'bus/dax/drivers';

/** Names of the drivers that are loaded, sorted. */
export function loadedDrivers(tree: ReadableTree): string[] {
  return namesIn(tree, DRIVERS).sort();
}

/**
 * Loads the module of a driver, when the driver is not on the bus. Call it before anything is unbound: a missing module then
 * changes nothing.
 * @throws DaxError ENOENT there is no such module; as DaxTree.loadDriver()
 */
export function ensureDriver(tree: DaxTree, driver: string): void {
  if (isThere(tree, `${DRIVERS}/${driver}`)) return;
  tree.loadDriver(driver);
  if (isThere(tree, `${DRIVERS}/${driver}`)) return;
  fail('ENOENT', `the module of ${driver} is loaded, but the driver is not on the dax bus`, { path: driver });
}

/**
 * Binds a device, and no other. The driver gets the device's id only when it does not match already; `undo` removes that id.
 * @returns true when the driver got the id
 * @throws DaxError EACCES, or the error of the driver's probe
 */
export function bindTo(tree: DaxTree, place: DevicePlace, driver: string, undo: Undo): boolean {
  const bind = () => refusalOf(() => tree.write(`${DRIVERS}/${driver}/bind`, `${place.name}\0`));
  let refusal = bind();
  const isUnknown = refusal?.code === 'ENODEV' && driverOf(tree, place) === null;
  if (isUnknown) {
    // Refused before the id: with it the driver is offered other devices too, and a region's seed that it takes is a seed no more.
    if (numberOf(tree, `${place.directory}/size`) === 0)
      fail('ENXIO', `${place.name} has size 0: give it memory first`, { path: place.name });
    addId(tree, place, driver, undo);
    // The store of the id may have bound the device already. The driver link tells.
    refusal = driverOf(tree, place) === driver ? undefined : bind();
  }
  const bound = driverOf(tree, place);
  if (bound === driver) return isUnknown;
  const more = tree.moreIn === undefined ? '' : `; ${tree.moreIn} may say more`;
  const who = bound === null ? '' : ` (${bound} has it)`;
  return fail(
    refusal?.code ?? 'ENXIO',
    `${driver} does not take ${place.name}${who}: ${refusal?.message ?? 'it said nothing'}${more}`,
    { path: place.name, cause: refusal },
  );
}

/** Gives a driver an id. The driver is then offered all unbound devices: the others that it takes are unbound again. */
function addId(tree: DaxTree, place: DevicePlace, driver: string, undo: Undo): void {
  const unbound = findDevices(tree).filter(
    (other) => other.name !== place.name && driverOf(tree, other) === null,
  );
  const letOthersGo = (): void => {
    for (const other of unbound) {
      if (driverOf(tree, other) === driver) takeFrom(tree, other, driver);
    }
  };
  tree.write(`${DRIVERS}/${driver}/new_id`, `${place.name}\0`);
  undo.add(`id of ${driver}`, () => dropId(tree, place, driver));
  undo.add(`devices that ${driver} took besides`, letOthersGo);
  letOthersGo();
}

/** Unbinds a device that was just bound. The kernel may have brought its memory online meanwhile: that goes offline first. */
export function takeFrom(tree: DaxTree, place: DevicePlace, driver: string): void {
  if (driver === 'kmem')
    takeOffline(
      tree,
      blocksOf(tree, place).filter((block) => block.online),
    );
  unbindFrom(tree, place, driver);
}

/** Removes a device's id from a driver; never unbinds. @throws DaxError EACCES */
export function dropId(tree: DaxTree, place: DevicePlace, driver: string): void {
  tree.write(`${DRIVERS}/${driver}/remove_id`, `${place.name}\0`);
}

/**
 * Unbinds a device. Its id stays, so that it can be bound again. Never call it for kmem with memory online: the kernel would
 * unbind the device and keep the memory until the next boot (kernel-dax.md 9).
 * @throws DaxError EACCES, EBUSY still bound
 */
export function unbindFrom(tree: DaxTree, place: DevicePlace, driver: string): void {
  const refusal = refusalOf(() => tree.write(`${DRIVERS}/${driver}/unbind`, `${place.name}\0`));
  if (driverOf(tree, place) === null) return;
  fail(
    refusal?.code ?? 'EBUSY',
    `${place.name} stays with ${driver}: ${refusal?.message ?? 'unbind was accepted, but it is bound still'}`,
    { path: place.name, cause: refusal },
  );
}
