import { DaxError, fail } from '../../libc/index.js';
import { sizeText } from '../sizes.js';
import { type DevicePlace, deviceAt, driverOf, findDevices, isStatic, modeOfDriver } from './discovery.js';
import { ensureDriver } from './drivers.js';
import { disable, enable } from './modes.js';
import type { SysfsFiles } from './sysfs-files.js';
import { Undo } from './undo.js';

/** Devices carved out of a dynamic region of the kernel's bus (kernel-dax.md 5). */

/**
 * create-device: makes one, gives it align and size, and enables it; whatever fails, it is gone again.
 * @param wanted bytes; size undefined takes all that is free
 * @throws DaxError ENODEV no such region, EOPNOTSUPP static, ENOSPC, EINVAL, EACCES
 */
export function createDevice(
  sysfs: SysfsFiles,
  region: number,
  wanted: { size: number | undefined; align: number | undefined },
): DevicePlace {
  const directory = dynamicRegion(sysfs, region);
  const free = sysfs.number(`${directory}/dax_region/available_size`) ?? 0;
  const size = wanted.size ?? free;
  if (size === 0 && wanted.size !== undefined)
    fail('EINVAL', 'a device of 0 bytes is of no use: choose a size');
  if (size > free || free === 0) {
    fail(
      'ENOSPC',
      `region ${region} has ${sizeText(free)} free, ${sizeText(size)} asked: disable and destroy a device of it first`,
    );
  }
  ensureDriver(sysfs, 'device_dax');
  return Undo.run(
    `region ${region}`,
    () => 'a device of size 0 is left: udax --kernel list -i, destroy-device',
    (undo) => {
      const place = makeEmpty(sysfs, directory);
      undo.add(`delete ${place.name}`, () => deleteDevice(sysfs, place));
      if (wanted.align !== undefined) store(sysfs, place, 'align', `${wanted.align}`);
      store(sysfs, place, 'size', `0x${size.toString(16)}\n`);
      undo.add(`empty ${place.name}`, () => store(sysfs, place, 'size', '0\n'));
      enable(sysfs, place);
      return place;
    },
  );
}

/** The device that `create` made: the one that was not there before. */
function makeEmpty(sysfs: SysfsFiles, regionDirectory: string): DevicePlace {
  const names = () =>
    findDevices(sysfs)
      .filter((place) => place.regionDirectory === regionDirectory)
      .map(({ name }) => name);
  const before = new Set(names());
  sysfs.write(`${regionDirectory}/dax_region/create`, '1\0');
  const made = names().find((name) => !before.has(name));
  if (made === undefined) fail('EIO', `${regionDirectory}: create was accepted, but there is no new device`);
  return deviceAt(sysfs, made);
}

/**
 * destroy-device: gives its memory back to the region. Instance 0 stays, at size 0 (the kernel keeps it).
 * @throws DaxError EBUSY enabled without force, EOPNOTSUPP static region
 */
export function destroyDevice(sysfs: SysfsFiles, place: DevicePlace, force: boolean): void {
  if (isStatic(sysfs, place.regionDirectory)) {
    fail(
      'EOPNOTSUPP',
      `${place.name} is the one device of a static region, whose size the provider decides: ndctl destroy-namespace`,
      { path: place.name },
    );
  }
  const driver = driverOf(sysfs, place);
  if (driver !== null && !force) {
    fail('EBUSY', `${place.name} is enabled (${modeOfDriver(driver)}): disable-device it first`, {
      path: place.name,
    });
  }
  disable(sysfs, place, force);
  store(sysfs, place, 'size', '0\n');
  if (place.instance !== 0) deleteDevice(sysfs, place);
}

function deleteDevice(sysfs: SysfsFiles, place: DevicePlace): void {
  sysfs.write(`${place.regionDirectory}/dax_region/delete`, `${place.name}\0`);
}

function store(sysfs: SysfsFiles, place: DevicePlace, attribute: 'size' | 'align', text: string): void {
  try {
    sysfs.write(`${place.directory}/${attribute}`, `${text}\0`);
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    const rule = 'a multiple of 2 MiB and of the align, in free memory, while disabled';
    fail(error.code, `${place.name} does not get ${attribute} ${text.trim()} (${error.message}): ${rule}`, {
      path: place.name,
      cause: error,
    });
  }
}

/** @throws ENODEV, EOPNOTSUPP */
function dynamicRegion(sysfs: SysfsFiles, id: number): string {
  const directories = new Set(
    findDevices(sysfs)
      .filter(({ region }) => region === id)
      .map(({ regionDirectory }) => regionDirectory),
  );
  if (directories.size === 0)
    fail('ENODEV', `region ${id}: no such region on the kernel's dax bus (see "udax --kernel list -R")`);
  const dynamic = [...directories].find((directory) => !isStatic(sysfs, directory));
  return (
    dynamic ??
    fail(
      'EOPNOTSUPP',
      `region ${id} is static: its devices are namespaces, ndctl create-namespace -m devdax makes them`,
    )
  );
}
