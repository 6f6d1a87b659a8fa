import type { FuseDirectoryAnswer, FuseEntry } from './types.js';

/** One name of a listing. `type` is one of the S_IF* types in st_mode position. */
export interface DirectoryItem {
  readonly name: string;
  readonly inode: number;
  readonly type: number;
}

/**
 * Answers READDIR and READDIRPLUS from a listing that does not change while its directory is open. The file system takes the
 * listing at OPENDIR (and again when `offset` is 0, rewinddir), and keeps it with the handle. An item's offset is its index plus
 * one, so a reader that continues at any offset neither repeats nor misses a name.
 * @param entryOf READDIRPLUS: gives the item's entry, which counts as a lookup of it; undefined sends the name alone
 */
export function fillDirectory<T extends DirectoryItem>(
  answer: FuseDirectoryAnswer,
  listing: readonly T[],
  offset: number,
  entryOf?: (item: T) => FuseEntry | undefined,
): void {
  for (let place = offset; place < listing.length; place += 1) {
    const item = listing[place]!;
    const entry = entryOf && item.name !== '.' && item.name !== '..' ? () => entryOf(item) : undefined;
    if (!answer.add(item.name, item.inode, item.type, place + 1, entry)) return;
  }
}
