import type { GrowingDirectory, GrowingFile, KeptName } from '../../famfs/index.js';

/** The first node for what is in the making, far beyond the inode numbers of any volume. */
export const FIRST_NEW_NODE = 2 ** 40;
/** Minor numbers of devices have 20 bits, so all nodes are below 2^49. */
const NODES_OF_A_MOUNT = 2 ** 28;

/** One name of something in the making. Files and symbolic links can have several (link(2)). */
export interface NewName {
  readonly made: NewNode;
  /** Its directory: the inode number in the volume, or the node while the directory is in the making. */
  parent: number;
  name: string;
  kept: KeptName;
  /** Its place in listings: the node for the first name. */
  readonly place: number;
}

interface New {
  /** The node by which the kernel knows it, also after it was published. */
  readonly node: number;
  /** Its names, as long as the volume does not have them. */
  readonly names: NewName[];
  lookups: number;
  /** Its inode number in the volume; null as long as it was never published. */
  ino: number | null;
  /** Whether its last name was removed before it was published. A removed file lives until its last handle is closed. */
  isRemoved: boolean;
  /** When it, or anything unpublished below it, was last changed (performance.now()). */
  changedAt: number;
  /** How many handles are open for writing: of the file, or of all files below the directory. */
  writers: number;
  /** When publishing is to be tried again (performance.now()) after it failed; Infinity: once something changes. 0: it has not failed. */
  retryAt: number;
  /** Extended attributes (user.*) that the volume does not have yet. */
  readonly xattrs: Map<string, Uint8Array>;
}

/** A file made or changed through this mount, until the kernel has forgotten it. */
export interface NewFile extends New {
  readonly kind: 'file';
  /** What it holds while it is pending. */
  growing: GrowingFile;
  /** Whether the volume does not have what it holds: it is new, or it was published and got another size since. */
  isPending: boolean;
  /** Counts how often it was published: handles open the published bytes again when these are others. */
  version: number;
  opens: number;
  /** A program called fsync(2), and the file cannot be published while it is open: it is published as soon as it is closed. */
  isHurried: boolean;
}

/** A directory made through this mount. */
export interface NewDirectory extends New {
  readonly kind: 'directory';
  readonly growing: GrowingDirectory;
}

/** A symbolic link made through this mount. */
export interface NewSymlink extends New {
  readonly kind: 'symlink';
  readonly target: string;
  mode: number;
  uid: number;
  gid: number;
}

export type NewNode = NewFile | NewDirectory | NewSymlink;

/** Mode and owner that it will have in the volume. */
export function saidOf(made: NewNode): { mode: number; uid: number; gid: number } {
  return made.kind === 'symlink' ? made : made.growing;
}

/** Whether this mount, and not the volume, has what it is. */
export function isPending(made: NewNode): boolean {
  return made.kind === 'file' ? made.isPending : made.ino === null;
}

const NEW_FILE = { kind: 'file', isPending: true, version: 0, opens: 0, isHurried: false } as const;

export interface NewPlaceOf {
  readonly parent: number;
  readonly name: string;
  readonly kept: KeptName;
}

/** What was made or changed through one mount: by node, by name while unpublished, by inode number once published. */
export class NewFiles {
  readonly #byNode = new Map<number, NewNode>();
  readonly #byDirectory = new Map<number, Map<string, NewName>>();
  readonly #byIno = new Map<number, NewNode>();
  /** What the volume does not have yet, in the order of the last close; what was never open, in the order of its making. */
  readonly #unpublished = new Set<NewNode>();
  #next = FIRST_NEW_NODE;

  /**
   * Begins with numbers that no other mount of this host gives: who asks /proc for the users of a file is told a number, and not always
   * the file system. @param device `major:minor` of the mount; '' when there is none
   */
  numberFor(device: string): void {
    this.#next = FIRST_NEW_NODE + Number(device.split(':')[1] ?? 0) * NODES_OF_A_MOUNT;
  }

  addFile(place: NewPlaceOf, growing: GrowingFile): NewFile {
    return this.#add({ ...this.#born(), ...NEW_FILE, growing }, place);
  }

  addDirectory(place: NewPlaceOf, growing: GrowingDirectory): NewDirectory {
    return this.#add({ ...this.#born(), kind: 'directory', growing }, place);
  }

  addSymlink(
    place: NewPlaceOf,
    target: string,
    owner: { mode: number; uid: number; gid: number },
  ): NewSymlink {
    return this.#add({ ...this.#born(), kind: 'symlink', target, ...owner }, place);
  }

  /** A file of the volume that is being changed. It keeps its node. Its names are those of the volume. @param lookups of the node */
  addChanged(ino: number, growing: GrowingFile, lookups: number): NewFile {
    const born = { ...this.#born(ino), ino, lookups };
    const made: NewFile = { ...born, ...NEW_FILE, growing };
    this.#byNode.set(ino, made);
    this.#byIno.set(ino, made);
    this.#unpublished.add(made);
    this.touch(made);
    return made;
  }

  #born(node = this.#next++): New {
    return {
      node,
      names: [],
      lookups: 0,
      ino: null,
      isRemoved: false,
      changedAt: 0,
      writers: 0,
      retryAt: 0,
      xattrs: new Map(),
    };
  }

  #add<T extends NewNode>(made: T, place: NewPlaceOf): T {
    this.#byNode.set(made.node, made);
    this.#unpublished.add(made);
    this.#enter({ made, ...place, place: made.node });
    this.touch(made);
    return made;
  }

  /** Gives it one more name. */
  link(made: NewNode, place: NewPlaceOf): void {
    this.#enter({ made, ...place, place: this.#next++ });
    this.touch(made);
  }

  #enter(name: NewName): void {
    name.made.names.push(name);
    this.#enterDirectory(name);
    this.#addWriters(name.parent, name.made.writers);
  }

  #enterDirectory(name: NewName): void {
    let names = this.#byDirectory.get(name.parent);
    if (names === undefined) {
      names = new Map();
      this.#byDirectory.set(name.parent, names);
    }
    names.set(name.name, name);
  }

  get(node: number): NewNode | undefined {
    return this.#byNode.get(node);
  }

  /** What was made or changed through this mount and has this inode number by now. */
  byIno(ino: number): NewNode | undefined {
    return this.#byIno.get(ino);
  }

  /** The unpublished directories that it has names in. */
  *parentsOf(made: NewNode): Iterable<NewDirectory> {
    for (const { parent } of made.names) {
      const directory = this.#directory(parent);
      if (directory) yield directory;
    }
  }

  #directory(key: number): NewDirectory | undefined {
    return key < FIRST_NEW_NODE ? undefined : (this.#byNode.get(key) as NewDirectory);
  }

  /** Notes a change now, for it and all unpublished directories above it. */
  touch(made: NewNode, now = performance.now()): void {
    made.changedAt = now;
    made.retryAt = 0;
    for (const parent of this.parentsOf(made)) this.touch(parent, now);
  }

  /** Counts a handle that was opened for writing (1) or is gone (-1). With the last one its turn to be published begins. */
  countWriters(file: NewFile, change: 1 | -1): void {
    file.writers += change;
    for (const { parent } of file.names) this.#addWriters(parent, change);
    if (!file.isPending) return;
    this.touch(file);
    if (file.writers > 0 || !this.#unpublished.delete(file)) return;
    this.#unpublished.add(file);
  }

  /** Counts handles that were opened for writing for the unpublished directories from `key` up. */
  #addWriters(key: number, change: number): void {
    if (change === 0) return;
    for (let at = this.#directory(key); at !== undefined; at = this.#directory(at.names[0]?.parent ?? 0))
      at.writers += change;
  }

  /** Whether nothing has an unpublished name, and every node is an inode number. */
  get isEmpty(): boolean {
    return this.#byDirectory.size === 0 && this.#byIno.size === 0;
  }

  /** The name of something unpublished in a directory. */
  named(parent: number, name: string): NewName | undefined {
    return this.#byDirectory.get(parent)?.get(name);
  }

  /** The names of what is unpublished in a directory. */
  in(parent: number): Iterable<NewName> {
    return this.#byDirectory.get(parent)?.values() ?? [];
  }

  /** The node by which the kernel knows an inode of the volume. A node of something in the making is returned as it is. */
  nodeOf(ino: number): number {
    return this.#byIno.get(ino)?.node ?? ino;
  }

  /** nodeOf() gives the inode number from now on. */
  forgetFirstNode(ino: number): void {
    this.#byIno.delete(ino);
  }

  /** The volume has it now. */
  published(made: NewNode, ino: number): void {
    made.ino = ino;
    if (made.kind === 'file') {
      made.isPending = false;
      made.version++;
    }
    this.#byIno.set(ino, made);
    this.#unpublished.delete(made);
    for (const name of made.names) this.#leave(name);
    made.names.length = 0;
    if (made.kind === 'directory') this.#moveContents(made, ino);
    this.dropIfUnused(made);
  }

  /** A published file gets other content. */
  changes(made: NewFile, growing: GrowingFile): void {
    made.growing = growing;
    made.isPending = true;
    this.#unpublished.add(made);
    this.touch(made);
  }

  /** What was pending of a published file is given up. */
  changeIsOver(made: NewFile): void {
    made.isPending = false;
    this.#unpublished.delete(made);
    this.dropIfUnused(made);
  }

  /** Keys the contents of a directory by its inode number from now on. */
  #moveContents({ node }: NewDirectory, ino: number): void {
    const names = this.#byDirectory.get(node);
    if (names === undefined) return;
    this.#byDirectory.delete(node);
    const there = this.#byDirectory.get(ino);
    for (const name of names.values()) {
      name.parent = ino;
      there?.set(name.name, name);
    }
    if (there === undefined) this.#byDirectory.set(ino, names);
  }

  /** Moves a name to another place, in the same directory or another. */
  moved(name: NewName, parent: number, to: string): void {
    this.#touchAbove(name);
    this.#leave(name);
    name.parent = parent;
    name.name = to;
    this.#enterDirectory(name);
    this.#addWriters(parent, name.made.writers);
    this.touch(name.made);
  }

  /** All names of what is unpublished below a directory, at any depth. Directories come before their contents. */
  *below(directory: NewDirectory): Iterable<NewName> {
    for (const name of this.in(directory.node)) {
      yield name;
      if (name.made.kind === 'directory') yield* this.below(name.made);
    }
  }

  /** Takes a name away. With the last one it is removed. */
  unlink(name: NewName): void {
    const { made } = name;
    this.#touchAbove(name);
    this.#leave(name);
    made.names.splice(made.names.indexOf(name), 1);
    if (made.names.length === 0) this.removed(made);
  }

  /** Nothing names it any more, and nothing will be published of it. */
  removed(made: NewNode): void {
    made.isRemoved = true;
    this.#unpublished.delete(made);
  }

  #touchAbove({ parent }: NewName): void {
    const directory = this.#directory(parent);
    if (directory) this.touch(directory);
  }

  /** The kernel has forgotten `count` lookups. @returns whether it holds none any more */
  forget(made: NewNode, count: number): boolean {
    made.lookups -= count;
    this.dropIfUnused(made);
    return made.lookups <= 0;
  }

  /** Drops it when the kernel does not know it any more and no handle is open. A published one then has its inode number as node. */
  dropIfUnused(made: NewNode): void {
    if (made.lookups > 0 || this.#unpublished.has(made)) return;
    if (made.kind === 'file' && made.opens > 0) return;
    if (this.#byNode.get(made.node) === made) this.#byNode.delete(made.node);
    if (made.ino !== null && this.#byIno.get(made.ino) === made) this.#byIno.delete(made.ino);
  }

  get unpublishedCount(): number {
    return this.#unpublished.size;
  }

  /** All that is unpublished and not removed. */
  unpublished(): Iterable<NewNode> {
    return this.#unpublished;
  }

  /** All files whose content takes space that the volume does not name. Removed ones too. */
  *growing(): Iterable<NewFile> {
    for (const made of this.#byNode.values()) if (made.kind === 'file' && made.isPending) yield made;
  }

  /** Takes a name out of its directory. */
  #leave(name: NewName): void {
    this.#addWriters(name.parent, -name.made.writers);
    const names = this.#byDirectory.get(name.parent);
    if (names?.get(name.name) !== name) return;
    names.delete(name.name);
    if (names.size === 0) this.#byDirectory.delete(name.parent);
  }
}
