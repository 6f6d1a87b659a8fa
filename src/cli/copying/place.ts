import { lstatSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Volume } from '../../famfs/index.js';
import { asDaxError, hasCode } from '../../libc/index.js';

/** What a copy has to know about a path of either side. */
export interface PlaceStat {
  /** stream: a pipe or standard input, whose size is unknown. */
  type: 'file' | 'directory' | 'stream' | 'other';
  /** Bytes. */
  size: number;
  mode: number;
  /** Identifies the file or directory itself, to detect a tree that contains itself. */
  identity: string;
}

/** One side of a copy: this host's file system, or a volume. Paths are written as that side writes them. */
export interface Place {
  /** The path as shown to the user. */
  name(path: string): string;
  /** Null when there is nothing at the path. */
  stat(path: string): PlaceStat | null;
  /** Like stat(), for a name the user did not type: a symbolic link never counts as a directory. */
  statOfCopy(path: string): PlaceStat | null;
  /** Names in a directory, sorted. */
  list(path: string): string[];
  child(directory: string, name: string): string;
  makeDirectory(path: string, owner: { mode: number; uid: number; gid: number }): void;
  /** Null for this host's file system. */
  readonly volume: Volume | null;
}

/**
 * Whether a copy of this size takes new space: nothing is there, or a file of another size, which is replaced. An impossible name counts
 * as missing here; its step reports it.
 */
export function takesSpace(target: Place, path: string, size: number): boolean {
  try {
    const there = target.stat(path);
    return there === null || (there.type === 'file' && there.size !== size);
  } catch {
    return true;
  }
}

/** This host's file system. Symbolic links are followed, as scp does. */
export const localPlace: Place = {
  volume: null,
  name: (path) => path,
  stat: (path) => {
    try {
      const stat = statSync(path);
      const type = typeOf(path, stat);
      return { type, size: stat.size, mode: stat.mode & 0o777, identity: `${stat.dev}:${stat.ino}` };
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw asDaxError(error, `cannot look at ${path}`, path);
      // A dangling link exists, but is no file.
      const link = lstatSync(path, { throwIfNoEntry: false });
      return link ? { type: 'other', size: 0, mode: 0, identity: `${link.dev}:${link.ino}` } : null;
    }
  },
  statOfCopy: (path) => {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
    const stat = localPlace.stat(path);
    return isLink && stat ? { ...stat, type: 'other' } : stat;
  },
  list: (path) => naming(path, 'read the directory', () => readdirSync(path).sort()),
  child: (directory, name) => join(directory, name),
  makeDirectory: (path, { mode }) => naming(path, 'make the directory', () => void mkdirSync(path, { mode })),
};

/** The paths that `-` means on either side. A file of that name is written `./-`. */
export const STANDARD_INPUT = '/dev/stdin';
export const STANDARD_OUTPUT = '/dev/stdout';

function typeOf(path: string, stat: Stats): PlaceStat['type'] {
  if (stat.isDirectory()) return 'directory';
  if (path === STANDARD_INPUT || stat.isFIFO() || stat.isSocket()) return 'stream';
  return stat.isFile() ? 'file' : 'other';
}

/** A mounted volume. Paths are shown with the device as the user named it. */
export function volumePlace(device: string, volume: Volume): Place {
  const stat = (path: string): PlaceStat | null => {
    if (!volume.exists(path)) return null;
    const { type, size, mode, path: identity } = volume.stat(path);
    return { type: type === 'symlink' ? 'other' : type, size, mode: mode & 0o777, identity };
  };
  const statOfCopy = (path: string): PlaceStat | null => {
    const found = stat(path);
    return found && volume.lstat(path).isSymbolicLink() ? { ...found, type: 'other' } : found;
  };
  return {
    volume,
    name: (path) => `${device}:${path}`,
    stat,
    statOfCopy,
    list: (path) => volume.readdir(path).sort(),
    child: (directory, name) => (directory.endsWith('/') ? directory + name : `${directory}/${name}`),
    makeDirectory: (path, owner) => volume.mkdir(path, owner),
  };
}

/** Adds to Node's errors the path and what could not be done with it. */
function naming<T>(path: string, what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw asDaxError(error, `cannot ${what} ${path}`, path);
  }
}
