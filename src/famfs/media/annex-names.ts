/**
 * What an annex makes of the tree of the log: names, attributes, and the objects that only the annex knows. Every inode of the log has
 * a default name, the one of its entry. It is in force until a record of the annex names the same place; from then on the annex alone
 * says what is there. So it does not matter how far a reader's log is ahead of its annex.
 */
import { ANNEX_INO_START, OBJECTS_NAME } from './annex-layout.js';
import type { FileTime } from './annex-record.js';
import { Bindings, hashOf } from './bindings.js';
import { DIRECTORY, FILE, type InodeTable } from './inode-table.js';
import { encodeName } from './path.js';

/** Times that records set. What is absent, nobody knows. */
export interface InodeTimes {
  readonly atime?: FileTime;
  readonly mtime?: FileTime;
  readonly ctime?: FileTime;
}

/** Attributes that records set, and what the object's bytes are. */
export interface AnnexAttributes {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: FileTime;
  mtime?: FileTime;
  ctime?: FileTime;
  /** The inode number of the log entry that has the bytes; 0 for none. Absent: its own entry. */
  content?: number;
  xattrs?: Map<string, Uint8Array>;
}

/** An object that only the annex knows: an empty file, or a symbolic link. */
export interface MadeInode {
  readonly target: string | null;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** One name in a directory. */
export interface NamedInode {
  readonly name: Uint8Array;
  readonly ino: number;
  /** A place in the listing that stays with the name: not 0, below 2^53, different for each name of the directory. */
  readonly cookie: number;
}

export const ROOT = 1;
const NOT_THERE = 0;
const OBJECTS_BYTES = encodeName(OBJECTS_NAME);
const OBJECTS_HASH = hashOf(OBJECTS_BYTES);
/** Cookies of names of the annex, beyond those of log entries, which are inode numbers. */
const COOKIES_START = 2 ** 33;
const NOBODY = new Uint8Array(0);

export class AnnexNames {
  readonly bindings = new Bindings();
  readonly made = new Map<number, MadeInode>();
  readonly attributes = new Map<number, AnnexAttributes>();
  readonly base: InodeTable;
  /** Inode numbers of the annexes. */
  readonly annexes = new Set<number>();
  /** Whether any record made a symbolic link. */
  hasLinks = false;
  /** Inode number of the directory of nameless objects; -1 while there is none. */
  #objects = -1;
  /** How many names the log had when it was looked for. */
  #looked = -1;
  /** By slot: 1 for what has lost the name of its log entry to a record that named it, and gave the place to nobody. */
  #lost = NOBODY;
  /** The last answer of attributesOf(): most records change the directory that the one before changed. */
  #askedIno = NOT_THERE;
  #asked: AnnexAttributes = {};

  constructor(base: InodeTable) {
    this.base = base;
    this.hide(OBJECTS_NAME);
  }

  /** Takes a name of the root directory out of sight. */
  hide(name: string): void {
    const bytes = encodeName(name);
    this.bindings.set(ROOT, bytes, 0, bytes.length, hashOf(bytes), NOT_THERE);
  }

  /** Inode number of the directory of nameless objects; -1 while there is none. */
  get objects(): number {
    if (this.#objects < 0 && this.#looked !== this.base.names) {
      this.#looked = this.base.names;
      const slot = this.#objectsSlot();
      if (slot > 0 && this.base.kind[slot] === DIRECTORY) this.#objects = slot + 1;
    }
    return this.#objects;
  }

  #objectsSlot(): number {
    return this.base.find(0, OBJECTS_BYTES, 0, OBJECTS_BYTES.length, OBJECTS_HASH);
  }

  /** Whether a number is that of an object. `before`: only log entries below this index count. */
  exists(ino: number, before: number): boolean {
    if (ino >= ANNEX_INO_START) return this.made.has(ino);
    if (ino === ROOT) return true;
    return ino > ROOT && ino - 2 < before && ino <= this.base.capacity && this.base.kind[ino - 1] !== 0;
  }

  isDirectory(ino: number): boolean {
    return ino < ANNEX_INO_START && this.base.kind[ino - 1] === DIRECTORY;
  }

  /** Whether it is a regular file of the log or of the annex. */
  isFile(ino: number): boolean {
    if (ino < ANNEX_INO_START) return this.base.kind[ino - 1] === FILE;
    return this.made.get(ino)?.target === null;
  }

  /** The binding that child() found for its name, or 0. */
  found = 0;

  /** What a name means, 0 for nothing. `before` as in exists(). */
  child(
    directory: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hash: number,
    before: number,
  ): number {
    const binding = this.bindings.find(directory, bytes, start, end, hash);
    this.found = binding;
    if (binding !== 0) return this.bindings.target(binding);
    if (directory >= ANNEX_INO_START || directory === this.objects) return NOT_THERE;
    const slot = this.base.find(directory - 1, bytes, start, end, hash);
    return slot === 0 || slot - 1 >= before || this.#lost[slot] === 1 ? NOT_THERE : slot + 1;
  }

  /** Whether a name means this inode, as child() tells it. Most names that a record moves are still those of the log. */
  means(
    ino: number,
    directory: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hash: number,
    before: number,
  ): boolean {
    const binding = this.bindings.find(directory, bytes, start, end, hash);
    this.found = binding;
    if (binding !== 0) return this.bindings.target(binding) === ino;
    if (directory >= ANNEX_INO_START || directory === this.objects || ino - 2 >= before) return false;
    if (this.base.kind[ino - 1] === 0 || this.#lost[ino - 1] === 1) return false;
    return this.base.isChild(ino - 1, directory - 1, bytes, start, end);
  }

  /** Takes from an inode a name that means it. @param known what means() has just found of it */
  take(
    ino: number,
    directory: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hash: number,
    known = this.found,
  ): void {
    if (known !== 0) {
      this.bindings.set(directory, bytes, start, end, hash, NOT_THERE, known);
      return;
    }
    // The name of its log entry, which no other has: a binding for it would say no more.
    if (ino > this.#lost.length) {
      const { capacity } = this.base;
      const longer = new Uint8Array(capacity);
      longer.set(this.#lost);
      this.#lost = longer;
    }
    this.#lost[ino - 1] = 1;
  }

  /** Whether records say what a name means, and the log does not any more. */
  isOfAnnex(directory: number, bytes: Uint8Array, end: number, hash: number): boolean {
    if (this.bindings.find(directory, bytes, 0, end, hash) !== 0) return true;
    if (directory >= ANNEX_INO_START) return false;
    return this.#lost[this.base.find(directory - 1, bytes, 0, end, hash)] === 1;
  }

  /** Whether the name of an inode's log entry is in force. */
  hasDefaultName(ino: number): boolean {
    if (ino >= ANNEX_INO_START) return false;
    if (ino === ROOT) return true;
    if (this.#lost[ino - 1] === 1) return false;
    const directory = this.base.parent[ino - 1]! + 1;
    if (directory === this.objects) return false;
    if (this.bindings.firstIn(directory) === 0) return true;
    const name = this.base.nameBytes(ino - 1);
    return this.bindings.find(directory, name, 0, name.length, hashOf(name)) === 0;
  }

  hasName(ino: number): boolean {
    return this.bindings.firstOf(ino) !== 0 || this.hasDefaultName(ino);
  }

  /** How many names an inode has. */
  links(ino: number): number {
    let count = this.hasDefaultName(ino) ? 1 : 0;
    for (let binding = this.bindings.firstOf(ino); binding !== 0; binding = this.bindings.nextOf(binding))
      count++;
    return count;
  }

  /** The directory of an inode's first name; the root when it has none. So following it always ends at the root. */
  parentOf(ino: number): number {
    if (this.hasDefaultName(ino)) return this.base.parent[ino - 1]! + 1;
    const binding = this.bindings.firstOf(ino);
    return binding === 0 ? ROOT : this.bindings.directory(binding);
  }

  /** The first name of an inode; of one that has none, the name that it was made with, for messages. */
  nameBytes(ino: number): Uint8Array {
    if (ino < ANNEX_INO_START && this.hasDefaultName(ino)) return this.base.nameBytes(ino - 1);
    const binding = this.bindings.firstOf(ino);
    if (binding !== 0) return this.bindings.nameBytes(binding);
    return ino < ANNEX_INO_START ? this.base.nameBytes(ino - 1) : encodeName(`inode ${ino}`);
  }

  /** Whether `directory` is `above` or lies below it. */
  isIn(directory: number, above: number): boolean {
    for (let at = directory; ; at = this.parentOf(at)) {
      if (at === above) return true;
      if (at === ROOT) return false;
    }
  }

  /** The names in a directory: those of log entries in order of creation, then those of the annex. */
  *namesIn(directory: number): Generator<NamedInode> {
    const { bindings, base } = this;
    if (directory >= ANNEX_INO_START) return;
    const first = bindings.firstIn(directory);
    for (let slot = base.firstChild[directory - 1]!; slot !== 0; slot = base.nextSibling[slot]!) {
      if (this.#lost[slot] === 1) continue;
      const name = base.nameBytes(slot);
      if (first !== 0 && bindings.find(directory, name, 0, name.length, hashOf(name)) !== 0) continue;
      yield { name, ino: slot + 1, cookie: slot + 1 };
    }
    for (let binding = first; binding !== 0; binding = bindings.nextIn(binding)) {
      const ino = bindings.target(binding);
      if (ino !== 0) yield { name: bindings.nameBytes(binding), ino, cookie: COOKIES_START + binding };
    }
  }

  attributesOf(ino: number): AnnexAttributes {
    if (ino === this.#askedIno) return this.#asked;
    let known = this.attributes.get(ino);
    if (known === undefined) {
      known = {};
      this.attributes.set(ino, known);
    }
    this.#askedIno = ino;
    this.#asked = known;
    return known;
  }

  /** The inode number of the log entry that has the bytes of a file; 0 when it is empty. */
  contentOf(ino: number): number {
    return this.attributes.get(ino)?.content ?? (ino < ANNEX_INO_START ? ino : 0);
  }
}
