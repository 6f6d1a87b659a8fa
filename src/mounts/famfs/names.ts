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

/** How long the kernel may cache a logged name and its attributes: they never change. */
const FOR_EVER = Number.POSITIVE_INFINITY;
/** How long the kernel may cache a missing name. An invalidation ends it earlier; this limit is for one that crosses the answer. */
const MISSING_SECONDS = 1;
/** The longest name of Linux, bytes. The kernel leaves this check to a FUSE file system. */
const NAME_BYTES = 255;
/** How long the kernel may cache a file in the making: not at all. It changes with every write, and may be gone at close. */
const GROWING_SECONDS = 0;

/** An item of a listing, with what is needed to make its entry. */
export interface ListedItem extends DirectoryItem {
  readonly ino: number;
  /** The offset at which a reader continues behind the item: not 0, ascending in a listing, and fixed for the item's node. */
  readonly next: number;
  /** False for `.` and `..`. */
  readonly hasEntry: boolean;
}

/** A node of this mount: a file or directory that the log names, or one in the making. */
export type Known =
  | { readonly ino: number; readonly made: null }
  | { readonly ino: null; readonly made: NewNode };

/**
 * The names of a mounted volume as the kernel sees them: the log's tree, and the files and directories in the making.
 * A node is an inode number of the log. A file or directory made through this mount keeps its first node until the kernel has
 * forgotten it, also after it is published.
 */
export class Names {
  readonly attributes: Attributes;
  readonly newFiles = new NewFiles();
  /** Called for each file that was made through this mount, once the log names it. */
  onPublished: (ino: number) => void = () => {};
  readonly #lookups = new LookupCounts();
  readonly #volume: Volume;
  readonly #host: FuseHost;
  /** Directories of which the kernel may have cached missing names or a listing. */
  readonly #asked = new Set<number>();
  #end: number;

  /** @param times the times of all inodes whose times were not set through this mount */
  constructor(volume: Volume, host: FuseHost, times: Timestamp) {
    this.attributes = new Attributes(times);
    this.#volume = volume;
    this.#host = host;
    this.#end = volume.inodes.end;
    this.#giveRootToMounter();
  }

  /** Makes the mounter own the root, which has no log entry. Otherwise an unprivileged user could make nothing in his own famfs. */
  #giveRootToMounter(): void {
    const uid = process.geteuid?.() ?? 0;
    if (uid === 0) return;
    const root = this.attributes.overridesOf(this.#volume.inodes.root);
    root.uid = uid;
    root.gid = process.getegid?.() ?? 0;
  }

  /** Tells what a node is. @throws DaxError ESTALE the node is not known here */
  resolve(node: NodeId): Known {
    if (node < FIRST_NEW_NODE) return { ino: node, made: null };
    const made = this.newFiles.get(node) ?? fail('ESTALE', `node ${node} is not known here any more`);
    return made.ino === null ? { ino: null, made } : { ino: made.ino, made: null };
  }

  /** The key of a directory's contents: its inode number in the log, or its node while it is in the making. */
  directory(node: NodeId): number {
    const { ino, made } = this.resolve(node);
    if (made?.kind === 'file') this.#failNoDirectory();
    return ino ?? node;
  }

  /** The place of a name in a directory, for the volume. It looks nothing up in the tree. */
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

  /** Whether the log gives this name to something. */
  isLogged(parent: NodeId, name: string): boolean {
    const directory = this.directory(parent);
    return directory < FIRST_NEW_NODE && this.#volume.inodes.lookup(directory, name) >= 0;
  }

  /** The file or directory in the making that has this name, if any. */
  madeIn(parent: NodeId, name: string): NewNode | undefined {
    return this.newFiles.named(this.directory(parent), name);
  }

  /**
   * Takes in newly published entries, and invalidates names that the kernel may have cached as missing.
   * @param own an inode that the kernel knows already, because it was just made through this mount
   */
  refresh(own = -1): void {
    const end = this.#volume.inodes.refresh();
    if (end === this.#end) return;
    const from = this.#end;
    this.#end = end;
    const changed = new Set<NodeId>();
    for (let ino = from; ino < end; ino++) if (ino !== own) this.#announce(ino, changed);
    // An invalidated name drops the directory's listing only if the kernel has cached the name. Invalidated pages always do.
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

  /** Handles LOOKUP. Counts one lookup of the inode it answers. */
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

  /** The entry of an inode of the log. Counts one lookup. */
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

  /** The entry of a file or directory in the making. Counts one lookup. */
  madeEntry(made: NewNode): FuseEntry {
    made.lookups++;
    return {
      node: made.node as NodeId,
      attributes: this.attributesOf(made.node as NodeId),
      entrySeconds: GROWING_SECONDS,
      attributeSeconds: GROWING_SECONDS,
    };
  }

  /** Handles FORGET. @returns whether the kernel does not know the node any more */
  forget(node: NodeId, count: number): boolean {
    return node < FIRST_NEW_NODE ? this.#lookups.take(node, count) : this.newFiles.forget(node, count);
  }

  /** Handles GETATTR. */
  attributeAnswer(node: NodeId): FuseAttributeAnswer {
    const known = this.resolve(node);
    const attributeSeconds = known.made ? GROWING_SECONDS : FOR_EVER;
    return { attributes: this.#attributesOf(node, known), attributeSeconds };
  }

  /** The attributes of a node. The next call overwrites the answer. */
  attributesOf(node: NodeId): FuseAttributes {
    return this.#attributesOf(node, this.resolve(node));
  }

  #attributesOf(node: NodeId, { ino, made }: Known): FuseAttributes {
    const stat = made ? statOfMade(made) : this.#volume.inodes.stat(ino!);
    return this.attributes.of(node, ino ?? node, stat);
  }

  /**
   * From now on a published file that was made through this mount has its inode number as node, like any other. The kernel is told to
   * look it up again; users of the old node go on.
   */
  forgetFirstNode(ino: number): void {
    if (this.newFiles.nodeOf(ino) === ino) return;
    this.newFiles.forgetFirstNode(ino);
    const parent = this.newFiles.nodeOf(this.#volume.inodes.parentOf(ino)) as NodeId;
    this.#host.invalidateEntry(parent, this.#volume.inodes.nameOf(ino));
    this.#host.invalidateInode(parent);
  }

  /** Notes that a file or directory was published. Its overrides (times) move to the inode number; new entries in it are announced. */
  published(made: NewNode, ino: number): void {
    if (made.kind === 'file') this.onPublished(ino);
    this.newFiles.published(made, ino);
    this.attributes.move(made.node, ino);
    if (made.kind === 'directory') this.#asked.add(ino);
    this.refresh(ino);
  }

  /** Removes the set-id bits of a file that is written or changes its owner. HANDLE_KILLPRIV_V2 leaves that to the server. */
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

  /** The current listing of a directory: `.`, `..`, then the others in order of their nodes. */
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
    return items.sort((a, b) => a.next - b.next); // in order already, except for files made through this mount
  }

  /** The entry of a listed item, or undefined when it was removed meanwhile. Counts one lookup. */
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
  const size = kind === 'file' ? made.growing.size : 0;
  return { ino, type: kind, size, mode, uid, gid, nlink: 1, times: null };
}
