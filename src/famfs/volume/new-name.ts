import { fail } from '../../libc/index.js';
import { toTreePath } from '../media/path.js';
import { type FileTree, ROOT_INO } from '../media/tree.js';
import type { MountedFamfs } from './mounted.js';
import type { PlaceInDirectory } from './name-changes.js';
import { checkName, refuseReserved } from './name-rules.js';
import { failMissing, find, NOBODY } from './names.js';
import { makeEmpty, makeSymlink, type NewObject, publishObject, replaceContent } from './publish-name.js';

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
 * The name of a new file or directory. Its directory is found once, from a path or an inode number. A check that the name is still
 * free is one lookup in the directory.
 */
export class NewName {
  readonly #directory: number | ComingDirectory;
  readonly #logPath: string;
  readonly #path: string;
  /** Whether a file that has the name loses it when this one is published. */
  readonly #replaces: boolean;

  private constructor(directory: number | ComingDirectory, logPath: string, path: string, replaces: boolean) {
    this.#directory = directory;
    this.#logPath = logPath;
    this.#path = path;
    this.#replaces = replaces;
  }

  /** The path from the root, without a leading slash, as it was when the directory was found. */
  get logPath(): string {
    return typeof this.#directory === 'number' ? this.#logPath : `${this.#directory.logPath}/${this.#base}`;
  }

  /** The path for messages: as the caller gave it, else from the root with a leading slash. */
  get path(): string {
    return typeof this.#directory === 'number' ? this.#path : `/${this.logPath}`;
  }

  get #base(): string {
    return this.#logPath.slice(this.#logPath.lastIndexOf('/') + 1);
  }

  static ofPath(tree: FileTree, path: string, replaces: boolean): NewName {
    const logPath = toTreePath(path);
    const above = aboveOf(logPath);
    const base = logPath.slice(logPath.lastIndexOf('/') + 1);
    if (tree.hasLinks && above !== '') {
      const found = find(tree, above);
      return new NewName(found.ino, found.logPath === '' ? base : `${found.logPath}/${base}`, path, replaces);
    }
    const directory = tree.lookup(above);
    if (directory === NOBODY) failMissing(tree, path, logPath);
    return new NewName(directory, logPath, path, replaces);
  }

  static inDirectory(tree: FileTree, { directory, name }: NameInDirectory, replaces: boolean): NewName {
    const path = pathOfPlace(tree, { directory, name });
    checkName(name, path);
    if (name === '') fail('EINVAL', `'${name}' is not the name of one thing in a directory`);
    return new NewName(directory, path.slice(1), path, replaces);
  }

  /** Whether its directory is published. */
  get hasDirectory(): boolean {
    return this.#number !== null;
  }

  /**
   * @returns what has the name now and may lose it, 0 for nothing
   * @throws DaxError EEXIST the name is taken; EISDIR it is that of a directory; ENOTDIR its directory is a file; ENOENT its
   *   directory is not published yet, or was removed; EPERM udax keeps the name
   */
  assertFree(tree: FileTree): number {
    const { path, logPath } = this;
    const directory = this.#number;
    if (directory === null) {
      const why = 'is not in the log yet: what is in a directory is published after it';
      fail('ENOENT', `${path}: its directory /${aboveOf(logPath)} ${why}`, { path });
    }
    const ino = logPath === '' ? ROOT_INO : tree.child(directory, this.#base);
    if (ino !== NOBODY) {
      const isDirectory = tree.isDirectory(ino);
      if (this.#replaces && !isDirectory) return ino;
      if (this.#replaces) fail('EISDIR', `/${logPath} is a directory: a file cannot replace it`, { path });
      const what = isDirectory ? 'a directory' : tree.linkTarget(ino) === null ? 'a file' : 'a symbolic link';
      fail('EEXIST', `/${logPath} exists already, as ${what}: choose another name`, {
        path,
      });
    }
    if (!tree.isDirectory(directory))
      fail('ENOTDIR', `${path}: /${aboveOf(logPath)} is a file, not a directory`, { path });
    if (tree.annex !== null) {
      if (!tree.annex.names.hasName(directory))
        fail('ENOENT', `${path}: its directory was removed`, { path });
      refuseReserved(directory, this.#base, path);
    }
    return 0;
  }

  /** Its place, as publishObject() takes it. assertFree() has passed. */
  place(replaced: number): { directory: number; name: string; keptAs: string; replaced: number } {
    return { directory: this.#number!, name: this.#base, keptAs: this.logPath, replaced };
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
export function newName(tree: FileTree, place: NewPlace, replaces = false): NewName {
  const name =
    typeof place === 'string'
      ? NewName.ofPath(tree, place, replaces)
      : NewName.inDirectory(tree, place, replaces);
  if (name.hasDirectory) name.assertFree(tree);
  return name;
}

/**
 * The place of a path whose name may or may not exist: its directory is found, symbolic links are followed but for the last name.
 * The root is the name '' in itself.
 * @throws DaxError ENOENT, ENOTDIR for its directory; EINVAL, ENAMETOOLONG for the path
 */
export function placeOfPath(tree: FileTree, path: string): PlaceInDirectory {
  const treePath = toTreePath(path);
  const above = aboveOf(treePath);
  const { ino } = above === '' ? { ino: ROOT_INO } : find(tree, above);
  const name = treePath.slice(treePath.lastIndexOf('/') + 1);
  if (!tree.isDirectory(ino)) fail('ENOTDIR', `${path}: /${above} is a file, not a directory`, { path });
  if (path.endsWith('/') && name !== '') {
    const found = tree.child(ino, name);
    if (found !== NOBODY && !tree.isDirectory(found))
      fail('ENOTDIR', `${path} is a file, not a directory`, { path });
  }
  return { directory: ino, name, path };
}

/** Options of a file or directory in the making. */
export interface GrowingOptions {
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** How many log entries the caller has already promised to other files in the making. Default: 0. */
  entriesBefore?: number;
  /** The name may be that of a file: that loses it when this one is published. Default: false, which is EEXIST. */
  replace?: boolean;
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
   * @throws DaxError as newName(); EBUSY the name is in the making elsewhere; ENOSPC log full
   */
  constructor(
    mounted: MountedFamfs,
    place: NewPlace,
    { entriesBefore = 0, replace = false }: Pick<GrowingOptions, 'entriesBefore' | 'replace'> = {},
  ) {
    this.#mounted = mounted;
    this.#kept = mounted.session(() => {
      const name = newName(mounted.tree, place, replace);
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

  /**
   * Publishes a file or directory under this name. Within a session.
   * @param beforeEntry called right before its log entry is written
   * @returns its inode number
   * @throws DaxError as NewName.assertFree(); ENOSPC log or device full
   */
  publish(object: NewObject, beforeEntry?: () => void): number {
    const { name } = this.#kept;
    const replaced = name.assertFree(this.#mounted.tree);
    return publishObject(this.#mounted, name.place(replaced), object, beforeEntry);
  }

  /** Publishes an empty file under this name. As publish(). */
  publishEmpty(attributes: { mode: number; uid: number; gid: number }): number {
    const { name } = this.#kept;
    const replaced = name.assertFree(this.#mounted.tree);
    return makeEmpty(this.#mounted, name.place(replaced), attributes);
  }

  /** Publishes a symbolic link under this name. As publish(). */
  publishSymlink(target: string, owner: { uid: number; gid: number }): number {
    const { name } = this.#kept;
    const replaced = name.assertFree(this.#mounted.tree);
    return makeSymlink(this.#mounted, name.place(replaced), target, owner);
  }

  /** Gives something published this name too. Within a session. @throws DaxError as NewName.assertFree(); ENOSPC */
  publishLink(ino: number): void {
    const { name } = this.#kept;
    const replaced = name.assertFree(this.#mounted.tree);
    const { directory, name: last } = name.place(replaced);
    this.#mounted.annex.write({ kind: 'bind', ino, directory, name: last, replaced });
  }

  /** Gives the name back. Idempotent. */
  release(): void {
    this.#kept.release();
  }

  /**
   * Begins to move to another place. @param replaced what is in the making and has the name there, and loses it
   * @param mayReplace whether the name may be that of a published file, which loses it when this one is published
   * @throws DaxError as newName(); EBUSY the name is in the making elsewhere
   */
  beginMove(place: NewPlace, replaced?: KeptName, mayReplace = false): NameMove {
    const next = this.#mounted.session(() => {
      const name = newName(this.#mounted.tree, place, mayReplace);
      return replaced === undefined ? this.#keep(name) : { name, release: replaced.#kept.release };
    });
    return this.#begin(next, replaced);
  }

  /** Begins to follow its directory, which is in the making and has moved. @throws DaxError EBUSY as beginMove() */
  beginFollow(): NameMove {
    const { name } = this.#kept;
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

/** A published file that gets other bytes: the name of what is made for that. It stays what it is, so there is nothing to keep. */
export class KeptContent {
  readonly #mounted: MountedFamfs;
  readonly #ino: number;

  constructor(mounted: MountedFamfs, ino: number) {
    this.#mounted = mounted;
    this.#ino = ino;
  }

  get path(): string {
    return `/${this.logPath}`;
  }

  get logPath(): string {
    return this.#mounted.tree.pathOf(this.#ino);
  }

  /** Nothing is kept. */
  release(): void {}

  /** As KeptName.publish(). @returns the number of the file, which stays */
  publish(object: NewObject, beforeEntry?: () => void): number {
    replaceContent(this.#mounted, this.#ino, object, beforeEntry);
    return this.#ino;
  }

  publishEmpty(): number {
    replaceContent(this.#mounted, this.#ino, null);
    return this.#ino;
  }
}
