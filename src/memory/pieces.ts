import { appendJoined, fail } from '../libc/index.js';
import type { Backing } from './backing.js';

/** A part of a span of addresses: bytes of a backing, or zeroes (backing null). */
export interface Piece {
  readonly backing: Backing | null;
  /** Bytes from the backing's start. */
  readonly offset: number;
  /** Bytes of addresses. */
  length: number;
  /** Bytes that the backing must have. Less than length only in the last page of a backing that ends inside that page. */
  backed: number;
}

/** Appends a piece. A piece that continues the last one in the backing is joined to it, so both need one mmap. */
export function appendPiece(pieces: Piece[], piece: Piece): void {
  if (appendJoined(pieces, piece, continues)) pieces.at(-1)!.backed += piece.backed;
}

function continues(last: Piece, next: Piece): boolean {
  if (last.backing !== next.backing || last.backed !== last.length) return false;
  return next.backing === null || last.offset + last.length === next.offset;
}

/**
 * Checks that each backing still has its pieces now (a load beyond its end would be SIGBUS). One system call a backing: it
 * checks the piece that reaches farthest.
 * @throws DaxError EIO names the backing, its end and the range
 */
export function checkPieces(pieces: readonly Piece[]): void {
  const only = pieces[0];
  if (only !== undefined && pieces.length === 1) {
    only.backing?.checkRange(only.offset, only.backed);
    return;
  }
  const farthest = new Map<Backing, Piece>();
  for (const piece of pieces) {
    if (piece.backing === null) continue;
    const known = farthest.get(piece.backing);
    if (!known || known.offset + known.backed < piece.offset + piece.backed)
      farthest.set(piece.backing, piece);
  }
  for (const [backing, { offset, backed }] of farthest) backing.checkRange(offset, backed);
}

/** Checks that all backings are writable. @throws DaxError EACCES one is open for reading */
export function checkWritable(pieces: readonly Piece[], label: string): void {
  const closed = pieces.find(({ backing }) => backing !== null && !backing.writable)?.backing;
  if (!closed) return;
  fail('EACCES', `${label}: ${closed.name} is open for reading, map it private or open it writable`, {
    path: closed.name,
  });
}
