/** The two calls most people need. */
import type { Bus } from '../dax/index.js';
import { daxctlHost } from './daxctl/host.js';
import { type ListOptions, listText } from './daxctl/list.js';
import { accessTo, type BusAccess, Sysfs, type SysfsOptions } from './sysfs.js';

function access(target: Bus | BusAccess): BusAccess {
  return 'view' in target && 'change' in target ? target : accessTo(target);
}

/** The attribute tree of a machine or a bus: `sysfs(machine).read('/bus/dax/devices/dax0.0/size')`. */
export function sysfs(target: Bus | BusAccess, options: SysfsOptions = {}): Sysfs {
  return new Sysfs(access(target), options);
}

/**
 * What `daxctl list` (85) prints on stdout for this machine or bus: JSON text ending in a newline,
 * or '' when there is nothing to list.
 */
export function daxctlList(target: Bus | BusAccess, options: ListOptions = {}): string {
  return access(target).view((bus) => listText(daxctlHost(bus), options));
}
