import type { InodeStat, Volume } from '../../famfs/index.js';
import type { DirectoryItem, FuseEntry, FuseHost, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { PERMISSION_BITS, S_IFDIR, S_IFREG, withoutSetIds } from '../modes.js';
import { Attributes } from './attributes.js';
import { FIRST_NEW_NODE, type NewFile, NewFiles } from './new-files.js';

/** What the log names never changes; it is looked at anew only when the kernel drops it. */
const FOR_EVER = Number.POSITIVE_INFINITY;
/** A name that is missing may come: invalidation tells, and this is for the moment when it crosses the answer. */
const MISSING_SECONDS = 1;
/** What Linux takes as one name; the kernel leaves it to a FUSE file system to say so. */
const NAME_BYTES = 255;
/** A file in the making changes with every write, and may be gone when it is closed. */
const GROWING_SECONDS = 0;

/** An item of a listing, with what its entry is made from. */
export interface ListedItem extends DirectoryItem {
  readonly ino: number;
  /** Where a reader goes on behind it: not 0, ascending in a listing, its own for as long as it is there. */
  readonly next: number;
  /** False for `.` and `..`. */
  readonly hasEntry: boolean;
}

/** A node as this mount knows it: something the log names, or a file in the making. */
export type Known =
  | { readonly ino: number; readonly growing: null }
  | { readonly ino: null; readonly growing: NewFile };

/**
 * The names of a mounted volume as the kernel sees them: the log's tree and the files that are being made through this mount.
 * Nodes are inode numbers of the log; a file made here keeps the number it was made under until the kernel has forgotten it.
 */
export class Names {
  readonly attributes = new Attributes();
  readonly newFiles = new NewFiles();
  readonly #volume: Volume;
  readonly #host: FuseHost;
  /** Directories that the kernel may have cached something of: what is missing in them, their listing. */
  readonly #asked = new Set<number>();
  #end: number;

  constructor(volume: Volume, host: FuseHost) {
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
    if (node < FIRST_NEW_NODE) return { ino: node, growing: null };
    const file = this.newFiles.get(node) ?? fail('ESTALE', `node ${node} is not known here any more`);
    return file.ino === null ? { ino: null, growing: file } : { ino: file.ino, growing: null };
  }

  /** The inode of a directory's node. */
  directory(node: NodeId): number {
    return this.resolve(node).ino ?? fail('ENOTDIR', 'a file in the making is not a directory');
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
    this.attributes.appear(from);
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
    const ino = this.#volume.inodes.lookup(directory, name);
    if (ino >= 0) return this.entryOf(ino);
    const growing = this.newFiles.named(directory, name);
    if (growing) return this.growingEntry(growing);
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
    return {
      node: node as NodeId,
      attributes: this.attributes.of(node, ino, this.#volume.inodes.stat(ino)),
      entrySeconds: FOR_EVER,
      attributeSeconds: FOR_EVER,
    };
  }

  /** The entry of a file in the making; counts one lookup. */
  growingEntry(file: NewFile): FuseEntry {
    file.lookups++;
    return {
      node: file.node as NodeId,
      attributes: this.attributesOf(file.node as NodeId),
      entrySeconds: GROWING_SECONDS,
      attributeSeconds: GROWING_SECONDS,
    };
  }

  attributesOf(node: NodeId) {
    const known = this.resolve(node);
    const stat = known.growing ? statOfGrowing(known.growing) : this.#volume.inodes.stat(known.ino);
    return this.attributes.of(node, known.ino ?? node, stat);
  }

  /** HANDLE_KILLPRIV_V2: the kernel leaves it to us to take the set-id bits from a file that is written or given away. */
  dropSetIds(node: NodeId): void {
    const known = this.resolve(node);
    if (known.ino !== null && this.#volume.inodes.isDirectory(known.ino)) return;
    const mode = this.attributesOf(node).mode & PERMISSION_BITS;
    const kept = withoutSetIds(mode);
    if (kept === mode) return;
    if (known.growing) known.growing.growing.mode = kept;
    else this.attributes.overridesOf(known.ino).mode = kept;
  }

  /** How long the answer of attributesOf() holds. */
  attributeSeconds(node: NodeId): number {
    return this.resolve(node).growing ? GROWING_SECONDS : FOR_EVER;
  }

  /** The listing of a directory as it is now, with `.` and `..`; the others by node. */
  list(node: NodeId): ListedItem[] {
    const directory = this.directory(node);
    this.refresh();
    this.#asked.add(directory);
    const { inodes } = this.#volume;
    if (!inodes.isDirectory(directory)) fail('ENOTDIR', `${inodes.pathOf(directory)} is not a directory`);
    const up = directory === inodes.root ? directory : inodes.parentOf(directory);
    const items: ListedItem[] = [
      { name: '.', inode: directory, type: S_IFDIR, ino: directory, next: 1, hasEntry: false },
      { name: '..', inode: up, type: S_IFDIR, ino: up, next: 2, hasEntry: false },
    ];
    const add = (name: string, inode: number, type: number, ino: number) =>
      items.push({ name, inode, type, ino, next: inode + 1, hasEntry: true });
    for (const ino of inodes.children(directory)) {
      const type = inodes.isDirectory(ino) ? S_IFDIR : S_IFREG;
      add(inodes.nameOf(ino), this.newFiles.nodeOf(ino), type, ino);
    }
    for (const file of this.newFiles.in(directory)) add(file.name, file.node, S_IFREG, file.node);
    return items.sort((a, b) => a.next - b.next); // in order already, but for files made here
  }

  /** The entry of a listed item, if it still is what it was; counts one lookup. */
  entryOfItem(item: ListedItem): FuseEntry | undefined {
    if (item.ino < FIRST_NEW_NODE) return this.entryOf(item.ino);
    const file = this.newFiles.get(item.ino);
    if (file === undefined || file.isRemoved) return undefined;
    return file.ino === null ? this.growingEntry(file) : this.entryOf(file.ino);
  }

  pathIn(parent: NodeId, name: string): string {
    const path = this.#volume.inodes.pathOf(this.directory(parent));
    return path === '/' ? `/${name}` : `${path}/${name}`;
  }

  pathOf(node: NodeId): string {
    const known = this.resolve(node);
    return known.growing
      ? this.pathIn(this.newFiles.nodeOf(known.growing.parent) as NodeId, known.growing.name)
      : this.#volume.inodes.pathOf(known.ino);
  }
}

function statOfGrowing({ growing, node }: NewFile): InodeStat {
  const { size, mode, uid, gid } = growing;
  return { ino: node, type: 'file', size, mode, uid, gid };
}
