import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';

/** The state of one part of a mapping. */
export interface PieceState {
  /** Subset of "rwx". */
  readonly prot: string;
  /** Pages over 4 KiB may be mapped; false after MADV_NOHUGEPAGE. */
  readonly huge: boolean;
  /** A forked child gets it too; false after MADV_DONTFORK. */
  readonly inherited: boolean;
}

export interface Piece extends PieceState {
  /** Bytes from the start of the mapping. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** The parts of one mapping that are still mapped, in order. A cut inside a unit of the device's align is refused (EINVAL). */
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

  /** Checks that the whole span is mapped. @throws DaxError ENOMEM */
  mustCover(from: number, to: number): void {
    let at = from;
    for (const piece of this.#list) if (piece.start <= at && piece.end > at) at = piece.end;
    if (at < to) fail('ENOMEM', `${from}-${to} of the mapping of ${this.#device} is not all there`);
  }

  /** Removes a span. @throws DaxError EINVAL it cuts a unit */
  remove(from: number, to: number): void {
    this.#mustSplit(from, to);
    this.#list = this.#outside(from, to);
  }

  /** Changes the state of a span. A span that has the state already is not cut. @throws DaxError EINVAL it cuts a unit */
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

  /** The pieces, and the parts of pieces, before and after a span. */
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

/** The end of a span, rounded up to whole pages. */
export function pageEnd(offset: number, length: number): number {
  return offset + Math.ceil(length / PAGE_SIZE) * PAGE_SIZE;
}
