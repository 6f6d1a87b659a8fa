import { fail } from '../../libc/index.js';
import { toLogPath } from '../media/path.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import { failMissing, NOBODY } from './names.js';

const ALL_BITS = 0o7777;

/** A directory in the making: the log does not name it yet, but will name it before its content. */
export interface ComingDirectory {
  readonly logPath: string;
  /** Its inode number once it is published, else null. */
  readonly ino: number | null;
}

/** A name in a directory: a published directory, by its inode number, or one in the making. */
export interface NameInDirectory {
  readonly directory: number | ComingDirectory;
  readonly name: string;
}

/** The place of a new file or directory: a path from the root, or a name in a directory. */
export type NewPlace = string | NameInDirectory;

/**
 * The name of a new file or directory. Its directory is found once, from a path or an inode number. famfs renames no published
 * directory, so the path for the log is made once too; in a directory in the making it follows the directory. A check that the name
 * is still free is one lookup in the directory.
 */
class NewName {
  readonly #directory: number | ComingDirectory;
  readonly #logPath: string;
  readonly #path: string;

  private constructor(directory: number | ComingDirectory, logPath: string, path: string) {
    this.#directory = directory;
    this.#logPath = logPath;
    this.#path = path;
  }

  /** The path for the log entry. */
  get logPath(): string {
    return typeof this.#directory === 'number' ? this.#logPath : `${this.#directory.logPath}/${this.#base}`;
  }

  /** The path for messages: as the caller gave it, else from the root with a leading slash. */
  get path(): string {
    return typeof this.#directory === 'number' ? this.#path : `/${this.logPath}`;
  }

  /** Checks that the path of its directory leaves room for it. @throws DaxError ENAMETOOLONG */
  assertFits(): void {
    toLogPath(this.logPath);
  }

  get #base(): string {
    return this.#logPath.slice(this.#logPath.lastIndexOf('/') + 1);
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

  /** Whether its directory is published. */
  get hasDirectory(): boolean {
    return this.#number !== null;
  }

  /** @throws DaxError EEXIST the name is taken; ENOTDIR its directory is a file; ENOENT its directory is not published yet */
  assertFree(tree: FileTree): void {
    const { path, logPath } = this;
    const directory = this.#number;
    if (directory === null) {
      const why = 'is not in the log yet: what is in a directory is published after it';
      fail('ENOENT', `${path}: its directory /${aboveOf(logPath)} ${why}`, { path });
    }
    const ino = logPath === '' ? ROOT_INO : tree.child(directory, this.#base);
    if (ino !== NOBODY) {
      const what = tree.isDirectory(ino) ? 'a directory' : 'a file';
      fail('EEXIST', `/${logPath} exists already, as ${what}: choose another name`, {
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

/** The path of a place for messages: as given, or from the root with a leading slash. */
export function pathOfPlace(tree: FileTree, place: NewPlace): string {
  if (typeof place === 'string') return place;
  const { directory, name } = place;
  const above = typeof directory === 'number' ? tree.pathOf(directory) : directory.logPath;
  return above === '' ? `/${name}` : `/${above}/${name}`;
}

/**
 * Finds the place of a new file or directory, and checks that its name is free. In a directory in the making, every name is.
 * @throws DaxError EEXIST; ENOENT, ENOTDIR for its parent; EINVAL, ENAMETOOLONG for the name
 */
export function newName(tree: FileTree, place: NewPlace): NewName {
  const name = typeof place === 'string' ? NewName.ofPath(tree, place) : NewName.inDirectory(tree, place);
  if (name.hasDirectory) name.assertFree(tree);
  return name;
}

/** Options of a file or directory in the making. */
export interface GrowingOptions {
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** How many log entries the caller has already promised to other files in the making. Default: 0. */
  entriesBefore?: number;
}

interface Kept {
  readonly name: NewName;
  /** Idempotent. */
  readonly release: () => void;
}

/** A change of a name in the making that has begun: the new name is kept and in force, the old one is still kept. */
export interface NameMove {
  /** Gives the old name back. */
  commit(): void;
  /** Gives the new name back: the old one is in force again. */
  undo(): void;
}

/**
 * The name of a file or directory that is made now and logged later. No other process or mount of this host can take it until it is
 * released. Until it is logged it can be moved.
 */
export class KeptName {
  readonly #mounted: MountedFamfs;
  #kept: Kept;

  /**
   * @param entriesBefore how many log entries the caller has already promised to other files in the making
   * @throws DaxError as newName(); EBUSY the name is in the making elsewhere; ENOSPC log full
   */
  constructor(mounted: MountedFamfs, place: NewPlace, entriesBefore = 0) {
    this.#mounted = mounted;
    this.#kept = mounted.session(() => {
      const name = newName(mounted.tree, place);
      mounted.assertLogRoom(1 + entriesBefore);
      return this.#keep(name);
    });
  }

  get path(): string {
    return this.#kept.name.path;
  }

  get logPath(): string {
    return this.#kept.name.logPath;
  }

  /** @throws DaxError as NewName.assertFree() */
  assertFree(): void {
    this.#kept.name.assertFree(this.#mounted.tree);
  }

  /** Gives the name back. Idempotent. */
  release(): void {
    this.#kept.release();
  }

  /**
   * Begins to move to another place. @param replaced what has the name there, and loses it
   * @throws DaxError as newName(); EBUSY the name is in the making elsewhere
   */
  beginMove(place: NewPlace, replaced?: KeptName): NameMove {
    const next = this.#mounted.session(() => {
      const name = newName(this.#mounted.tree, place);
      return replaced === undefined ? this.#keep(name) : { name, release: replaced.#kept.release };
    });
    return this.#begin(next, replaced);
  }

  /** Begins to follow its directory, which is in the making and has moved. @throws DaxError ENAMETOOLONG; EBUSY as beginMove() */
  beginFollow(): NameMove {
    const { name } = this.#kept;
    name.assertFits();
    return this.#begin(this.#mounted.session(() => this.#keep(name)));
  }

  #keep(name: NewName): Kept {
    return { name, release: this.#mounted.reserveName(name.logPath) };
  }

  #begin(next: Kept, replaced?: KeptName): NameMove {
    const before = this.#kept;
    this.#kept = next;
    return {
      commit: () => {
        before.release();
        if (replaced) replaced.#kept = { name: replaced.#kept.name, release: () => undefined };
      },
      undo: () => {
        this.#kept = before;
        if (!replaced) next.release();
      },
    };
  }
}

/** Checks permission bits. @throws DaxError EINVAL beyond 0o7777 */
export function permissions(mode: number, path: string): number {
  if (!Number.isInteger(mode) || mode < 0 || mode > ALL_BITS) {
    fail('EINVAL', `mode ${mode} of ${path} is not a set of permission bits (0 to 0o7777)`, { path });
  }
  return mode;
}

/** The owner of a new file or directory: as given, else the user of this process. */
export function ownerOf({ uid, gid }: { uid?: number; gid?: number }): { uid: number; gid: number } {
  return { uid: uid ?? process.getuid?.() ?? 0, gid: gid ?? process.getgid?.() ?? 0 };
}
