import { spawnSync } from 'node:child_process';
import { release } from 'node:os';
import { DaxError, fail } from '../../libc/index.js';
import type { DeviceMode } from '../types.js';
import { type DevicePlace, DRIVERS, driverOf } from './discovery.js';
import type { SysfsFiles } from './sysfs-files.js';

/** Drivers of the kernel's bus: loaded, bound and unbound by the writes daxctl does, in its order, with its trailing NUL. */

export const driverOfMode: Record<DeviceMode, string> = {
  devdax: 'device_dax',
  famfs: 'fsdev_dax',
  'system-ram': 'kmem',
};

const MODPROBE_SECONDS = 30;

/** Names of the drivers that are loaded. */
export function loadedDrivers(sysfs: SysfsFiles): string[] {
  return sysfs.names(DRIVERS);
}

/**
 * Loads the module of a driver that is not there. Done before anything is unbound: a missing module costs nothing then.
 * @throws DaxError ENOENT there is no such module; EOPNOTSUPP it is fsdev_dax, which came with Linux 7.0
 */
export function ensureDriver(sysfs: SysfsFiles, driver: string): void {
  const here = `${DRIVERS}/${driver}`;
  if (sysfs.exists(here)) return;
  const why = sysfs.isLive ? modprobe(driver) : 'modules are loaded only for the /sys of this kernel';
  if (sysfs.exists(here)) return;
  const what = `the driver ${driver} is not on the dax bus, and its module cannot be loaded (${why})`;
  if (driver === 'fsdev_dax') {
    fail(
      'EOPNOTSUPP',
      `${what}: famfs mode needs Linux 7.0 or later, this is ${release()}; udax itself needs devdax mode only`,
      { path: sysfs.absolute(here) },
    );
  }
  fail('ENOENT', `${what}: install it (modprobe ${driver} must work), or use a kernel that has it`, {
    path: sysfs.absolute(here),
  });
}

/** @returns what it said, for the error message of whoever misses the driver */
function modprobe(module: string): string {
  const { error, status, stderr } = spawnSync('modprobe', [module], {
    encoding: 'utf8',
    timeout: MODPROBE_SECONDS * 1000,
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
  });
  if (error) return `modprobe cannot be run: ${error.message}`;
  return stderr.trim().split('\n').pop() || `modprobe ${module} ended with ${status}`;
}

/**
 * new_id, which may bind already, then bind; what counts is the driver link. The id is dropped again on failure.
 * @throws DaxError EACCES, or what the driver's probe said
 */
export function bindTo(sysfs: SysfsFiles, place: DevicePlace, driver: string): void {
  const here = `${DRIVERS}/${driver}`;
  sysfs.write(`${here}/new_id`, `${place.name}\0`);
  const refusal = refusalOf(() => sysfs.write(`${here}/bind`, `${place.name}\0`));
  const bound = driverOf(sysfs, place);
  if (bound === driver) return;
  refusalOf(() => sysfs.write(`${here}/remove_id`, `${place.name}\0`));
  const who = bound === null ? '' : ` (${bound} has it)`;
  fail(
    refusal?.code ?? 'ENXIO',
    `${driver} does not take ${place.name}${who}: ${refusal?.message ?? 'it said nothing'}; dmesg may say more`,
    { path: place.name, cause: refusal },
  );
}

/**
 * remove_id, then unbind, then a look whether it is gone. Never for kmem with memory online: the kernel would unbind it
 * and keep the memory until the next boot (kernel-dax.md 9).
 * @throws DaxError EACCES, EBUSY still bound (its id is back then)
 */
export function unbind(sysfs: SysfsFiles, place: DevicePlace, driver: string): void {
  const here = `${DRIVERS}/${driver}`;
  sysfs.write(`${here}/remove_id`, `${place.name}\0`);
  const refusal = refusalOf(() => sysfs.write(`${here}/unbind`, `${place.name}\0`));
  if (driverOf(sysfs, place) === null) return;
  refusalOf(() => sysfs.write(`${here}/new_id`, `${place.name}\0`));
  fail(
    refusal?.code ?? 'EBUSY',
    `${place.name} stays with ${driver}: ${refusal?.message ?? 'unbind was accepted, but it is bound still'}`,
    { path: place.name, cause: refusal },
  );
}

function refusalOf(act: () => void): DaxError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof DaxError) return error;
    throw error;
  }
}
