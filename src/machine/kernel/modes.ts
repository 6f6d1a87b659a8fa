import { fail } from '../../libc/index.js';
import type { DeviceMode } from '../types.js';
import { type DevicePlace, deviceBlocks, driverOf, modeOfDriver } from './discovery.js';
import { bindTo, driverOfMode, ensureDriver, unbind } from './drivers.js';
import {
  autoOnlinePolicy,
  bringOnline,
  type MemoryBlockFile,
  onlineStateOf,
  takeOffline,
} from './memory-blocks.js';
import type { SysfsFiles } from './sysfs-files.js';
import { Undo } from './undo.js';

/**
 * daxctl's verbs on the kernel's bus (kernel-dax.md 4, 9, 11), each whole or not at all: whichever step fails, the device goes
 * back to the driver it had and its memory online as it was (upstream leaves it without a driver, kernel-dax.md 21).
 */

/** enable-device: whatever it was before, to device_dax. Enabled devices stay as they are. */
export function enable(sysfs: SysfsFiles, place: DevicePlace): void {
  if (driverOf(sysfs, place) !== null) return;
  ensureDriver(sysfs, 'device_dax');
  changing(sysfs, place, (undo) => enter(sysfs, place, 'device_dax', undo));
}

/** disable-device. @throws EBUSY memory online (with force it goes offline first, or refuses to) */
export function disable(sysfs: SysfsFiles, place: DevicePlace, force: boolean): void {
  changing(sysfs, place, (undo) => leave(sysfs, place, force, undo));
}

export interface ModeOptions {
  /** Take memory offline first; ignore that the kernel brings new memory online by itself. */
  force: boolean;
  /** system-ram: bring its memory online. */
  online: boolean;
}

/** reconfigure-device. @throws EINVAL (a change daxctl refuses), EBUSY, ENOENT, EOPNOTSUPP, or the driver's own error */
export function reconfigure(
  sysfs: SysfsFiles,
  place: DevicePlace,
  mode: DeviceMode,
  { force, online }: ModeOptions,
): void {
  const driver = driverOfMode[mode];
  if (driver === undefined) fail('EINVAL', `mode ${mode} is unknown: devdax, famfs or system-ram`);
  if (mode === 'famfs' && !online) fail('EINVAL', '--no-online is about system-ram: leave it out with famfs');
  const before = driverOf(sysfs, place);
  if (before !== driver) {
    refuseUnwise(sysfs, place, mode, before, force);
    ensureDriver(sysfs, driver);
  }
  changing(sysfs, place, (undo) => {
    if (before !== driver) {
      leave(sysfs, place, force, undo);
      enter(sysfs, place, driver, undo);
    }
    if (mode === 'system-ram' && online) onlineMemory(sysfs, place, true);
  });
}

function refuseUnwise(
  sysfs: SysfsFiles,
  place: DevicePlace,
  mode: DeviceMode,
  before: string | null,
  force: boolean,
): void {
  if (mode === 'famfs' && before === 'kmem') {
    fail(
      'EINVAL',
      `${place.name} is in system-ram mode and must be in devdax mode first: reconfigure it to devdax`,
      { path: place.name },
    );
  }
  if (mode === 'system-ram' && !force && autoOnlinePolicy(sysfs) !== 'offline') {
    fail(
      'EBUSY',
      'the kernel will bring the memory online by itself (devices/system/memory/auto_online_blocks): set that to offline, or use -f',
      { path: place.name },
    );
  }
}

/** Returns how many blocks went online. @throws EINVAL not in system-ram mode */
export function onlineMemory(sysfs: SysfsFiles, place: DevicePlace, movable: boolean): number {
  const offline = memoryOf(sysfs, place).filter((block) => !block.online);
  bringOnline(sysfs, offline, () => (movable ? 'online_movable' : 'online_kernel'));
  return offline.length;
}

/** Returns how many blocks went offline. @throws EINVAL not in system-ram mode; EBUSY memory in use: all stay online */
export function offlineMemory(sysfs: SysfsFiles, place: DevicePlace): number {
  const online = memoryOf(sysfs, place).filter((block) => block.online);
  takeOffline(sysfs, online);
  return online.length;
}

function memoryOf(sysfs: SysfsFiles, place: DevicePlace): MemoryBlockFile[] {
  const mode = modeOfDriver(driverOf(sysfs, place));
  if (mode !== 'system-ram') {
    fail(
      'EINVAL',
      `${place.name} is in ${mode} mode and has no memory blocks: reconfigure it to system-ram first`,
      {
        path: place.name,
      },
    );
  }
  return deviceBlocks(sysfs, place);
}

/** What a device was before it was borrowed, to be given back. */
export interface DeviceState {
  driver: string | null;
  /** Blocks that were online, with their zones. */
  online: MemoryBlockFile[];
}

export function stateOf(sysfs: SysfsFiles, place: DevicePlace): DeviceState {
  const driver = driverOf(sysfs, place);
  const online = driver === 'kmem' ? deviceBlocks(sysfs, place).filter((block) => block.online) : [];
  return { driver, online };
}

/** Puts a device back to a state it had. @throws as the steps; what could be undone of it is */
export function restore(sysfs: SysfsFiles, place: DevicePlace, state: DeviceState): void {
  if (driverOf(sysfs, place) === state.driver) return;
  changing(sysfs, place, (undo) => {
    leave(sysfs, place, false, undo);
    if (state.driver === null) return;
    ensureDriver(sysfs, state.driver);
    enter(sysfs, place, state.driver, undo);
    onlineAsBefore(sysfs, place, state.online);
  });
}

function changing(sysfs: SysfsFiles, place: DevicePlace, change: (undo: Undo) => void): void {
  const now = () => {
    const driver = driverOf(sysfs, place);
    return driver === null
      ? `${place.name} is disabled now: udax --kernel enable-device ${place.name}`
      : `${place.name} is bound to ${driver} now`;
  };
  Undo.run(place.name, now, change);
}

/** Lets the driver go, its memory first. @throws EBUSY memory online without force, or in use */
function leave(sysfs: SysfsFiles, place: DevicePlace, force: boolean, undo: Undo): void {
  const driver = driverOf(sysfs, place);
  if (driver === null) return;
  if (driver === 'kmem') leaveMemory(sysfs, place, force, undo);
  unbind(sysfs, place, driver);
  undo.add(`bind to ${driver}`, () => bindTo(sysfs, place, driver));
}

function leaveMemory(sysfs: SysfsFiles, place: DevicePlace, force: boolean, undo: Undo): void {
  const blocks = deviceBlocks(sysfs, place);
  if (blocks.length === 0) refuseUnknownMemory(sysfs, place);
  const online = blocks.filter((block) => block.online);
  if (online.length === 0) return;
  if (!force) {
    fail(
      'EBUSY',
      `${place.name} has ${online.length} memory blocks online: udax --kernel offline-memory ${place.name} first, or use -f`,
      { path: place.name },
    );
  }
  takeOffline(sysfs, online);
  undo.add('memory online', () => onlineAsBefore(sysfs, place, online));
}

/** Unbinding kmem with memory online loses that memory until the next boot: without knowing, nothing is unbound. */
function refuseUnknownMemory(sysfs: SysfsFiles, place: DevicePlace): void {
  if (sysfs.number(`${place.directory}/resource`) !== null) return;
  fail(
    'EACCES',
    `${sysfs.absolute(place.directory)}/resource may not be read, so whether its memory is online is not known: run as root`,
    { path: place.name },
  );
}

/** Binds, and says how to get out of it again. */
function enter(sysfs: SysfsFiles, place: DevicePlace, driver: string, undo: Undo): void {
  bindTo(sysfs, place, driver);
  undo.add(`unbind from ${driver}`, () => {
    // The kernel may have brought it online by itself meanwhile.
    if (driver === 'kmem')
      takeOffline(
        sysfs,
        deviceBlocks(sysfs, place).filter((block) => block.online),
      );
    unbind(sysfs, place, driver);
  });
}

/** Those of the blocks that are offline now: the kernel may have brought them online by itself. */
function onlineAsBefore(sysfs: SysfsFiles, place: DevicePlace, blocks: readonly MemoryBlockFile[]): void {
  const offline = new Set(deviceBlocks(sysfs, place).flatMap((block) => (block.online ? [] : [block.id])));
  bringOnline(
    sysfs,
    blocks.filter((block) => offline.has(block.id)),
    onlineStateOf,
  );
}
