import { lstatSync, mkdirSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Volume } from '../../famfs/index.js';
import { asDaxError, hasCode } from '../../libc/index.js';

/** What a copy must know of one end of it. */
export interface PlaceStat {
  /** stream: a pipe or standard input, whose size nobody knows. */
  type: 'file' | 'directory' | 'stream' | 'other';
  /** Bytes. */
  size: number;
  mode: number;
  /** What it really is, so that a tree that contains itself is noticed. */
  identity: string;
}

/** One side of a copy: this host's file system, or a volume. Paths are the side's own. */
export interface Place {
  /** How a path is shown to people. */
  name(path: string): string;
  /** Null when nothing is there. */
  stat(path: string): PlaceStat | null;
  /** The same of a name that nobody typed: a symbolic link is no directory, wherever it leads. */
  statOfCopy(path: string): PlaceStat | null;
  /** Names in a directory, sorted. */
  list(path: string): string[];
  child(directory: string, name: string): string;
  makeDirectory(path: string, owner: { mode: number; uid: number; gid: number }): void;
  /** Null on this host. */
  readonly volume: Volume | null;
}

/** This host's file system; symbolic links are followed, as scp does. */
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
      // A dangling link is there, but is no file.
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

/** What `-` means on either side; a file of that name is `./-`. */
export const STANDARD_INPUT = '/dev/stdin';
export const STANDARD_OUTPUT = '/dev/stdout';

function typeOf(path: string, stat: Stats): PlaceStat['type'] {
  if (stat.isDirectory()) return 'directory';
  if (path === STANDARD_INPUT || stat.isFIFO() || stat.isSocket()) return 'stream';
  return stat.isFile() ? 'file' : 'other';
}

/** A mounted volume, shown as the user named its device. */
export function volumePlace(device: string, volume: Volume): Place {
  const stat = (path: string): PlaceStat | null => {
    if (!volume.exists(path)) return null;
    const { type, size, mode, path: identity } = volume.stat(path);
    return { type, size, mode: mode & 0o777, identity };
  };
  return {
    volume,
    name: (path) => `${device}:${path}`,
    stat,
    statOfCopy: stat,
    list: (path) => volume.readdir(path).sort(),
    child: (directory, name) => (directory.endsWith('/') ? directory + name : `${directory}/${name}`),
    makeDirectory: (path, owner) => volume.mkdir(path, owner),
  };
}

/** Node's errors of this host's paths, told as ours: which path, and what could not be done with it. */
function naming<T>(path: string, what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw asDaxError(error, `cannot ${what} ${path}`, path);
  }
}
