import type { GrowingFile } from '../../famfs/index.js';

/** Numbers of files that the log does not name yet: far beyond any log. */
export const FIRST_NEW_NODE = 2 ** 40;

/** A file made through this mount, from its CREATE until the kernel has forgotten it. */
export interface NewFile {
  /** What the kernel knows it by, for as long as it knows it: also after it was published. */
  readonly node: number;
  readonly parent: number;
  readonly name: string;
  readonly growing: GrowingFile;
  /** The thread that made it. */
  readonly creatorPid: number;
  opens: number;
  lookups: number;
  /** Its number in the log, once it is there. */
  ino: number | null;
  /** Unlinked before it was published: it ends with its last handle. */
  isRemoved: boolean;
}

/** The files made through one mount, by node, by name while unpublished, by inode number once published. */
export class NewFiles {
  readonly #byNode = new Map<number, NewFile>();
  readonly #byDirectory = new Map<number, Map<string, NewFile>>();
  readonly #byIno = new Map<number, NewFile>();
  #next = FIRST_NEW_NODE;

  add(parent: number, name: string, growing: GrowingFile, creatorPid: number): NewFile {
    const file: NewFile = {
      node: this.#next++,
      parent,
      name,
      growing,
      creatorPid,
      opens: 0,
      lookups: 0,
      ino: null,
      isRemoved: false,
    };
    this.#byNode.set(file.node, file);
    let names = this.#byDirectory.get(parent);
    if (names === undefined) {
      names = new Map();
      this.#byDirectory.set(parent, names);
    }
    names.set(name, file);
    return file;
  }

  get(node: number): NewFile | undefined {
    return this.#byNode.get(node);
  }

  /** One that the log does not name. */
  named(parent: number, name: string): NewFile | undefined {
    return this.#byDirectory.get(parent)?.get(name);
  }

  /** Those of a directory that the log does not name. */
  in(parent: number): Iterable<NewFile> {
    return this.#byDirectory.get(parent)?.values() ?? [];
  }

  /** The number the kernel knows a logged inode by. */
  nodeOf(ino: number): number {
    return this.#byIno.get(ino)?.node ?? ino;
  }

  published(file: NewFile, ino: number): void {
    file.ino = ino;
    this.#byIno.set(ino, file);
    this.#dropName(file);
  }

  removed(file: NewFile): void {
    file.isRemoved = true;
    this.#dropName(file);
  }

  /** The kernel took lookups back. */
  forget(node: number, count: number): void {
    const file = this.#byNode.get(node);
    if (file === undefined) return;
    file.lookups -= count;
    this.dropIfUnused(file);
  }

  /** Nobody knows it any more: a published one goes on under its own number. */
  dropIfUnused(file: NewFile): void {
    if (file.lookups > 0 || file.opens > 0) return;
    this.#byNode.delete(file.node);
    if (file.ino !== null) this.#byIno.delete(file.ino);
    this.#dropName(file);
  }

  /** All that still take space which the log does not name. */
  *unpublished(): Iterable<NewFile> {
    for (const file of this.#byNode.values()) if (file.ino === null) yield file;
  }

  #dropName(file: NewFile): void {
    const names = this.#byDirectory.get(file.parent);
    if (names?.get(file.name) !== file) return;
    names.delete(file.name);
    if (names.size === 0) this.#byDirectory.delete(file.parent);
  }
}
