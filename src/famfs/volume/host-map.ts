import { resolve } from 'node:path';
import type { BackingPiece } from '../../memory/index.js';

/** `length` bytes of a file lie at `offset` of the host's file or device `path`. */
export interface HostPiece {
  path: string;
  offset: number;
  length: number;
}

/** Where the bytes of a file lie on this host, for programs that map them themselves, in any language. */
export interface HostMap {
  /** Bytes of the file: the sum over the pieces. */
  size: number;
  /** Offsets and lengths of mappings must be multiples of this: a page of the memory, bytes. */
  align: number;
  /** In file order. */
  pieces: HostPiece[];
}

export function hostMapOf(size: number, pieces: readonly BackingPiece[]): HostMap {
  return {
    size,
    align: Math.max(...pieces.map(({ backing }) => backing.granule)),
    pieces: pieces.map(({ backing, offset, length }) => ({ path: resolve(backing.name), offset, length })),
  };
}
