import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';

/** What can differ from one part of a mapping to another. */
export interface PieceState {
  /** Subset of "rwx". */
  readonly prot: string;
  /** Pages over 4 KiB may come in (MADV_NOHUGEPAGE says no). */
  readonly huge: boolean;
  /** A forked child has it too (MADV_DONTFORK says no). */
  readonly inherited: boolean;
}

export interface Piece extends PieceState {
  /** Bytes from the start of the mapping. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The parts of one mapping that are still there, in order. Cuts inside a unit of the device's align are refused (EINVAL). */
export class Pieces {
  #list: Piece[];
  readonly #device: string;
  readonly #lengthBytes: number;
  readonly #unitBytes: number;

  constructor(device: string, lengthBytes: number, unitBytes: number, pieces: readonly Piece[]) {
    this.#device = device;
    this.#lengthBytes = lengthBytes;
    this.#unitBytes = unitBytes;
    this.#list = [...pieces];
  }

  get list(): readonly Piece[] {
    return this.#list;
  }

  at(offset: number): Piece | undefined {
    return this.#list.find(({ start, end }) => offset >= start && offset < end);
  }

  /** ENOMEM when a page of the span is not mapped. */
  mustCover(from: number, to: number): void {
    let at = from;
    for (const piece of this.#list) if (piece.start <= at && piece.end > at) at = piece.end;
    if (at < to) fail('ENOMEM', `${from}-${to} of the mapping of ${this.#device} is not all there`);
  }

  /** Takes a span out. */
  remove(from: number, to: number): void {
    this.#mustSplit(from, to);
    this.#list = this.#outside(from, to);
  }

  /** Gives a span another state; a span that has it already is not cut. */
  change(from: number, to: number, change: Partial<PieceState>): void {
    const inside = this.#list.filter(({ start, end }) => start < to && end > from);
    if (inside.every((piece) => hasState(piece, change))) return;
    this.#mustSplit(from, to);
    const changed = inside.map((piece) => ({
      ...piece,
      ...change,
      start: Math.max(piece.start, from),
      end: Math.min(piece.end, to),
    }));
    this.#list = [...this.#outside(from, to), ...changed].sort((a, b) => a.start - b.start);
  }

  #mustSplit(from: number, to: number): void {
    const inside = (at: number): boolean => at > 0 && at < this.#lengthBytes && at % this.#unitBytes !== 0;
    if (from % PAGE_SIZE !== 0 || inside(from) || inside(to))
      fail('EINVAL', `a mapping of ${this.#device} is split at multiples of ${this.#unitBytes} only`);
  }

  /** The pieces, or what is left of them, before and after a span. */
  #outside(from: number, to: number): Piece[] {
    return this.#list
      .flatMap((piece) => [
        { ...piece, end: Math.min(piece.end, from) },
        { ...piece, start: Math.max(piece.start, to) },
      ])
      .filter(({ start, end }) => end > start);
  }
}

function hasState(piece: Piece, wanted: Partial<PieceState>): boolean {
  const { prot = piece.prot, huge = piece.huge, inherited = piece.inherited } = wanted;
  return prot === piece.prot && huge === piece.huge && inherited === piece.inherited;
}

/** Where a span of whole pages ends. */
export function pageEnd(offset: number, length: number): number {
  return offset + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}
