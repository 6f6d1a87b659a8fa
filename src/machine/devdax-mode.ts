import fs from 'node:fs';
import { fail } from '../libc/index.js';
import { deviceNumbers } from '../memory/index.js';
import {
  type DevicePlace,
  deviceAt,
  driverOf,
  linkName,
  modeOfDriver,
  realPathOf,
  SysfsFiles,
} from '../tree/index.js';

/** Checks, before a dax device is opened, that the driver that maps memory is bound to it. */

/**
 * Finds the device of a node. Returns null when the node is no dax device of this tree.
 * @param node path of any node with the device's number: `/dev/dax0.0`
 */
export function deviceOfNode(sysfs: SysfsFiles, node: string): DevicePlace | null {
  const stat = fs.statSync(node, { throwIfNoEntry: false });
  if (!stat?.isCharacterDevice()) return null;
  const { major, minor } = deviceNumbers(stat.rdev);
  const link = `dev/char/${major}:${minor}`;
  if (linkName(sysfs, `${link}/subsystem`) !== 'dax') return null;
  const name = realPathOf(sysfs, link)?.split('/').pop() ?? '';
  return sysfs.exists(`bus/dax/devices/${name}`) ? deviceAt(sysfs, name) : null;
}

/**
 * Requires devdax mode. Returns without error for a file and for a device in devdax mode.
 * @throws DaxError ENXIO a dax device in another mode, or disabled; the message names the call that changes it
 */
export function requireDevdaxMode(node: string, root = '/sys'): void {
  const sysfs = new SysfsFiles(root);
  const place = deviceOfNode(sysfs, node);
  const driver = place === null ? null : driverOf(sysfs, place);
  if (place === null || driver === 'device_dax') return;
  const { name } = place;
  const mode = modeOfDriver(driver);
  const state = driver === null ? 'disabled' : mode === 'devdax' ? `bound to ${driver}` : `in ${mode} mode`;
  const [change, hint] =
    driver === null
      ? ([`enable('${name}')`, 'kernel-enable'] as const)
      : mode === 'system-ram'
        ? ([`reconfigure('${name}', 'devdax', { force: true })`, 'kernel-devdax-force'] as const)
        : ([`reconfigure('${name}', 'devdax')`, 'kernel-devdax'] as const);
  fail(
    'ENXIO',
    `${name} is ${state}, raw access needs devdax mode: openKernel().${change} changes that, borrowMode() does it for a while`,
    { path: name, hint },
  );
}
