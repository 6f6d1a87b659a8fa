/** The pieces of a file in file order, for whoever maps them one by one: kernels and clients that know no stripes. */
import { type Fmap, fmapCapacity, resolve } from './fmap.js';

/** Bytes of a file at `offset`, and where they lie on device `devindex`. */
export interface PlacedPiece {
  readonly offset: number;
  readonly length: number;
  readonly devindex: number;
  readonly address: number;
}

/**
 * Unrolls a file map. A simple map gives whole extents, also beyond the file's size, so that huge pages fit; a striped one gives chunks
 * up to the one that holds the last byte. Pieces that continue each other are one.
 * @returns null when there are more than `most`
 */
export function filePieces(fmap: Fmap, size: number, most: number): PlacedPiece[] | null {
  const end =
    fmap.type === 'simple'
      ? fmapCapacity(fmap)
      : Math.min(fmapCapacity(fmap), Math.ceil(size / fmap.chunkSize) * fmap.chunkSize);
  const pieces: { offset: number; length: number; devindex: number; address: number }[] = [];
  for (let at = 0; at < end; ) {
    const { devindex, offset: address, length } = resolve(fmap, at);
    const bytes = Math.min(length, end - at);
    const last = pieces.at(-1);
    if (last && last.devindex === devindex && last.address + last.length === address) last.length += bytes;
    else if (pieces.length === most) return null;
    else pieces.push({ offset: at, length: bytes, devindex, address });
    at += bytes;
  }
  return pieces;
}
