import { type FileTree, ROOT_INO } from '../media/tree.js';

/** Numbers of further names, beyond all inode numbers. */
const ALIASES_START = 2 ** 34;

/** What a rewrite needs of the names of a tree. */
export type NamedTree = Pick<FileTree, 'child' | 'isDirectory' | 'nameOf' | 'parentOf'> & {
  children(directory: number): Iterable<number>;
};

interface Alias {
  ino: number;
  directory: number;
  name: string;
}

/**
 * The names of a tree in which objects may have several: each further name has a number of its own, so that it can be removed or moved
 * for itself.
 */
export class NameNumbers implements NamedTree {
  readonly #tree: FileTree;
  readonly #aliases = new Map<number, Alias>();
  readonly #byPlace = new Map<string, number>();

  constructor(tree: FileTree) {
    this.#tree = tree;
    if (tree.annex !== null) this.#collect(ROOT_INO);
  }

  #collect(directory: number): void {
    const tree = this.#tree;
    for (const { name, ino } of tree.entries(directory)) {
      if (tree.isDirectory(ino)) this.#collect(ino);
      else if (tree.stat(ino).nlink > 1 && (tree.parentOf(ino) !== directory || tree.nameOf(ino) !== name)) {
        const number = ALIASES_START + this.#aliases.size;
        this.#aliases.set(number, { ino, directory, name });
        this.#byPlace.set(`${directory}/${name}`, number);
      }
    }
  }

  /** The inode number of a name's number. */
  inodeOf(number: number): number {
    return this.#aliases.get(number)?.ino ?? number;
  }

  child(directory: number, name: string): number {
    const ino = this.#tree.child(directory, name);
    return this.#byPlace.get(`${directory}/${name}`) ?? ino;
  }

  *children(directory: number): Generator<number> {
    for (const { name, ino } of this.#tree.entries(directory))
      yield this.#byPlace.get(`${directory}/${name}`) ?? ino;
  }

  isDirectory(number: number): boolean {
    return !this.#aliases.has(number) && this.#tree.isDirectory(number);
  }

  parentOf(number: number): number {
    return this.#aliases.get(number)?.directory ?? this.#tree.parentOf(number);
  }

  nameOf(number: number): string {
    return this.#aliases.get(number)?.name ?? this.#tree.nameOf(number);
  }
}
