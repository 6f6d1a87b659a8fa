import { fail } from '../../libc/index.js';
import { checkLogPathLength, encodeName, toTreePath } from '../media/path.js';
import { ROOT_INO } from '../media/tree.js';
import { failMissing, find, type Names, NOBODY } from './names.js';
import type { NamedTree } from './rewrite-aliases.js';

interface Place {
  directory: number;
  name: string;
}

/**
 * The names that a volume is to have: those of its tree, with files and directories removed and moved, one after another. Each
 * change sees the result of those before it. The errors are those of unlink(2), rmdir(2) and rename(2). The tree itself is not
 * changed.
 */
export class ChangedNames implements Names {
  readonly removed = { files: 0, directories: 0 };
  /** How many moves had an effect. */
  moves = 0;
  readonly #tree: NamedTree;
  /** Whether names that a log entry cannot say may stay, in an annex. */
  readonly #mayBeLong: boolean;
  readonly #gone = new Set<number>();
  /** Where a moved file or directory is now. */
  readonly #moved = new Map<number, Place>();
  /** The names that were moved into a directory. */
  readonly #arrived = new Map<number, Map<string, number>>();

  constructor(tree: NamedTree, mayBeLong = false) {
    this.#tree = tree;
    this.#mayBeLong = mayBeLong;
  }

  get haveChanged(): boolean {
    return this.#gone.size > 0 || this.#moved.size > 0;
  }

  isGone(ino: number): boolean {
    return this.#gone.has(ino);
  }

  isDirectory(ino: number): boolean {
    return this.#tree.isDirectory(ino);
  }

  lookup(path: string): number {
    let ino = ROOT_INO;
    for (const component of path.split('/')) {
      if (component === '') continue;
      ino = this.child(ino, component);
      if (ino === NOBODY) return NOBODY;
    }
    return ino;
  }

  child(directory: number, name: string): number {
    const arrived = this.#arrived.get(directory)?.get(name);
    if (arrived !== undefined) return arrived;
    const ino = this.#tree.child(directory, name);
    return ino === NOBODY || this.#gone.has(ino) || this.#moved.has(ino) ? NOBODY : ino;
  }

  *children(directory: number): Generator<number> {
    for (const ino of this.#tree.children(directory)) {
      if (!this.#gone.has(ino) && !this.#moved.has(ino)) yield ino;
    }
    yield* this.#arrived.get(directory)?.values() ?? [];
  }

  parentOf(ino: number): number {
    return this.#moved.get(ino)?.directory ?? this.#tree.parentOf(ino);
  }

  nameOf(ino: number): string {
    return this.#moved.get(ino)?.name ?? this.#tree.nameOf(ino);
  }

  /** Path from the root, without a leading slash. */
  pathOf(ino: number): string {
    const names: string[] = [];
    for (let at = ino; at !== ROOT_INO; at = this.parentOf(at)) names.push(this.nameOf(at));
    return names.reverse().join('/');
  }

  /** All files and directories whose path is another one now, with that path. */
  newPaths(): Map<number, string> {
    const paths = new Map<number, string>();
    const add = (ino: number, path: string): void => {
      if (this.#gone.has(ino) || paths.has(ino)) return;
      paths.set(ino, path);
      if (!this.isDirectory(ino)) return;
      for (const child of this.children(ino)) add(child, this.pathOf(child));
    };
    for (const ino of this.#moved.keys()) add(ino, this.pathOf(ino));
    return paths;
  }

  /** @throws DaxError ENOENT, ENOTDIR, EINVAL, EBUSY the root; ENOTEMPTY a directory with content, without `recursive` */
  remove(path: string, recursive: boolean): void {
    const { ino, logPath } = find(this, path);
    if (ino === ROOT_INO) fail('EBUSY', `${path} is the root directory: name what is in it`, { path });
    const isDirectory = this.isDirectory(ino);
    if (isDirectory && !recursive && !this.#isEmpty(ino)) {
      fail(
        'ENOTEMPTY',
        `/${logPath} is a directory with something in it: remove that first, or say recursive`,
        {
          path,
          hint: 'recursive',
        },
      );
    }
    this.#removeWhole(ino);
  }

  /**
   * Gives a file or directory another name, as rename(2): a file replaces a file, a directory an empty directory.
   * @throws DaxError ENOENT; ENOTDIR, EISDIR the two are of different kinds; ENOTEMPTY; EINVAL into itself; EBUSY the root;
   *   ENAMETOOLONG the path of it, or of something in it, would not fit the log
   */
  move(from: string, to: string): void {
    // In the order of the kernel: both directories, then what is in them.
    this.#directoryOf(from);
    const { directory, name } = this.#directoryOf(to);
    const { ino, logPath } = find(this, from);
    const target = toTreePath(to);
    if (!this.isDirectory(ino) && to.endsWith('/')) {
      fail('ENOTDIR', `${to} ends in /, which names a directory, and /${logPath} is a file`, { path: to });
    }
    const there = this.child(directory, name);
    if (there === ino) return;
    if (this.#isIn(directory, ino)) {
      fail('EINVAL', `/${logPath} cannot be moved into itself (${to})`, { path: from });
    }
    if (there !== NOBODY && this.#isIn(this.parentOf(ino), there))
      fail('ENOTEMPTY', `${to} is a directory that holds /${logPath}: it cannot be replaced by it`, {
        path: to,
      });
    if (there !== NOBODY) this.#replace(there, ino, to);
    this.#checkLengths(ino, target);
    this.#leave(ino);
    this.#moved.set(ino, { directory, name });
    if (!this.#arrived.has(directory)) this.#arrived.set(directory, new Map());
    this.#arrived.get(directory)!.set(name, ino);
    this.moves++;
  }

  #directoryOf(path: string): Place {
    const logPath = toTreePath(path);
    if (logPath === '') fail('EBUSY', `${path} is the root directory: it stays where it is`, { path });
    const slash = Math.max(0, logPath.lastIndexOf('/'));
    const directory = this.lookup(logPath.slice(0, slash));
    if (directory === NOBODY) failMissing(this, path, logPath);
    if (!this.isDirectory(directory))
      fail('ENOTDIR', `${path}: /${logPath.slice(0, slash)} is a file, not a directory`, { path });
    return { directory, name: logPath.slice(logPath.lastIndexOf('/') + 1) };
  }

  /** Removes what a move replaces. */
  #replace(there: number, by: number, path: string): void {
    const isDirectory = this.isDirectory(there);
    if (this.isDirectory(by) && !isDirectory)
      fail('ENOTDIR', `${path} is a file: a directory cannot replace it`, { path });
    if (!this.isDirectory(by) && isDirectory)
      fail('EISDIR', `${path} is a directory: a file cannot replace it`, { path });
    if (isDirectory && !this.#isEmpty(there))
      fail('ENOTEMPTY', `${path} is a directory with something in it: it cannot be replaced`, { path });
    this.#removeWhole(there);
  }

  #checkLengths(ino: number, path: string): void {
    if (this.#mayBeLong) return;
    checkLogPathLength(path, encodeName(path).length);
    if (!this.isDirectory(ino)) return;
    for (const child of this.children(ino)) {
      const name = this.#moved.get(child)?.name ?? this.#tree.nameOf(child);
      this.#checkLengths(child, `${path}/${name}`);
    }
  }

  #removeWhole(ino: number): void {
    if (this.isDirectory(ino)) {
      for (const child of [...this.children(ino)]) this.#removeWhole(child);
      this.removed.directories++;
    } else this.removed.files++;
    this.#leave(ino);
    this.#gone.add(ino);
  }

  /** Takes the name of a file or directory out of the directory that it was moved to, if it was. */
  #leave(ino: number): void {
    const place = this.#moved.get(ino);
    if (place === undefined) return;
    this.#arrived.get(place.directory)?.delete(place.name);
    this.#moved.delete(ino);
  }

  #isEmpty(directory: number): boolean {
    return this.children(directory).next().done === true;
  }

  #isIn(directory: number, above: number): boolean {
    for (let at = directory; at !== ROOT_INO; at = this.parentOf(at)) if (at === above) return true;
    return false;
  }
}
