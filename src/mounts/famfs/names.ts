import type { AnnexChange, NameInDirectory, Volume } from '../../famfs/index.js';
import type {
  FuseAttributeAnswer,
  FuseAttributes,
  FuseEntry,
  FuseHost,
  NodeId,
  Timestamp,
} from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { Attributes, type Shown } from './attributes.js';
import { ChangesOfOthers } from './changes-of-others.js';
import { LookupCounts } from './lookup-counts.js';
import { FIRST_NEW_NODE, isPending, NewFiles, type NewName, type NewNode, saidOf } from './new-files.js';

/** How long the kernel may cache a published name and its attributes. An invalidation ends it when others change them. */
const FOR_EVER = Number.POSITIVE_INFINITY;
/** How long the kernel may cache a missing name. An invalidation ends it earlier; this limit is for one that crosses the answer. */
const MISSING_SECONDS = 1;
/** The longest name of Linux, bytes. The kernel leaves this check to a FUSE file system. */
const NAME_BYTES = 255;
/** How long the kernel may cache a file in the making: not at all. It changes with every write, and may be gone at close. */
const GROWING_SECONDS = 0;

/** A node of this mount: something that the volume has, or in the making; or both, while a published file is changed. */
export type Known =
  | { readonly ino: number; readonly made: null }
  | { readonly ino: number | null; readonly made: NewNode };

/**
 * The names of a mounted volume as the kernel sees them: the log's tree, and the files and directories in the making.
 * A node is an inode number of the log. A file or directory made through this mount keeps its first node until the kernel has
 * forgotten it, also after it is published.
 */
export class Names {
  readonly attributes: Attributes;
  readonly newFiles = new NewFiles();
  readonly changes: ChangesOfOthers;
  /** Called for each file that was made through this mount, once the log names it. */
  onPublished: (ino: number) => void = () => {};
  readonly #lookups = new LookupCounts();
  readonly #volume: Volume;
  readonly #host: FuseHost;
  /** Directories of which the kernel may have cached missing names or a listing. */
  readonly #asked = new Set<number>();
  readonly #entry: { -readonly [K in keyof FuseEntry]: FuseEntry[K] };
  #end: number;

  /** @param times the times of all inodes whose times were not set through this mount */
  constructor(volume: Volume, host: FuseHost, times: Timestamp) {
    this.attributes = new Attributes(times);
    this.#volume = volume;
    this.#host = host;
    this.changes = new ChangesOfOthers(volume, host, this.newFiles);
    this.#end = volume.inodes.end;
    const { root } = volume.inodes;
    this.#entry = {
      node: root as NodeId,
      attributes: this.attributes.of(root, root, volume.inodes.stat(root)),
      entrySeconds: FOR_EVER,
      attributeSeconds: FOR_EVER,
    };
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
    const made = this.newFiles.get(node);
    if (made === undefined) {
      if (node < FIRST_NEW_NODE) return { ino: node, made: null };
      return fail('ESTALE', `node ${node} is not known here any more`);
    }
    return isPending(made) ? { ino: made.ino, made } : { ino: made.ino!, made: null };
  }

  /** The key of a directory's contents: its inode number, or its node while it is in the making. */
  directory(node: NodeId): number {
    const { ino, made } = this.resolve(node);
    if (made && made.kind !== 'directory') this.#failNoDirectory();
    return ino ?? node;
  }

  /** By what its overrides are known: its inode number, or its node while it has none. */
  keyOf(node: NodeId): number {
    return this.newFiles.get(node)?.ino ?? node;
  }

  /** The place of a name in a directory, for the volume. It looks nothing up in the tree. */
  placeIn(parent: NodeId, name: string): NameInDirectory {
    const { ino, made } = this.resolve(parent);
    if (made === null) return { directory: ino, name };
    if (made.kind !== 'directory') return this.#failNoDirectory();
    if (made.isRemoved) fail('ENOENT', `${this.pathOf(parent)} was removed: nothing can be made in it`);
    return { directory: made.growing, name };
  }

  #failNoDirectory(): never {
    return fail('ENOTDIR', 'what is in the making here is not a directory');
  }

  /** The inode that the volume gives this name to, or -1. */
  inoIn(parent: NodeId, name: string): number {
    const directory = this.directory(parent);
    return directory < FIRST_NEW_NODE ? this.#volume.inodes.lookup(directory, name) : -1;
  }

  /** The name of something in the making, if this is one. It hides the same name of the volume. */
  madeIn(parent: NodeId, name: string): NewName | undefined {
    return this.newFiles.named(this.directory(parent), name);
  }

  /**
   * Takes in newly published entries, and invalidates names that the kernel may have cached as missing.
   * @param own an inode that the kernel knows already, because it was just made through this mount
   */
  refresh(own = -1): void {
    const end = this.#volume.inodes.refresh();
    this.changes.tell();
    if (end === this.#end) return;
    this.#announceNew(end, own);
  }

  #announceNew(end: number, own: number): void {
    const from = this.#end;
    this.#end = end;
    const changed = new Set<NodeId>();
    for (let ino = from; ino < end; ino++) if (ino !== own) this.#announce(ino, changed);
    // An invalidated name drops the directory's listing only if the kernel has cached the name. Invalidated pages always do.
    for (const directory of changed) this.#host.invalidateInode(directory);
  }

  /** This mount has just written a record itself: the kernel knows of that. */
  wrote(): void {
    this.changes.tell((_change, left) => left === 0);
    this.#refreshBehind();
  }

  /**
   * Takes in what others have published, behind something that this mount has. That is there, so an error must not say that it is not:
   * the next request meets it again.
   */
  #refreshBehind(own?: number): void {
    try {
      this.refresh(own);
    } catch (error) {
      this.#host.report(error);
    }
  }

  #announce(ino: number, changed: Set<NodeId>): void {
    const { inodes } = this.#volume;
    if (!inodes.has(ino) || inodes.stat(ino).nlink === 0) return;
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
    const made = this.newFiles.named(directory, name);
    if (made) return this.madeEntry(made.made);
    const ino = directory < FIRST_NEW_NODE ? this.#volume.inodes.lookup(directory, name) : -1;
    if (ino >= 0) return this.entryOf(ino);
    if (Buffer.byteLength(name) > NAME_BYTES) fail('ENAMETOOLONG', `a name has at most ${NAME_BYTES} bytes`);
    this.#asked.add(directory);
    return {
      node: 0 as NodeId,
      attributes: this.attributesOf(parent),
      entrySeconds: MISSING_SECONDS,
      attributeSeconds: 0,
    };
  }

  /** The entry of an inode of the volume that was found just now. Counts one lookup. The next call overwrites the answer. */
  entryOf(ino: number): FuseEntry {
    const known = this.newFiles.byIno(ino);
    if (known) {
      if (isPending(known)) return this.madeEntry(known);
      known.lookups++;
    } else this.#lookups.add(ino);
    const entry = this.#entry;
    entry.node = (known?.node ?? ino) as NodeId;
    entry.attributes = this.attributes.of(entry.node, ino, this.#volume.inodes.statOfFound(ino));
    return entry;
  }

  /** The entry of what is in the making. Counts one lookup. */
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
    const made = this.newFiles.get(node);
    if (made) return this.newFiles.forget(made, count);
    return node < FIRST_NEW_NODE ? this.#lookups.take(node, count) : true;
  }

  /** How many lookups the kernel holds of an inode of the volume. From now on somebody else counts them. */
  takeLookups(ino: number): number {
    return this.#lookups.takeAll(ino);
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
    const shown = made ? shownOfMade(made, this.#linksOf(ino)) : this.#volume.inodes.stat(ino!);
    return this.attributes.of(node, ino ?? node, shown);
  }

  /** How many names the volume has for an inode. */
  #linksOf(ino: number | null): number {
    return ino === null ? 0 : this.#volume.inodes.stat(ino).nlink;
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

  /** Notes that something was published. Its overrides (times) move to the inode number; new entries in it are announced. */
  published(made: NewNode, ino: number): void {
    if (made.kind === 'file') this.onPublished(ino);
    const own = made.names.map(({ parent, name }) => ({ parent, name }));
    const isOwn = (change: AnnexChange): boolean =>
      'directory' in change &&
      own.some(({ parent, name }) => parent === change.directory && name === change.name);
    this.changes.tell(isOwn);
    this.newFiles.published(made, ino);
    this.attributes.move(made.node, ino);
    if (made.kind === 'directory') this.#asked.add(ino);
    this.#refreshBehind(ino);
  }

  /** Notes that the kernel may cache what a directory lists, or that it lacks a name. */
  asked(directory: number): void {
    this.#asked.add(directory);
  }

  pathIn(parent: NodeId, name: string): string {
    const path = this.pathOf(parent);
    return path === '/' ? `/${name}` : `${path}/${name}`;
  }

  pathOf(node: NodeId): string {
    const { ino, made } = this.resolve(node);
    const name = made?.names[0];
    if (name) return this.pathIn(this.newFiles.nodeOf(name.parent) as NodeId, name.name);
    return ino === null ? 'a removed file' : this.#volume.inodes.pathOf(ino);
  }
}

/** @param links how many names the volume has for it */
function shownOfMade(made: NewNode, links: number): Shown {
  const { mode, uid, gid } = saidOf(made);
  const size =
    made.kind === 'file' ? made.growing.size : made.kind === 'symlink' ? Buffer.byteLength(made.target) : 0;
  return { type: made.kind, size, mode, uid, gid, nlink: links + made.names.length, times: null };
}
