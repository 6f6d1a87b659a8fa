import { DaxError, fail, hasCode } from '../libc/index.js';

/** An attribute tree that can be read. Paths are relative to its root (`bus/dax/devices`). Every failure is a DaxError. */
export interface ReadableTree {
  /** An attribute's text. @throws DaxError the errno of open(2), or of the attribute */
  read(path: string): string;
  /** Names in a directory, in the tree's own order. @throws DaxError ENOENT, ENOTDIR */
  readdir(path: string): string[];
  /** The target of a link. @throws DaxError ENOENT, EINVAL (not a link) */
  readlink(path: string): string;
  /** The path with links resolved, relative to the root. @throws DaxError ENOENT, ENOTDIR */
  realpath(path: string): string;
}

/**
 * The one interface of readers, verbs and daxctl's dialect to a dax bus: a model of a bus (model/), or the host's own /sys
 * (files.ts). So the code that the explorer and the property tests run is the code that runs as root.
 */
export interface DaxTree extends ReadableTree {
  /** One store: one write(2) of the whole text. @throws DaxError the errno of open(2), or of the attribute */
  write(path: string, text: string): unknown;
  /** Loads the module of a driver. @throws DaxError ENOENT no such module, EPERM, EOPNOTSUPP this kernel has none */
  loadDriver(name: string): void;
  /** Where the reason of a refusal may be (`dmesg`). Absent for a model, whose errors have the reason themselves. */
  readonly moreIn?: string;
  /** The quirks (dax/quirks.ts) of a model. */
  readonly quirks?: ReadonlySet<string>;
}

/** An attribute's text without its newline; null when it is missing, not readable, or has no value now. */
export function textOf(tree: ReadableTree, path: string): string | null {
  return attempt(() => tree.read(path).replace(/\n$/, ''), null);
}

/**
 * An attribute's number (decimal, or hexadecimal with 0x); null when it is missing, not readable or empty.
 * @throws DaxError EIO the text is no safe integer
 */
export function numberOf(tree: ReadableTree, path: string): number | null {
  const text = textOf(tree, path);
  if (text === null || text === '') return null;
  const value = /^(0x[0-9a-f]+|-?\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  return fail('EIO', `${path} is no number udax can hold: '${text}'`, { path });
}

/** Names in a directory, in the tree's own order; none when it is missing or not readable. */
export function namesIn(tree: ReadableTree, path: string): string[] {
  return attempt(() => tree.readdir(path), []);
}

/** The last component of a link's target (`driver` -> `device_dax`); null when there is no link. */
export function linkName(tree: ReadableTree, path: string): string | null {
  const target = attempt(() => tree.readlink(path), null);
  return target === null ? null : target.slice(target.lastIndexOf('/') + 1);
}

/** The path with links resolved; null when it does not exist or may not be searched. @throws DaxError EIO it leads out of the tree */
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

/** What says nothing about the tree: it could not be looked at. */
const NOT_LOOKED = ['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EINTR'];

/**
 * The value of `get`, or `otherwise` when the tree has no such value, or not for this user.
 * @throws DaxError EMFILE, ENFILE, ENOMEM, EIO, EINTR: the look failed, and nobody may take that for "there is none" (a verb would
 *   unbind a driver whose memory is online)
 */
export function attempt<T, U>(get: () => T, otherwise: U): T | U {
  try {
    return get();
  } catch (error) {
    if (error instanceof DaxError && !hasCode(error, ...NOT_LOOKED)) return otherwise;
    throw error;
  }
}

/** The DaxError that `act` throws; undefined when it succeeds. */
export function refusalOf(act: () => void): DaxError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof DaxError) return error;
    throw error;
  }
}
