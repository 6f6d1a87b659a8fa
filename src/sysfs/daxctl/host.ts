/**
 * What daxctl's verbs stand on. Like the real tool they know nothing but a /sys tree, device nodes
 * and a way to load modules, so they answer for any bus that has those.
 */
import type { Bus } from '../../dax/index.js';
import { DaxError, errnoOf } from '../../libc/index.js';
import { type Caller, ROOT } from '../access.js';
import { accessTo, type BusAccess, Sysfs, type SysfsOptions } from '../sysfs.js';

/** 76 knows devdax and system-ram; 85 adds famfs (kernel-dax.md 11). */
export type DaxctlVersion = 76 | 85;

/** The tree as the verbs need it; paths are relative to /sys. Every failure is a DaxError. */
export interface DaxctlTree {
  read(path: string, caller: Caller): string;
  write(path: string, text: string, caller: Caller): unknown;
  readdir(path: string): string[];
  readlink(path: string): string;
  realpath(path: string): string;
}

export interface DaxctlHost {
  readonly sysfs: DaxctlTree;
  readonly caller: Caller;
  readonly version: DaxctlVersion;
  /** Loads a driver's module. @throws ENOENT when there is no such module, EPERM */
  insertModule(name: string): void;
}

export interface DaxctlHostOptions extends SysfsOptions {
  version?: DaxctlVersion;
  caller?: Caller;
  /** False: as on a host without /lib/modules, only loaded drivers can be used. */
  modulesAvailable?: boolean;
}

/** A host over a bus, or over a Machine's `view` and `change`. */
export function daxctlHost(target: Bus | BusAccess, options: DaxctlHostOptions = {}): DaxctlHost {
  const access = 'view' in target && 'change' in target ? target : accessTo(target);
  const caller = options.caller ?? ROOT;
  return {
    sysfs: new Sysfs(access, options),
    caller,
    version: options.version ?? 85,
    insertModule(name) {
      if (options.modulesAvailable === false) {
        throw new DaxError('ENOENT', `could not find module by name='${name}'`);
      }
      if (caller.uid !== 0) throw new DaxError('EPERM', `loading ${name} needs root`);
      access.change((bus) => bus.insmod(name));
    },
  };
}

/** One attribute's text without its newline, or null when it is not there or may not be read. */
export function readAttribute(host: DaxctlHost, path: string): string | null {
  return attempt(() => host.sysfs.read(path, host.caller).replace(/\n$/, ''), null);
}

export function readNumber(host: DaxctlHost, path: string): number | null {
  const text = readAttribute(host, path);
  return text === null || text === '' ? null : Number(text);
}

/**
 * A write as daxctl does it, with the NUL it appends.
 * @returns 0, or the negative errno
 */
export function writeAttribute(host: DaxctlHost, path: string, text: string): number {
  try {
    host.sysfs.write(path, `${text}\0`, host.caller);
    return 0;
  } catch (error) {
    if (error instanceof DaxError) return error.errno;
    throw error;
  }
}

/** The value, or `otherwise` when the tree says no. */
export function attempt<T, U>(get: () => T, otherwise: U): T | U {
  try {
    return get();
  } catch (error) {
    if (error instanceof DaxError) return otherwise;
    throw error;
  }
}

/** A negative errno, as the verbs return it. */
export function negative(code: Parameters<typeof errnoOf>[0]): number {
  return -errnoOf(code);
}
