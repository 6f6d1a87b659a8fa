import type { GrowingDirectory, GrowingFile } from '../../famfs/index.js';

/** Numbers of what the log does not name yet: far beyond any log. */
export const FIRST_NEW_NODE = 2 ** 40;

interface New {
  /** What the kernel knows it by, for as long as it knows it: also after it was published. */
  readonly node: number;
  /** The directory it is in: its number in the log, or its node as long as it has none. */
  parent: number;
  readonly name: string;
  lookups: number;
  /** Its number in the log, once it is there. */
  ino: number | null;
  /** Taken away before it was published: a file ends with its last handle. */
  isRemoved: boolean;
  /** When it, or anything below it, was last changed (performance.now()). */
  changedAt: number;
  /** Descriptions open for writing: of a file itself, of a directory everything below it. */
  writers: number;
  /** When publishing is to be tried again (performance.now()) after it failed; Infinity: once something changes. 0: it has not failed. */
  retryAt: number;
}

/** A file made through this mount, from its CREATE until the kernel has forgotten it. */
export interface NewFile extends New {
  readonly kind: 'file';
  readonly growing: GrowingFile;
  opens: number;
  /** Somebody synced it: it is published as soon as it is closed. */
  isHurried: boolean;
}

/** A directory made through this mount. */
export interface NewDirectory extends New {
  readonly kind: 'directory';
  readonly growing: GrowingDirectory;
}

export type NewNode = NewFile | NewDirectory;

type Given<T extends NewNode> = Pick<T, 'parent' | 'name' | 'growing'>;

/** What was made through one mount: by node, by name while unpublished, by inode number once published. */
export class NewFiles {
  readonly #byNode = new Map<number, NewNode>();
  readonly #byDirectory = new Map<number, Map<string, NewNode>>();
  readonly #byIno = new Map<number, NewNode>();
  /** What the log does not name, directories before what is in them. */
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
    let names = this.#byDirectory.get(made.parent);
    if (names === undefined) {
      names = new Map();
      this.#byDirectory.set(made.parent, names);
    }
    names.set(made.name, made);
    this.touch(made);
    return made;
  }

  get(node: number): NewNode | undefined {
    return this.#byNode.get(node);
  }

  /** The directory it is in, when the log does not name that either. */
  parentOf({ parent }: NewNode): NewDirectory | undefined {
    return parent < FIRST_NEW_NODE ? undefined : (this.#byNode.get(parent) as NewDirectory);
  }

  /** It, or something in it, was changed now. */
  touch(made: NewNode): void {
    const now = performance.now();
    for (let at: NewNode | undefined = made; at !== undefined; at = this.parentOf(at)) {
      at.changedAt = now;
      at.retryAt = 0;
    }
  }

  /** A description was opened for writing (1), or is gone (-1). */
  countWriters(file: NewFile, change: 1 | -1): void {
    for (let at: NewNode | undefined = file; at !== undefined; at = this.parentOf(at)) at.writers += change;
    if (file.ino === null) this.touch(file);
  }

  /** One that the log does not name. */
  named(parent: number, name: string): NewNode | undefined {
    return this.#byDirectory.get(parent)?.get(name);
  }

  /** Those of a directory that the log does not name. */
  in(parent: number): Iterable<NewNode> {
    return this.#byDirectory.get(parent)?.values() ?? [];
  }

  /** The number the kernel knows a logged inode by; of what the log does not name its node. */
  nodeOf(ino: number): number {
    return this.#byIno.get(ino)?.node ?? ino;
  }

  published(made: NewNode, ino: number): void {
    made.ino = ino;
    this.#byIno.set(ino, made);
    this.#unpublished.delete(made);
    this.#dropName(made);
    if (made.kind === 'directory') this.#moveContents(made, ino);
    this.dropIfUnused(made);
  }

  /** What is in a directory finds it by its number in the log from now on. */
  #moveContents({ node }: NewDirectory, ino: number): void {
    const names = this.#byDirectory.get(node);
    if (names === undefined) return;
    this.#byDirectory.delete(node);
    this.#byDirectory.set(ino, names);
    for (const made of names.values()) made.parent = ino;
  }

  removed(made: NewNode): void {
    made.isRemoved = true;
    this.#unpublished.delete(made);
    this.#dropName(made);
    const parent = this.parentOf(made);
    if (parent) this.touch(parent);
  }

  /** The kernel took lookups back. @returns whether it has none left */
  forget(node: number, count: number): boolean {
    const made = this.#byNode.get(node);
    if (made === undefined) return true;
    made.lookups -= count;
    this.dropIfUnused(made);
    return made.lookups <= 0;
  }

  /** Nobody knows it any more: a published one goes on under its own number. */
  dropIfUnused(made: NewNode): void {
    if (made.lookups > 0 || this.#unpublished.has(made)) return;
    if (made.kind === 'file' && made.opens > 0) return;
    this.#byNode.delete(made.node);
    if (made.ino !== null) this.#byIno.delete(made.ino);
  }

  get unpublishedCount(): number {
    return this.#unpublished.size;
  }

  /** All that the log does not name and that has a name, directories before what is in them. */
  unpublished(): Iterable<NewNode> {
    return this.#unpublished;
  }

  /** Files that still take space which the log does not name, removed ones too. */
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
