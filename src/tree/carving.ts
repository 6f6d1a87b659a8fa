import { DaxError, fail, sizeText } from '../libc/index.js';
import { type DaxTree, numberOf } from './dax-tree.js';
import { type DevicePlace, devicesIn, driverOf, findDevices, isStatic, rangesOf } from './devices.js';
import { ensureDriver, modeOfDriver } from './drivers.js';
import { Undo } from './undo.js';
import { enter, leave } from './verbs.js';

/** The verbs that carve a device out of a dynamic region and give it back (kernel-dax.md 5). Each is whole or undone. */

/**
 * Makes a device, sets its align and size, and enables it (devdax mode). When a step fails, the device is deleted again.
 * @param wanted bytes; size undefined takes all free space
 * @throws DaxError ENODEV no such region, EOPNOTSUPP static, ENOSPC, EINVAL, EACCES
 */
export function createDevice(
  tree: DaxTree,
  region: number,
  wanted: { size: number | undefined; align: number | undefined },
): DevicePlace {
  const directory = dynamicRegion(tree, region);
  const free = numberOf(tree, `${directory}/dax_region/available_size`) ?? 0;
  const size = wanted.size ?? free;
  if (size === 0 && wanted.size !== undefined)
    fail('EINVAL', 'a device of 0 bytes is of no use: choose a size');
  if (free === 0) fail('ENOSPC', `region ${region} is full: disable and destroy a device of it first`);
  if (size > free) {
    fail(
      'ENOSPC',
      `region ${region} has ${sizeText(free)} free, ${sizeText(size)} asked: disable and destroy a device of it first`,
    );
  }
  ensureDriver(tree, 'device_dax');
  const left = () => `a device of region ${region} is left: destroy it`;
  return Undo.run(tree, `region ${region}`, left, (undo) => {
    const place = makeEmpty(tree, directory);
    undo.add(`delete ${place.name}`, () => deleteDevice(tree, place));
    if (wanted.align !== undefined) store(tree, place, 'align', `${wanted.align}`);
    store(tree, place, 'size', `${hex(size)}\n`);
    undo.add(`empty ${place.name}`, () => store(tree, place, 'size', '0\n'));
    enter(tree, place, 'device_dax', undo);
    return place;
  });
}

/** Stores to `create`. @returns the device that did not exist before */
function makeEmpty(tree: DaxTree, regionDirectory: string): DevicePlace {
  const before = new Set(devicesIn(tree, regionDirectory).map(({ name }) => name));
  const made = () => devicesIn(tree, regionDirectory).find(({ name }) => !before.has(name));
  tree.write(`${regionDirectory}/dax_region/create`, '1\0');
  try {
    return made() ?? fail('EIO', `${regionDirectory}: create was accepted, but there is no new device`);
  } catch (error) {
    // It could not be looked for: another look finds it.
    const place = made();
    if (place !== undefined) deleteDevice(tree, place);
    throw error;
  }
}

/**
 * Gives a disabled device of a dynamic region another size: one store to its `size`, as the kernel has it (kernel-dax.md 5). It grows
 * into the free space of the region, in pieces where that is in pieces, and shrinks from its end; 0 empties it. What is in the memory
 * stays. The device stays disabled.
 * @throws DaxError EINVAL not a multiple of 2 MiB and of the align; EBUSY it is enabled, also for the size it has; ENOSPC the region has
 *   less free; EACCES a static region, or this user may not
 */
export function resizeDevice(tree: DaxTree, place: DevicePlace, size: number): void {
  store(tree, place, 'size', `${hex(size)}\n`);
}

/**
 * Gives a device's memory back to the region, and deletes the device. Instance 0 stays, at size 0 (the kernel keeps it).
 * @throws DaxError EBUSY enabled without force, EOPNOTSUPP static region
 */
export function destroyDevice(tree: DaxTree, place: DevicePlace, { force }: { force: boolean }): void {
  const { name, instance } = place;
  if (isStatic(tree, place.regionDirectory)) {
    fail(
      'EOPNOTSUPP',
      `${name} is the one device of a static region, and goes with it (of an NVDIMM: with its namespace)`,
      { path: name },
    );
  }
  const driver = driverOf(tree, place);
  if (driver !== null && !force)
    fail('EBUSY', `${name} is enabled (${modeOfDriver(driver)}): disable it first`, { path: name });
  const now = () => `${name} is disabled now, and has ${numberOf(tree, `${place.directory}/size`)} bytes`;
  Undo.run(tree, name, now, (undo) => {
    const left = leave(tree, place, force, undo);
    empty(tree, place, undo);
    left.forget();
    if (instance !== 0) deleteDevice(tree, place);
  });
}

/** Sets a device's size to 0. The undo restores its ranges at their old addresses. */
function empty(tree: DaxTree, place: DevicePlace, undo: Undo): void {
  const ranges = rangesOf(tree, place);
  const size = numberOf(tree, `${place.directory}/size`) ?? 0;
  if (size === 0) return;
  store(tree, place, 'size', '0\n');
  undo.add(`memory of ${place.name}`, () => {
    if (ranges.length === 0) store(tree, place, 'size', `${hex(size)}\n`);
    for (const { start, end } of ranges) store(tree, place, 'mapping', `${hex(start)}-${hex(end)}\n`);
  });
}

function deleteDevice(tree: DaxTree, place: DevicePlace): void {
  tree.write(`${place.regionDirectory}/dax_region/delete`, `${place.name}\0`);
}

function store(
  tree: DaxTree,
  { name, directory }: DevicePlace,
  attribute: 'size' | 'align' | 'mapping',
  text: string,
): void {
  try {
    tree.write(`${directory}/${attribute}`, `${text}\0`);
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    const rule = 'a multiple of 2 MiB and of the align, in free memory, while disabled';
    fail(error.code, `${name} does not get ${attribute} ${text.trim()} (${error.message}): ${rule}`, {
      path: name,
      cause: error,
    });
  }
}

/** The directory of the dynamic region with this id. @throws DaxError ENODEV no such region, EOPNOTSUPP it is static */
function dynamicRegion(tree: DaxTree, id: number): string {
  const directories = new Set(
    findDevices(tree)
      .filter(({ region }) => region === id)
      .map(({ regionDirectory }) => regionDirectory),
  );
  if (directories.size === 0) fail('ENODEV', `region ${id}: no such region on the dax bus`);
  return (
    [...directories].find((directory) => !isStatic(tree, directory)) ??
    fail(
      'EOPNOTSUPP',
      `region ${id} is static and has exactly one device (of an NVDIMM: a further namespace in devdax mode is another)`,
    )
  );
}

function hex(bytes: number): string {
  return `0x${bytes.toString(16)}`;
}
