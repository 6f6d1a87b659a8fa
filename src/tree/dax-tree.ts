import { DaxError, fail, hasCode } from '../libc/index.js';

/** Looking at an attribute tree. Paths are relative to its root (`bus/dax/devices`); every failure is a DaxError. */
export interface ReadableTree {
  /** An attribute's text. @throws DaxError the errno of open(2), or of the attribute */
  read(path: string): string;
  /** Names in a directory, in the tree's own order. @throws DaxError ENOENT, ENOTDIR */
  readdir(path: string): string[];
  /** @throws DaxError ENOENT, EINVAL (not a link) */
  readlink(path: string): string;
  /** Path without links, relative to the root. @throws DaxError ENOENT, ENOTDIR */
  realpath(path: string): string;
}

/**
 * What readers, verbs and daxctl's dialect stand on, and all that they know of a dax bus: the model of one (model/), or the
 * host's own /sys (files.ts). So the lines that the explorer and the property tests run are the lines that run as root.
 */
export interface DaxTree extends ReadableTree {
  /** One store: one write(2) of the whole text. @throws DaxError the errno of open(2), or of the attribute */
  write(path: string, text: string): unknown;
  /** Loads the module of a driver. @throws DaxError ENOENT no such module, EPERM, EOPNOTSUPP this kernel has none */
  loadDriver(name: string): void;
  /** Where more is said of what was refused (`dmesg`); a model's errors say all themselves. */
  readonly moreIn?: string;
  /** Bugs that are wanted (dax/quirks.ts), of a model; the host's tree has its own. */
  readonly quirks?: ReadonlySet<string>;
}

/** An attribute's text without its newline; null when it is not there, may not be read, or has no value now. */
export function textOf(tree: ReadableTree, path: string): string | null {
  return attempt(() => tree.read(path).replace(/\n$/, ''), null);
}

/**
 * A number (decimal, or hexadecimal with 0x); null when it is not there or may not be read.
 * @throws DaxError EIO the text is no safe integer
 */
export function numberOf(tree: ReadableTree, path: string): number | null {
  const text = textOf(tree, path);
  if (text === null || text === '') return null;
  const value = /^(0x[0-9a-f]+|-?\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  return fail('EIO', `${path} is no number udax can hold: '${text}'`, { path });
}

/** Names in a directory, in the tree's own order; none when it is not there. */
export function namesIn(tree: ReadableTree, path: string): string[] {
  return attempt(() => tree.readdir(path), []);
}

/** The last part of where a link leads (`driver` -> `device_dax`); null when there is none. */
export function linkName(tree: ReadableTree, path: string): string | null {
  const target = attempt(() => tree.readlink(path), null);
  return target === null ? null : target.slice(target.lastIndexOf('/') + 1);
}

/** Path without links; null when it leads nowhere. @throws DaxError EIO it leads out of the tree */
export function realPathOf(tree: ReadableTree, path: string): string | null {
  try {
    return tree.realpath(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return null;
    throw error;
  }
}

export function isThere(tree: ReadableTree, path: string): boolean {
  return realPathOf(tree, path) !== null;
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

/** What refused; undefined when it was done. */
export function refusalOf(act: () => void): DaxError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof DaxError) return error;
    throw error;
  }
}
