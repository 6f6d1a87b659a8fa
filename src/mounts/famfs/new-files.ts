import type { GrowingDirectory, GrowingFile } from '../../famfs/index.js';

/** The first node for files and directories in the making, far beyond the inode numbers of any log. */
export const FIRST_NEW_NODE = 2 ** 40;

interface New {
  /** The node by which the kernel knows it, also after it was published. */
  readonly node: number;
  /** Its directory: the inode number in the log, or the node while the directory is in the making. */
  parent: number;
  name: string;
  lookups: number;
  /** Its inode number once it is published, else null. */
  ino: number | null;
  /** Whether it was removed before it was published. A removed file lives until its last handle is closed. */
  isRemoved: boolean;
  /** When it, or anything unpublished below it, was last changed (performance.now()). */
  changedAt: number;
  /** How many handles are open for writing: of the file, or of all files below the directory. */
  writers: number;
  /** When publishing is to be tried again (performance.now()) after it failed; Infinity: once something changes. 0: it has not failed. */
  retryAt: number;
}

/** A file made through this mount, from its CREATE until the kernel has forgotten it. */
export interface NewFile extends New {
  readonly kind: 'file';
  readonly growing: GrowingFile;
  opens: number;
  /** A program called fsync(2): the file is published as soon as it is closed. */
  isHurried: boolean;
}

/** A directory made through this mount. */
export interface NewDirectory extends New {
  readonly kind: 'directory';
  readonly growing: GrowingDirectory;
}

export type NewNode = NewFile | NewDirectory;

type Given<T extends NewNode> = Pick<T, 'parent' | 'name' | 'growing'>;

/** The files and directories made through one mount: by node, by name while unpublished, by inode number once published. */
export class NewFiles {
  readonly #byNode = new Map<number, NewNode>();
  readonly #byDirectory = new Map<number, Map<string, NewNode>>();
  readonly #byIno = new Map<number, NewNode>();
  /** What the log does not name yet. Directories come before their contents. */
  readonly #unpublished = new Set<NewNode>();
  #next = FIRST_NEW_NODE;

  addFile(given: Given<NewFile>): NewFile {
    return this.#add({
      ...this.#born(given),
      kind: 'file',
      growing: given.growing,
      opens: 0,
      isHurried: false,
    });
  }

  addDirectory(given: Given<NewDirectory>): NewDirectory {
    return this.#add({ ...this.#born(given), kind: 'directory', growing: given.growing });
  }

  #born({ parent, name }: Given<NewNode>): New {
    const node = this.#next++;
    return {
      node,
      parent,
      name,
      lookups: 0,
      ino: null,
      isRemoved: false,
      changedAt: 0,
      writers: 0,
      retryAt: 0,
    };
  }

  #add<T extends NewNode>(made: T): T {
    this.#byNode.set(made.node, made);
    this.#unpublished.add(made);
    this.#addName(made);
    this.touch(made);
    return made;
  }

  #addName(made: NewNode): void {
    let names = this.#byDirectory.get(made.parent);
    if (names === undefined) {
      names = new Map();
      this.#byDirectory.set(made.parent, names);
    }
    names.set(made.name, made);
  }

  get(node: number): NewNode | undefined {
    return this.#byNode.get(node);
  }

  /** Its directory, when that is unpublished too. */
  parentOf({ parent }: NewNode): NewDirectory | undefined {
    return parent < FIRST_NEW_NODE ? undefined : (this.#byNode.get(parent) as NewDirectory);
  }

  /** Notes a change now, for it and all unpublished directories above it. */
  touch(made: NewNode): void {
    const now = performance.now();
    for (let at: NewNode | undefined = made; at !== undefined; at = this.parentOf(at)) {
      at.changedAt = now;
      at.retryAt = 0;
    }
  }

  /** Counts a handle that was opened for writing (1) or is gone (-1). */
  countWriters(file: NewFile, change: 1 | -1): void {
    file.writers += change;
    this.#addWriters(file, change);
    if (file.ino === null) this.touch(file);
  }

  /** The unpublished file or directory of this name. */
  named(parent: number, name: string): NewNode | undefined {
    return this.#byDirectory.get(parent)?.get(name);
  }

  /** The unpublished files and directories in a directory. */
  in(parent: number): Iterable<NewNode> {
    return this.#byDirectory.get(parent)?.values() ?? [];
  }

  /** The node by which the kernel knows an inode of the log. A node of something in the making is returned as it is. */
  nodeOf(ino: number): number {
    return this.#byIno.get(ino)?.node ?? ino;
  }

  /** nodeOf() gives the inode number from now on. */
  forgetFirstNode(ino: number): void {
    this.#byIno.delete(ino);
  }

  published(made: NewNode, ino: number): void {
    made.ino = ino;
    this.#byIno.set(ino, made);
    this.#unpublished.delete(made);
    this.#dropName(made);
    if (made.kind === 'directory') this.#moveContents(made, ino);
    this.dropIfUnused(made);
  }

  /** Keys the contents of a directory by its inode number from now on. */
  #moveContents({ node }: NewDirectory, ino: number): void {
    const names = this.#byDirectory.get(node);
    if (names === undefined) return;
    this.#byDirectory.delete(node);
    this.#byDirectory.set(ino, names);
    for (const made of names.values()) made.parent = ino;
  }

  /** Gives an unpublished file or directory another name, in the same directory or another. */
  moved(made: NewNode, parent: number, name: string): void {
    this.#dropName(made);
    this.#addWriters(made, -made.writers);
    this.#touchAbove(made);
    made.parent = parent;
    made.name = name;
    this.#addWriters(made, made.writers);
    this.#addName(made);
    this.touch(made);
  }

  /** All that is unpublished below a directory, at any depth. Directories come before their contents. */
  *below(directory: NewDirectory): Iterable<NewNode> {
    for (const made of this.in(directory.node)) {
      yield made;
      if (made.kind === 'directory') yield* this.below(made);
    }
  }

  removed(made: NewNode): void {
    made.isRemoved = true;
    this.#unpublished.delete(made);
    this.#dropName(made);
    this.#touchAbove(made);
  }

  #touchAbove(made: NewNode): void {
    const parent = this.parentOf(made);
    if (parent) this.touch(parent);
  }

  /** Counts handles that were opened for writing for the unpublished directories above. */
  #addWriters(made: NewNode, change: number): void {
    for (let at = this.parentOf(made); at !== undefined; at = this.parentOf(at)) at.writers += change;
  }

  /** The kernel has forgotten `count` lookups. @returns whether it holds none any more */
  forget(node: number, count: number): boolean {
    const made = this.#byNode.get(node);
    if (made === undefined) return true;
    made.lookups -= count;
    this.dropIfUnused(made);
    return made.lookups <= 0;
  }

  /** Drops it when the kernel does not know it any more and no handle is open. A published one then has its inode number as node. */
  dropIfUnused(made: NewNode): void {
    if (made.lookups > 0 || this.#unpublished.has(made)) return;
    if (made.kind === 'file' && made.opens > 0) return;
    this.#byNode.delete(made.node);
    if (made.ino !== null && this.#byIno.get(made.ino) === made) this.#byIno.delete(made.ino);
  }

  get unpublishedCount(): number {
    return this.#unpublished.size;
  }

  /** All unpublished files and directories that are not removed. Directories come before their contents. */
  unpublished(): Iterable<NewNode> {
    return this.#unpublished;
  }

  /** All unpublished files, which take space that the log does not name. Removed ones too. */
  *growing(): Iterable<NewFile> {
    for (const made of this.#byNode.values()) if (made.kind === 'file' && made.ino === null) yield made;
  }

  #dropName(made: NewNode): void {
    const names = this.#byDirectory.get(made.parent);
    if (names?.get(made.name) !== made) return;
    names.delete(made.name);
    if (names.size === 0) this.#byDirectory.delete(made.parent);
  }
}
