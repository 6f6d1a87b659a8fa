import type { InodeStat, NameInDirectory, Volume } from '../../famfs/index.js';
import type {
  DirectoryItem,
  FuseAttributeAnswer,
  FuseAttributes,
  FuseEntry,
  FuseHost,
  NodeId,
  Timestamp,
} from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { PERMISSION_BITS, S_IFDIR, S_IFREG, withoutSetIds } from '../modes.js';
import { Attributes } from './attributes.js';
import { LookupCounts } from './lookup-counts.js';
import { FIRST_NEW_NODE, NewFiles, type NewNode } from './new-files.js';

/** What the log names never changes; it is looked at anew only when the kernel drops it. */
const FOR_EVER = Number.POSITIVE_INFINITY;
/** A name that is missing may come: invalidation tells, and this is for the moment when it crosses the answer. */
const MISSING_SECONDS = 1;
/** What Linux takes as one name; the kernel leaves it to a FUSE file system to say so. */
const NAME_BYTES = 255;
/** What is in the making changes with every write, and may be gone when it is closed. */
const GROWING_SECONDS = 0;

/** An item of a listing, with what its entry is made from. */
export interface ListedItem extends DirectoryItem {
  readonly ino: number;
  /** Where a reader goes on behind it: not 0, ascending in a listing, its own for as long as it is there. */
  readonly next: number;
  /** False for `.` and `..`. */
  readonly hasEntry: boolean;
}

/** A node as this mount knows it: something the log names, or a file or directory in the making. */
export type Known =
  | { readonly ino: number; readonly made: null }
  | { readonly ino: null; readonly made: NewNode };

/**
 * The names of a mounted volume as the kernel sees them: the log's tree and what is being made through this mount.
 * Nodes are inode numbers of the log; what was made here keeps the number it was made under until the kernel has forgotten it.
 */
export class Names {
  readonly attributes: Attributes;
  readonly newFiles = new NewFiles();
  readonly #lookups = new LookupCounts();
  readonly #volume: Volume;
  readonly #host: FuseHost;
  /** Directories that the kernel may have cached something of: what is missing in them, their listing. */
  readonly #asked = new Set<number>();
  #end: number;

  /** @param times of all whose times nobody said */
  constructor(volume: Volume, host: FuseHost, times: Timestamp) {
    this.attributes = new Attributes(times);
    this.#volume = volume;
    this.#host = host;
    this.#end = volume.inodes.end;
    this.#giveRootToMounter();
  }

  /** The log has no entry for the root, so it belongs to who mounts; else no user could make anything in a famfs of his own. */
  #giveRootToMounter(): void {
    const uid = process.geteuid?.() ?? 0;
    if (uid === 0) return;
    const root = this.attributes.overridesOf(this.#volume.inodes.root);
    root.uid = uid;
    root.gid = process.getegid?.() ?? 0;
  }

  /** @throws DaxError ESTALE a node that is not known here */
  resolve(node: NodeId): Known {
    if (node < FIRST_NEW_NODE) return { ino: node, made: null };
    const made = this.newFiles.get(node) ?? fail('ESTALE', `node ${node} is not known here any more`);
    return made.ino === null ? { ino: null, made } : { ino: made.ino, made: null };
  }

  /** What a directory's contents find it by: its number in the log, or its node while it is in the making. */
  directory(node: NodeId): number {
    const { ino, made } = this.resolve(node);
    if (made?.kind === 'file') this.#failNoDirectory();
    return ino ?? node;
  }

  /** A name in a directory as the volume takes it: nothing is looked up on the way. */
  placeIn(parent: NodeId, name: string): NameInDirectory {
    const { ino, made } = this.resolve(parent);
    if (made === null) return { directory: ino, name };
    if (made.kind === 'file') return this.#failNoDirectory();
    if (made.isRemoved) fail('ENOENT', `${this.pathOf(parent)} was removed: nothing can be made in it`);
    return { directory: made.growing, name };
  }

  #failNoDirectory(): never {
    return fail('ENOTDIR', 'a file in the making is not a directory');
  }

  /** What a name stands for, when the log does not have it. */
  madeIn(parent: NodeId, name: string): NewNode | undefined {
    return this.newFiles.named(this.directory(parent), name);
  }

  /**
   * Takes in what was published meanwhile, and tells the kernel of names it may believe missing.
   * @param own an inode that the kernel made itself just now
   */
  refresh(own = -1): void {
    const end = this.#volume.inodes.refresh();
    if (end === this.#end) return;
    const from = this.#end;
    this.#end = end;
    const changed = new Set<NodeId>();
    for (let ino = from; ino < end; ino++) if (ino !== own) this.#announce(ino, changed);
    // The kernel drops a listing with a name only if it has the name, be it as missing; with the directory's pages always.
    for (const directory of changed) this.#host.invalidateInode(directory);
  }

  #announce(ino: number, changed: Set<NodeId>): void {
    const { inodes } = this.#volume;
    if (!inodes.has(ino)) return;
    const parent = inodes.parentOf(ino);
    if (!this.#asked.has(parent)) return;
    const directory = this.newFiles.nodeOf(parent) as NodeId;
    this.#host.invalidateEntry(directory, inodes.nameOf(ino));
    changed.add(directory);
  }

  /** LOOKUP: counts one lookup of what it answers. */
  lookup(parent: NodeId, name: string): FuseEntry {
    const directory = this.directory(parent);
    if (this.#volume.inodes.isBehind) this.refresh();
    const ino = directory < FIRST_NEW_NODE ? this.#volume.inodes.lookup(directory, name) : -1;
    if (ino >= 0) return this.entryOf(ino);
    const made = this.newFiles.named(directory, name);
    if (made) return this.madeEntry(made);
    if (Buffer.byteLength(name) > NAME_BYTES) fail('ENAMETOOLONG', `a name has at most ${NAME_BYTES} bytes`);
    this.#asked.add(directory);
    return {
      node: 0 as NodeId,
      attributes: this.attributesOf(parent),
      entrySeconds: MISSING_SECONDS,
      attributeSeconds: 0,
    };
  }

  /** The entry of an inode of the log; counts one lookup. */
  entryOf(ino: number): FuseEntry {
    const node = this.newFiles.nodeOf(ino);
    if (node !== ino) this.newFiles.get(node)!.lookups++;
    else this.#lookups.add(ino);
    return {
      node: node as NodeId,
      attributes: this.attributes.of(node, ino, this.#volume.inodes.stat(ino)),
      entrySeconds: FOR_EVER,
      attributeSeconds: FOR_EVER,
    };
  }

  /** The entry of something in the making; counts one lookup. */
  madeEntry(made: NewNode): FuseEntry {
    made.lookups++;
    return {
      node: made.node as NodeId,
      attributes: this.attributesOf(made.node as NodeId),
      entrySeconds: GROWING_SECONDS,
      attributeSeconds: GROWING_SECONDS,
    };
  }

  /** FORGET. @returns whether the kernel does not know the node any more */
  forget(node: NodeId, count: number): boolean {
    return node < FIRST_NEW_NODE ? this.#lookups.take(node, count) : this.newFiles.forget(node, count);
  }

  /** GETATTR. */
  attributeAnswer(node: NodeId): FuseAttributeAnswer {
    const known = this.resolve(node);
    const attributeSeconds = known.made ? GROWING_SECONDS : FOR_EVER;
    return { attributes: this.#attributesOf(node, known), attributeSeconds };
  }

  /** The answer is overwritten by the next call. */
  attributesOf(node: NodeId): FuseAttributes {
    return this.#attributesOf(node, this.resolve(node));
  }

  #attributesOf(node: NodeId, { ino, made }: Known): FuseAttributes {
    const stat = made ? statOfMade(made) : this.#volume.inodes.stat(ino!);
    return this.attributes.of(node, ino ?? node, stat);
  }

  /** It is in the log now: its times go with it, and what others will publish in it is told. */
  published(made: NewNode, ino: number): void {
    this.newFiles.published(made, ino);
    this.attributes.move(made.node, ino);
    if (made.kind === 'directory') this.#asked.add(ino);
    this.refresh(ino);
  }

  /** HANDLE_KILLPRIV_V2: the kernel leaves it to us to take the set-id bits from a file that is written or given away. */
  dropSetIds(node: NodeId): void {
    const known = this.resolve(node);
    const isDirectory =
      known.made?.kind === 'directory' || (known.ino !== null && this.#volume.inodes.isDirectory(known.ino));
    if (isDirectory) return;
    const mode = this.attributesOf(node).mode & PERMISSION_BITS;
    const kept = withoutSetIds(mode);
    if (kept === mode) return;
    if (known.made?.kind === 'file') known.made.growing.mode = kept;
    else if (known.ino !== null) this.attributes.overridesOf(known.ino).mode = kept;
  }

  /** The listing of a directory as it is now, with `.` and `..`; the others by node. */
  list(node: NodeId): ListedItem[] {
    const directory = this.directory(node);
    this.refresh();
    this.#asked.add(directory);
    const { inodes } = this.#volume;
    const made = this.newFiles.get(directory);
    const up = made ? made.parent : directory === inodes.root ? directory : inodes.parentOf(directory);
    const items: ListedItem[] = [
      { name: '.', inode: directory, type: S_IFDIR, ino: directory, next: 1, hasEntry: false },
      { name: '..', inode: up, type: S_IFDIR, ino: up, next: 2, hasEntry: false },
    ];
    const add = (name: string, inode: number, isDirectory: boolean, ino: number) =>
      items.push({
        name,
        inode,
        type: isDirectory ? S_IFDIR : S_IFREG,
        ino,
        next: inode + 1,
        hasEntry: true,
      });
    if (directory < FIRST_NEW_NODE) {
      if (!inodes.isDirectory(directory)) fail('ENOTDIR', `${inodes.pathOf(directory)} is not a directory`);
      for (const ino of inodes.children(directory))
        add(inodes.nameOf(ino), this.newFiles.nodeOf(ino), inodes.isDirectory(ino), ino);
    }
    for (const { name, node: inode, kind } of this.newFiles.in(directory))
      add(name, inode, kind === 'directory', inode);
    return items.sort((a, b) => a.next - b.next); // in order already, but for files made here
  }

  /** The entry of a listed item, if it still is what it was; counts one lookup. */
  entryOfItem(item: ListedItem): FuseEntry | undefined {
    if (item.ino < FIRST_NEW_NODE) return this.entryOf(item.ino);
    const made = this.newFiles.get(item.ino);
    if (made === undefined || made.isRemoved) return undefined;
    return made.ino === null ? this.madeEntry(made) : this.entryOf(made.ino);
  }

  pathIn(parent: NodeId, name: string): string {
    const path = this.pathOf(parent);
    return path === '/' ? `/${name}` : `${path}/${name}`;
  }

  pathOf(node: NodeId): string {
    const { ino, made } = this.resolve(node);
    if (made === null) return this.#volume.inodes.pathOf(ino);
    return this.pathIn(this.newFiles.nodeOf(made.parent) as NodeId, made.name);
  }
}

function statOfMade(made: NewNode): InodeStat {
  const { kind, node: ino, growing } = made;
  const { mode, uid, gid } = growing;
  return { ino, type: kind, size: kind === 'file' ? made.growing.size : 0, mode, uid, gid };
}
