import { appendJoined, fail } from '../libc/index.js';
import type { Backing } from './backing.js';

/** A part of a span of addresses: bytes of a backing, or of nothing (read as zero). */
export interface Piece {
  readonly backing: Backing | null;
  /** Bytes from the backing's start. */
  readonly offset: number;
  /** Bytes of addresses. */
  length: number;
  /** Bytes that must exist in the backing; less than length only in the last page of a backing that ends in it. */
  backed: number;
}

/** Appends a piece; one that continues the last one on the backing becomes part of it, so they share an mmap. */
export function appendPiece(pieces: Piece[], piece: Piece): void {
  if (appendJoined(pieces, piece, continues)) pieces.at(-1)!.backed += piece.backed;
}

function continues(last: Piece, next: Piece): boolean {
  if (last.backing !== next.backing || last.backed !== last.length) return false;
  return next.backing === null || last.offset + last.length === next.offset;
}

/**
 * Asks each backing, now, whether it still has all it is mapped for (a load beyond would be SIGBUS).
 * One question a backing: of its pieces, the one that reaches farthest.
 * @throws DaxError EIO naming the backing, where it ends and the range
 */
export function checkPieces(pieces: readonly Piece[]): void {
  const farthest = new Map<Backing, Piece>();
  for (const piece of pieces) {
    if (piece.backing === null) continue;
    const known = farthest.get(piece.backing);
    if (!known || known.offset + known.backed < piece.offset + piece.backed)
      farthest.set(piece.backing, piece);
  }
  for (const [backing, { offset, backed }] of farthest) backing.checkRange(offset, backed);
}

/** @throws DaxError EACCES when a backing that is open for reading is to be written */
export function checkWritable(pieces: readonly Piece[], label: string): void {
  const closed = pieces.find(({ backing }) => backing !== null && !backing.writable)?.backing;
  if (!closed) return;
  fail('EACCES', `${label}: ${closed.name} is open for reading, map it private or open it writable`, {
    path: closed.name,
  });
}
