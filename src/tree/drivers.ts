import { fail } from '../libc/index.js';
import { type DaxTree, isThere, namesIn, type ReadableTree, refusalOf } from './dax-tree.js';
import { type DevicePlace, driverOf, findDevices } from './devices.js';
import { blocksOf, takeOffline } from './memory-blocks.js';
import type { Undo } from './undo.js';

/** Drivers of the bus, the mode that each makes of a device, and the stores (with daxctl's trailing NUL) that bind and unbind. */

/** The three modes daxctl knows: driver device_dax, fsdev_dax, kmem. */
export type DeviceMode = 'devdax' | 'famfs' | 'system-ram';

export const driverOfMode: Readonly<Record<DeviceMode, string>> = {
  devdax: 'device_dax',
  famfs: 'fsdev_dax',
  'system-ram': 'kmem',
};

/** An unbound device counts as devdax, as daxctl lists it; so does one that a driver unknown here has. */
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
 * Loads the module of a driver that is not there. Done before anything is unbound: a missing module costs nothing then.
 * @throws DaxError ENOENT there is no such module; as DaxTree.loadDriver()
 */
export function ensureDriver(tree: DaxTree, driver: string): void {
  if (isThere(tree, `${DRIVERS}/${driver}`)) return;
  tree.loadDriver(driver);
  if (isThere(tree, `${DRIVERS}/${driver}`)) return;
  fail('ENOENT', `the module of ${driver} is loaded, but the driver is not on the dax bus`, { path: driver });
}

/**
 * Binds a device, and touches no other. A driver that matches already is given no id; one that was given is taken back by `undo`.
 * @returns whether an id was given
 * @throws DaxError EACCES, or what the driver's probe said
 */
export function bindTo(tree: DaxTree, place: DevicePlace, driver: string, undo: Undo): boolean {
  const bind = () => refusalOf(() => tree.write(`${DRIVERS}/${driver}/bind`, `${place.name}\0`));
  let refusal = bind();
  const isUnknown = refusal?.code === 'ENODEV' && driverOf(tree, place) === null;
  if (isUnknown) {
    addId(tree, place, driver, undo);
    // The id may have bound it already. What counts is the driver link.
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

/** An id makes its driver look at all unbound devices: those that it takes besides ours are let go again. */
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

/** Unbinds a device that was bound just now: the kernel may have brought its memory online by itself meanwhile. */
export function takeFrom(tree: DaxTree, place: DevicePlace, driver: string): void {
  if (driver === 'kmem')
    takeOffline(
      tree,
      blocksOf(tree, place).filter((block) => block.online),
    );
  unbindFrom(tree, place, driver);
}

/** The driver takes the device no more by its name; never unbinds. @throws DaxError EACCES */
export function dropId(tree: DaxTree, place: DevicePlace, driver: string): void {
  tree.write(`${DRIVERS}/${driver}/remove_id`, `${place.name}\0`);
}

/**
 * Unbinds; its id stays, so that it can go back. Never for kmem with memory online: the kernel would unbind it
 * and keep the memory until the next boot (kernel-dax.md 9).
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
