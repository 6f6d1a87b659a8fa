import { fail } from '../../libc/index.js';
import type { Backing } from '../../memory/index.js';
import { type Fmap, fmapCapacity } from '../media/fmap.js';
import { backingRanges } from './device-media.js';
import { lostRanges } from './lost-ranges.js';
import type { MountedFamfs } from './mounted.js';

/** Where the bytes of a file are in the one backing of its device. */
export interface FileMemory {
  readonly backing: Backing;
  /** 0: the file is its extents, one behind the other. Else its chunks of this size go round-robin over them. */
  readonly chunkSize: number;
  /** Offsets in the backing. */
  readonly extents: readonly { readonly offset: number; readonly length: number }[];
}

/**
 * Finds the memory of a file for a program that maps it itself. All of it must be there and healthy, because nobody looks later.
 * @param path names the file in messages
 * @throws DaxError EIO some of it has failed, or is cut off; ENODEV it lies on another device; ERANGE its extents end before the file
 */
export function fileMemory(mounted: MountedFamfs, path: string, size: number, fmap: Fmap): FileMemory {
  const away = fmap.extents.find(({ devindex }) => devindex !== 0);
  if (away) fail('ENODEV', `${path} lies on device ${away.devindex}, which is not here`, { path });
  if (fmapCapacity(fmap) < size) fail('ERANGE', `the extents of ${path} end before the file`, { path });
  mounted.assertMemory(fmap);
  const pieces = fmap.extents.map(({ offset, length }) => {
    const [lost] = lostRanges(mounted.dax, offset, length);
    if (lost) fail('EIO', `memory of ${path} is lost: ${lost.why}`, { path });
    return joined(backingRanges(mounted.dax, offset, length));
  });
  const { backing } = pieces[0]![0]!;
  if (pieces.flat().some((piece) => piece.backing !== backing))
    fail('ENODEV', `${path} lies in several backings`, { path });
  if (fmap.type === 'simple') return { backing, chunkSize: 0, extents: pieces.flat() };
  if (pieces.some((strip) => strip.length > 1))
    fail('ERANGE', `a strip of ${path} lies in several ranges of its device`, { path });
  return { backing, chunkSize: fmap.chunkSize, extents: pieces.flat() };
}

/** Joins pieces that are adjacent in their backing. */
function joined(pieces: ReturnType<typeof backingRanges>): typeof pieces {
  const found: typeof pieces = [];
  for (const piece of pieces) {
    const last = found.at(-1);
    if (last?.backing === piece.backing && last.offset + last.length === piece.offset)
      last.length += piece.length;
    else found.push({ ...piece });
  }
  return found;
}
