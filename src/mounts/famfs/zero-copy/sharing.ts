import { filePieces, type Volume } from '../../../famfs/index.js';

/**
 * Finds files that share memory with another file: clones, and files of damaged media. A page of a device may be mapped through one
 * inode only, so the kernel gets a map of none of them. All of them are told apart by one walk over the volume, again only when the
 * number of shared units has changed.
 */
export class Sharing {
  readonly #volume: Volume;
  #collisions = 0;
  #files: ReadonlySet<number> = new Set();

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  has(ino: number): boolean {
    const { sharedUnits } = this.#volume.inodes;
    if (sharedUnits === 0) return false;
    if (sharedUnits !== this.#collisions) {
      this.#files = this.#walk();
      this.#collisions = sharedUnits;
    }
    return this.#files.has(ino);
  }

  #walk(): Set<number> {
    const extents: { ino: number; start: number; end: number }[] = [];
    const { inodes } = this.#volume;
    for (let ino = inodes.root + 1; ino < inodes.end; ino++) {
      if (!inodes.has(ino) || inodes.isDirectory(ino)) continue;
      // Extents, not pieces: a stripe is one extent for each strip.
      for (const { devindex, offset, length } of inodes.fmap(ino).extents)
        if (devindex === 0) extents.push({ ino, start: offset, end: offset + length });
    }
    return overlapping(extents.sort((a, b) => a.start - b.start));
  }
}

/** The inodes of extents, in order of their starts, that overlap another one (also another one of the same file). */
function overlapping(extents: readonly { ino: number; start: number; end: number }[]): Set<number> {
  const found = new Set<number>();
  let reach = extents[0];
  for (const extent of extents.slice(1)) {
    if (extent.start < reach!.end) {
      found.add(extent.ino);
      found.add(reach!.ino);
    }
    if (extent.end > reach!.end) reach = extent;
  }
  return found;
}

/** The device ranges of a file's bytes, in file order. */
export const piecesOf = (volume: Volume, ino: number) =>
  filePieces(volume.inodes.fmap(ino), volume.inodes.stat(ino).size, Number.POSITIVE_INFINITY)!;
