import { fail } from '../libc/index.js';
import { type DaxTree, numberOf } from './dax-tree.js';
import { type DevicePlace, driverOf } from './devices.js';
import {
  bindTo,
  type DeviceMode,
  driverOfMode,
  dropId,
  ensureDriver,
  modeOfDriver,
  takeFrom,
  unbindFrom,
} from './drivers.js';
import {
  autoOnlinePolicy,
  blocksAsBefore,
  blocksOf,
  bringOnline,
  type MemoryBlockPlace,
  takeOffline,
} from './memory-blocks.js';
import { Undo } from './undo.js';

/**
 * The verbs that change the driver of a device (kernel-dax.md 4, 9, 11). Each is whole or undone: whichever step fails, the
 * device gets its old driver back, and its ids and memory are as before (upstream leaves it without a driver, kernel-dax.md 21).
 * The stores are in daxctl's order, with one difference: the id is removed from the old driver last, because an undo needs it.
 */

/**
 * Enables a device in devdax mode. A device that has a driver stays as it is.
 * @throws DaxError ENOENT no such module, or the driver's error
 */
export function enable(tree: DaxTree, place: DevicePlace): void {
  if (driverOf(tree, place) === null) ensureDriver(tree, 'device_dax');
  // Loading a driver may have bound it.
  if (driverOf(tree, place) !== null) return;
  changing(tree, place, (undo) => enter(tree, place, 'device_dax', undo));
}

/** Disables a device: unbinds its driver. @throws DaxError EBUSY memory is online (with force: it cannot go offline) */
export function disable(tree: DaxTree, place: DevicePlace, { force }: { force: boolean }): void {
  changing(tree, place, (undo) => leave(tree, place, force, undo).forget());
}

export interface ModeOptions {
  /** Take memory offline first, and ignore the kernel's policy to bring new memory online by itself. */
  force: boolean;
  /** system-ram: bring its memory online. */
  online: boolean;
}

/**
 * Changes the mode of a device.
 * @throws DaxError EINVAL an unknown mode, or a change that daxctl refuses; EBUSY memory is online, or the kernel's policy would bring
 * it online; ENOENT no such module; EOPNOTSUPP the kernel has no such driver; or the driver's own error
 */
export function reconfigure(
  tree: DaxTree,
  place: DevicePlace,
  mode: DeviceMode,
  { force, online }: ModeOptions,
): void {
  const driver = Object.hasOwn(driverOfMode, mode) ? driverOfMode[mode] : undefined;
  if (driver === undefined) fail('EINVAL', `mode ${mode} is unknown: devdax, famfs or system-ram`);
  if (mode === 'famfs' && !online)
    fail('EINVAL', 'keeping memory offline is about system-ram: leave it out with famfs');
  if (driverOf(tree, place) !== driver) {
    refuseUnwise(tree, place, mode, force);
    ensureDriver(tree, driver);
  }
  changing(tree, place, (undo) => {
    // Loading a driver may have bound it.
    const left = driverOf(tree, place) === driver ? null : leave(tree, place, force, undo);
    if (left !== null) enter(tree, place, driver, undo);
    if (mode === 'system-ram' && online) onlineMemory(tree, place, { movable: true });
    left?.forget();
  });
}

function refuseUnwise(tree: DaxTree, place: DevicePlace, mode: DeviceMode, force: boolean): void {
  const { name } = place;
  if (mode === 'famfs' && driverOf(tree, place) === 'kmem') {
    fail(
      'EINVAL',
      `${name} is in system-ram mode and must be in devdax mode first: reconfigure it to devdax`,
      { path: name },
    );
  }
  if (mode === 'system-ram' && !force && autoOnlinePolicy(tree) !== 'offline') {
    fail(
      'EBUSY',
      'kernel policy will bring the memory online by itself (devices/system/memory/auto_online_blocks): set it to offline, or use force',
      { path: name },
    );
  }
}

/**
 * Brings the offline memory blocks of a device online: all or none.
 * @returns the number of blocks that went online
 * @throws DaxError EINVAL not in system-ram mode, or the kernel's refusal
 */
export function onlineMemory(tree: DaxTree, place: DevicePlace, { movable }: { movable: boolean }): number {
  const offline = memoryOf(tree, place).filter((block) => !block.online);
  bringOnline(tree, offline, movable);
  return offline.length;
}

/**
 * Takes the online memory blocks of a device offline: all or none.
 * @returns the number of blocks that went offline
 * @throws DaxError EINVAL not in system-ram mode; EBUSY in use
 */
export function offlineMemory(tree: DaxTree, place: DevicePlace): number {
  const online = memoryOf(tree, place).filter((block) => block.online);
  takeOffline(tree, online);
  return online.length;
}

function memoryOf(tree: DaxTree, place: DevicePlace): MemoryBlockPlace[] {
  const mode = modeOfDriver(driverOf(tree, place));
  if (mode !== 'system-ram') {
    fail(
      'EINVAL',
      `${place.name} is in ${mode} mode and has no memory blocks: reconfigure it to system-ram first`,
      { path: place.name },
    );
  }
  return blocksOf(tree, place);
}

/** The driver and the memory blocks of a device, for restore() after a temporary change. */
export interface BorrowedState {
  readonly driver: string | null;
  readonly blocks: readonly MemoryBlockPlace[];
}

export function stateOf(tree: DaxTree, place: DevicePlace): BorrowedState {
  const driver = driverOf(tree, place);
  return { driver, blocks: driver === 'kmem' ? blocksOf(tree, place) : [] };
}

/** Restores an earlier state of a device. @throws DaxError the error of a step; the other steps are undone */
export function restore(tree: DaxTree, place: DevicePlace, { driver, blocks }: BorrowedState): void {
  if (driver !== null) ensureDriver(tree, driver);
  if (driverOf(tree, place) === driver) return;
  changing(tree, place, (undo) => {
    const left = leave(tree, place, false, undo);
    if (driver !== null) {
      enter(tree, place, driver, undo);
      blocksAsBefore(tree, place, blocks);
    }
    left.forget();
  });
}

function changing(tree: DaxTree, place: DevicePlace, change: (undo: Undo) => void): void {
  const now = () => {
    const driver = driverOf(tree, place);
    return `${place.name} is ${driver === null ? 'disabled now: enable it' : `bound to ${driver} now`}`;
  };
  Undo.run(tree, place.name, now, change);
}

/** The driver from which a device was unbound. */
export interface LeftDriver {
  /** Removes the device's id from that driver. It is the last step of a change: an undo needs the id. */
  forget(): void;
}

/** Unbinds a device; the memory of kmem goes offline first. @throws DaxError EBUSY memory is online without force, or in use */
export function leave(tree: DaxTree, place: DevicePlace, force: boolean, undo: Undo): LeftDriver {
  const driver = driverOf(tree, place);
  if (driver === null) return { forget: () => {} };
  if (driver === 'kmem') leaveMemory(tree, place, force, undo);
  let isForgotten = false;
  const bindAgain = () => {
    const isNew = bindTo(tree, place, driver, new Undo());
    // A new id was needed, though this change removed none: the old one had been removed before. It must not stay.
    if (isNew && !isForgotten) dropId(tree, place, driver);
  };
  try {
    unbindFrom(tree, place, driver);
  } catch (error) {
    if (!isSurelyBound(tree, place, driver)) undo.add(`bind to ${driver}`, bindAgain);
    throw error;
  }
  undo.add(`bind to ${driver}`, bindAgain);
  return {
    forget() {
      dropId(tree, place, driver);
      isForgotten = true;
    },
  };
}

/** False also when it cannot be read. */
function isSurelyBound(tree: DaxTree, place: DevicePlace, driver: string): boolean {
  try {
    return driverOf(tree, place) === driver;
  } catch {
    return false;
  }
}

function leaveMemory(tree: DaxTree, place: DevicePlace, force: boolean, undo: Undo): void {
  const blocks = blocksOf(tree, place);
  if (blocks.length === 0) refuseUnknownMemory(tree, place);
  const online = blocks.filter((block) => block.online);
  if (online.length > 0 && !force) {
    fail(
      'EBUSY',
      `${place.name} has ${online.length} memory blocks online: take its memory offline first, or use force`,
      { path: place.name },
    );
  }
  takeOffline(tree, online);
  undo.add('memory as it was', () => blocksAsBefore(tree, place, blocks));
}

/** Refuses when the memory's state is unknown: unbinding kmem with memory online loses that memory until the next boot. */
function refuseUnknownMemory(tree: DaxTree, place: DevicePlace): void {
  if (numberOf(tree, `${place.directory}/resource`) !== null) return;
  fail(
    'EACCES',
    `${place.directory}/resource may not be read, so whether the memory of ${place.name} is online is not known: run as root`,
    { path: place.name },
  );
}

/** Binds a device, and adds the unbind to `undo`. */
export function enter(tree: DaxTree, place: DevicePlace, driver: string, undo: Undo): void {
  undo.add(`unbind from ${driver}`, () => {
    if (driverOf(tree, place) === driver) takeFrom(tree, place, driver);
  });
  bindTo(tree, place, driver, undo);
}
