import { fail } from '../../libc/index.js';
import { toLogPath } from '../media/path.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import { failMissing, NOBODY } from './names.js';

const ALL_BITS = 0o7777;

/** A directory that the log does not name yet, but will before what is in it. */
export interface ComingDirectory {
  readonly logPath: string;
  /** Its number, once it is in the log. */
  readonly ino: number | null;
}

/** One name in a directory: of the log by its number, or one that is coming. */
export interface NameInDirectory {
  readonly directory: number | ComingDirectory;
  readonly name: string;
}

/** Where something new is to be: a path from the root, or a name in a directory. */
export type NewPlace = string | NameInDirectory;

/**
 * The name of something new. Its directory is found once, whoever asked by a path or by a number; famfs renames nothing, so what
 * the log will say of it is made once, too. Whether the name is still free is one look into the directory.
 */
class NewName {
  /** As the log says it. */
  readonly logPath: string;
  /** For messages: what was asked for, else from the root with a leading slash. */
  readonly path: string;
  readonly #directory: number | ComingDirectory;

  private constructor(directory: number | ComingDirectory, logPath: string, path: string) {
    this.#directory = directory;
    this.logPath = logPath;
    this.path = path;
  }

  static ofPath(tree: FileTree, path: string): NewName {
    const logPath = toLogPath(path);
    const directory = tree.lookup(logPath.slice(0, Math.max(0, logPath.lastIndexOf('/'))));
    if (directory === NOBODY) failMissing(tree, path, logPath);
    return new NewName(directory, logPath, path);
  }

  static inDirectory(tree: FileTree, { directory, name }: NameInDirectory): NewName {
    if (name === '' || name.includes('/'))
      fail('EINVAL', `'${name}' is not the name of one thing in a directory`);
    const path = pathOfPlace(tree, { directory, name });
    return new NewName(directory, toLogPath(path), path);
  }

  /** Whether its directory is in the log. */
  get hasDirectory(): boolean {
    return this.#number !== null;
  }

  /** @throws DaxError EEXIST; ENOTDIR, ENOENT its directory is none, or not in the log yet */
  assertFree(tree: FileTree): void {
    const { path, logPath } = this;
    const directory = this.#number;
    if (directory === null) {
      const why = 'is not in the log yet: what is in a directory is published after it';
      fail('ENOENT', `${path}: its directory /${aboveOf(logPath)} ${why}`, { path });
    }
    const ino =
      logPath === '' ? ROOT_INO : tree.child(directory, logPath.slice(logPath.lastIndexOf('/') + 1));
    if (ino !== NOBODY) {
      const what = tree.isDirectory(ino) ? 'a directory' : 'a file';
      fail('EEXIST', `/${logPath} exists already, as ${what}: choose another name (famfs cannot delete)`, {
        path,
      });
    }
    if (!tree.isDirectory(directory))
      fail('ENOTDIR', `${path}: /${aboveOf(logPath)} is a file, not a directory`, { path });
  }

  get #number(): number | null {
    return typeof this.#directory === 'number' ? this.#directory : this.#directory.ino;
  }
}

function aboveOf(logPath: string): string {
  return logPath.slice(0, Math.max(0, logPath.lastIndexOf('/')));
}

/** For messages; from the root, with a leading slash, when it is not a path already. */
export function pathOfPlace(tree: FileTree, place: NewPlace): string {
  if (typeof place === 'string') return place;
  const { directory, name } = place;
  const above = typeof directory === 'number' ? tree.pathOf(directory) : directory.logPath;
  return above === '' ? `/${name}` : `/${above}/${name}`;
}

/**
 * A name where something new can be. In a directory that is coming nothing can be in the way.
 * @throws DaxError EEXIST; ENOENT, ENOTDIR for its parent; EINVAL, ENAMETOOLONG for the name
 */
export function newName(tree: FileTree, place: NewPlace): NewName {
  const name = typeof place === 'string' ? NewName.ofPath(tree, place) : NewName.inDirectory(tree, place);
  if (name.hasDirectory) name.assertFree(tree);
  return name;
}

/** What something new is made with. */
export interface GrowingOptions {
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Log entries that the caller has promised to others already. Default 0. */
  entriesBefore?: number;
}

/** A name that nobody else of this host can take meanwhile. */
export interface KeptName {
  readonly name: NewName;
  /** Idempotent. */
  readonly release: () => void;
}

/**
 * Keeps a name for what is made now and logged later.
 * @param entriesBefore log entries that the caller has promised to others already
 * @throws DaxError as newName(); EBUSY it is being made elsewhere; ENOSPC log full
 */
export function keepName(mounted: MountedFamfs, place: NewPlace, entriesBefore = 0): KeptName {
  return mounted.session(() => {
    const name = newName(mounted.tree, place);
    mounted.assertLogRoom(1 + entriesBefore);
    return { name, release: mounted.reserveName(name.logPath) };
  });
}

/** Checks permission bits. @throws DaxError EINVAL beyond 0o7777 */
export function permissions(mode: number, path: string): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > ALL_BITS) {
    fail('EINVAL', `mode ${mode} of ${path} is not a set of permission bits (0 to 0o7777)`, { path });
  }
  return mode;
}

/** Who owns something new: as given, else the caller. */
export function ownerOf({ uid, gid }: { uid?: number; gid?: number }): { uid: number; gid: number } {
  return { uid: uid ?? process.getuid?.() ?? 0, gid: gid ?? process.getgid?.() ?? 0 };
}
