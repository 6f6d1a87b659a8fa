import type { FuseDirectoryAnswer, FuseEntry } from '../../fuse/index.js';
import type { ListedItem } from './names.js';

/** How many listings are kept. So many readers can be in the middle of different directories without a new listing. */
const KEPT = 16;

/**
 * Answers READDIR without open directories: the kernel opens none if it need not, and caches what it has read. Each item has an
 * offset of its own (`ListedItem.next`, ascending). So a reader that continues at any offset neither repeats nor misses a name,
 * whatever was published meanwhile. The last listings are kept, because readers may be in the middle of them.
 */
export class Listings {
  readonly #list: (directory: number) => ListedItem[];
  readonly #entryOf: (item: ListedItem) => FuseEntry | undefined;
  readonly #kept = new Map<number, ListedItem[]>();

  constructor(
    list: (directory: number) => ListedItem[],
    entryOf: (item: ListedItem) => FuseEntry | undefined,
  ) {
    this.#list = list;
    this.#entryOf = entryOf;
  }

  /** Fills an answer with the items behind `offset`. At 0, the start, the directory is listed anew. */
  fill(directory: number, offset: number, answer: FuseDirectoryAnswer): void {
    const items = (offset > 0 && this.#kept.get(directory)) || this.#listed(directory);
    const from = placeAfter(items, offset);
    if (from === items.length) this.#kept.delete(directory); // the kernel asks once more at the end
    for (let place = from; place < items.length; place++) {
      const item = items[place]!;
      const entry = answer.plus && item.hasEntry ? () => this.#entryOf(item) : undefined;
      if (!answer.add(item.name, item.inode, item.type, item.next, entry)) return;
    }
  }

  #listed(directory: number): ListedItem[] {
    const items = this.#list(directory);
    this.#kept.delete(directory);
    this.#kept.set(directory, items);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > KEPT) this.#kept.delete(oldest!);
    return items;
  }
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
