import type { Volume } from '../../famfs/index.js';
import type { DirectoryItem, FuseDirectoryAnswer, FuseEntry, NodeId } from '../../fuse/index.js';
import { fail } from '../../libc/index.js';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../modes.js';
import type { Names } from './names.js';
import { FIRST_NEW_NODE, isPending } from './new-files.js';

/** How many listings are kept. So many readers can be in the middle of different directories without a new listing. */
const KEPT = 16;
const TYPE_BITS = { file: S_IFREG, directory: S_IFDIR, symlink: S_IFLNK } as const;

/** An item of a listing, with what is needed to make its entry. */
interface ListedItem extends DirectoryItem {
  /** Its inode number, or its node while it is in the making. */
  readonly key: number;
  /** The offset at which a reader continues behind the item: not 0, ascending in a listing, and fixed for the name. */
  readonly next: number;
  /** False for `.` and `..`. */
  readonly hasEntry: boolean;
}

/**
 * Answers READDIR without open directories: the kernel opens none if it need not, and caches what it has read. Each item has an
 * offset of its own (`ListedItem.next`, ascending). So a reader that continues at any offset neither repeats nor misses a name,
 * whatever was published meanwhile. The last listings are kept, because readers may be in the middle of them.
 */
export class Listings {
  readonly #volume: Volume;
  readonly #names: Names;
  readonly #kept = new Map<number, ListedItem[]>();

  constructor(volume: Volume, names: Names) {
    this.#volume = volume;
    this.#names = names;
  }

  /** Fills an answer with the items behind `offset`. At 0, the start, the directory is listed anew. */
  fill(directory: NodeId, offset: number, answer: FuseDirectoryAnswer): void {
    const kept = offset > 0 ? this.#kept.get(directory) : undefined;
    const items = kept ?? this.#listed(directory);
    const from = placeAfter(items, offset);
    if (from === items.length) this.#kept.delete(directory); // the kernel asks once more at the end
    let item: ListedItem;
    const entryOfItem = () => this.#entryOf(directory, item, kept === undefined);
    for (let place = from; place < items.length; place++) {
      item = items[place]!;
      const entry = answer.plus && item.hasEntry ? entryOfItem : undefined;
      if (!answer.add(item.name, item.inode, item.type, item.next, entry)) return;
    }
  }

  #listed(directory: NodeId): ListedItem[] {
    const items = this.#list(directory);
    this.#kept.delete(directory);
    this.#kept.set(directory, items);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT) this.#kept.delete(oldest!);
    return items;
  }

  /** The current listing of a directory: `.`, `..`, then the others in order of their places. */
  #list(node: NodeId): ListedItem[] {
    const directory = this.#names.directory(node);
    this.#names.refresh();
    this.#names.asked(directory);
    const { inodes } = this.#volume;
    const { newFiles } = this.#names;
    const made = newFiles.get(directory);
    const up = made?.names[0]?.parent ?? (directory === inodes.root ? directory : inodes.parentOf(directory));
    const own = { type: S_IFDIR, hasEntry: false };
    const items: ListedItem[] = [
      { name: '.', inode: directory, key: directory, next: 1, ...own },
      { name: '..', inode: up, key: up, next: 2, ...own },
    ];
    if (directory < FIRST_NEW_NODE) this.#addPublished(directory, items);
    for (const { name, place, made: inside } of newFiles.in(directory)) {
      const key = inside.ino ?? inside.node;
      const type = TYPE_BITS[inside.kind];
      items.push({ name, inode: inside.node, type, key, next: place + 1, hasEntry: true });
    }
    return isInOrder(items) ? items : items.sort((a, b) => a.next - b.next);
  }

  /** Adds what the volume has, as far as nothing in the making hides it. */
  #addPublished(directory: number, items: ListedItem[]): void {
    const { newFiles } = this.#names;
    const { inodes } = this.#volume;
    if (!inodes.isDirectory(directory)) fail('ENOTDIR', `${inodes.pathOf(directory)} is not a directory`);
    const firstNodes = new Set<number>();
    const nothingMade = newFiles.isEmpty;
    for (const { name, ino, cookie } of inodes.entries(directory)) {
      if (nothingMade) {
        items.push({
          name,
          inode: ino,
          type: typeOf(inodes, ino),
          key: ino,
          next: cookie + 1,
          hasEntry: true,
        });
        continue;
      }
      if (newFiles.named(directory, name)) continue;
      const inode = newFiles.nodeOf(ino);
      // What was made here keeps the place that it had before it was published; its further names do not.
      const isFirst = inode >= FIRST_NEW_NODE && !firstNodes.has(inode);
      if (isFirst) firstNodes.add(inode);
      const next = (isFirst ? inode : cookie) + 1;
      items.push({ name, inode, type: typeOf(inodes, ino), key: ino, next, hasEntry: true });
    }
  }

  /**
   * The entry of a listed item, or undefined when it was removed, or is something else, by now. Counts one lookup.
   * @param isNew it was listed for this very answer: most of what is in the volume then need not be looked up again
   */
  #entryOf(directory: NodeId, { name, key }: ListedItem, isNew: boolean): FuseEntry | undefined {
    const names = this.#names;
    if (isNew && key < FIRST_NEW_NODE && names.newFiles.get(key) === undefined) return names.entryOf(key);
    const made = names.madeIn(directory, name)?.made;
    if (made) return (made.ino ?? made.node) === key ? names.madeEntry(made) : undefined;
    const ino = names.inoIn(directory, name);
    const known = names.newFiles.get(key);
    if (ino < 0 || (ino !== key && known?.ino !== ino)) return undefined;
    return known && isPending(known) ? names.madeEntry(known) : names.entryOf(ino);
  }
}

/** All are, except for what was made through this mount. */
function isInOrder(items: readonly ListedItem[]): boolean {
  for (let i = 1; i < items.length; i++) if (items[i]!.next < items[i - 1]!.next) return false;
  return true;
}

function typeOf(inodes: Volume['inodes'], ino: number): number {
  if (inodes.isDirectory(ino)) return S_IFDIR;
  return inodes.linkTarget(ino) === null ? S_IFREG : S_IFLNK;
}

/** The place of the first item whose offset is beyond `offset`. */
function placeAfter(items: readonly ListedItem[], offset: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.next > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
