/** The host of daxctl's verbs. Like the real tool they use only a tree, so they work for any bus that has one. */
import type { Bus } from '../../dax/index.js';
import { DaxError, errnoOf } from '../../libc/index.js';
import type { DaxTree, ReadableTree } from '../dax-tree.js';
import { ModelTree, type ModelTreeOptions } from '../model/model-tree.js';

/** 76 knows devdax and system-ram; 85 adds famfs (kernel-dax.md 11). */
export type DaxctlVersion = 76 | 85;

/** The part of a host that `list` needs. */
export interface DaxctlLook {
  readonly tree: ReadableTree;
  readonly version: DaxctlVersion;
}

export interface DaxctlHost extends DaxctlLook {
  readonly tree: DaxTree;
}

/** The host and the version of daxctl that answers. */
export interface DaxctlHostOptions extends ModelTreeOptions {
  version?: DaxctlVersion;
}

/** Makes a host over a bus. */
export function daxctlHost(bus: Bus, { version = 85, ...options }: DaxctlHostOptions = {}): DaxctlHost {
  return { tree: new ModelTree(bus, options), version };
}

/**
 * Writes an attribute as daxctl does, with the NUL that it appends.
 * @returns 0, or the negative errno
 */
export function writeAttribute({ tree }: DaxctlHost, path: string, text: string): number {
  return resultOf(() => tree.write(path, `${text}\0`));
}

/** Runs `act`. @returns 0, or the negative errno of the DaxError that it throws */
export function resultOf(act: () => unknown): number {
  try {
    act();
    return 0;
  } catch (error) {
    if (error instanceof DaxError) return error.errno;
    throw error;
  }
}

/** The negative errno of a code, as the verbs return it. */
export function negative(code: Parameters<typeof errnoOf>[0]): number {
  return -errnoOf(code);
}
