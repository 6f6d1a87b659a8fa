/** The public functions of tree/, with their argument checks. */
import type { Bus } from '../dax/index.js';
import {
  callback,
  checkArguments,
  either,
  flag,
  listOf,
  objectWith,
  optional,
  text,
  options as wanted,
} from '../libc/index.js';
import type { ReadableTree } from './dax-tree.js';
import { type DaxctlHostOptions, daxctlHost } from './daxctl/host.js';
import { type ListOptions, listText } from './daxctl/list.js';
import { runDaxctl } from './daxctl/run.js';
import type { VerbResult } from './daxctl/verbs.js';
import { accessTo, type BusAccess, Sysfs, type SysfsOptions } from './model/sysfs.js';

const textOrNull = optional(either(text, (value) => (value === null ? undefined : 'null')));
const anObject = objectWith('an object of options');
const aTree = objectWith('a tree: { read, readdir, realpath ... }', 'read', 'readdir', 'realpath');
const listed = wanted({
  devices: optional(flag),
  regions: optional(flag),
  mappings: optional(flag),
  idle: optional(flag),
  human: optional(flag),
  region: textOrNull,
  device: textOrNull,
});

/** A machine, or a bus by itself. */
const bus = either(objectWith('a machine', 'view', 'change'), objectWith('a bus', 'regions', 'resources'));

function access(target: Bus | BusAccess): BusAccess {
  checkArguments('sysfs', [target], { target: bus });
  return 'view' in target && 'change' in target ? target : accessTo(target);
}

/** The attribute tree of a machine or a bus: `sysfs(machine).read('/bus/dax/devices/dax0.0/size')`. */
export function sysfs(target: Bus | BusAccess, options: SysfsOptions = {}): Sysfs {
  checkArguments('sysfs', [target, options], { target: bus, options: wanted({ place: optional(callback) }) });
  return new Sysfs(access(target), options);
}

/**
 * The output of `daxctl list` (85) for this machine or bus: JSON text that ends with a newline, or '' when there is nothing
 * to list.
 */
export function daxctlList(target: Bus | BusAccess, options: ListOptions = {}): string {
  checkArguments('daxctlList', [target, options], { target: bus, options: listed });
  return access(target).view((bus) => listText(daxctlHost(bus), options));
}

/** The output of `daxctl list` (85) for a tree, such as the running kernel's: `daxctlListOf(openKernel().sysfs)`. */
export function daxctlListOf(tree: ReadableTree, options: ListOptions = {}): string {
  checkArguments('daxctlListOf', [tree, options], { tree: aTree, options: listed });
  return listText({ tree, version: 85 }, options);
}

/**
 * Runs one command line of daxctl (the words after `daxctl`) as one change of this machine or bus, with daxctl's own output
 * and exit code. As with daxctl, the steps before a failure stay done (a seed device may be left, for example).
 * @throws DaxError EBUSY from a machine when another process holds a device that would change; nothing is changed then
 */
export function daxctl(
  target: Bus | BusAccess,
  words: readonly string[],
  options: DaxctlHostOptions = {},
): VerbResult {
  checkArguments('daxctl', [target, words, options], { target: bus, words: listOf(text), options: anObject });
  return access(target).change((bus) => runDaxctl(daxctlHost(bus, options), words));
}
