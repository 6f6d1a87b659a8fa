import { addressOf } from '../libc/index.js';
import type { Backing } from './backing.js';
import { PAGE_BYTES } from './backing-range.js';
import type { Access } from './mapping.js';
import { checkPieces, type Piece } from './pieces.js';
import { place } from './placement.js';
import { mappingRegistry, type Span } from './registry.js';

/**
 * The first window is small. File systems keep their metadata there (the default log of famfs ends at 10 MiB), and a program that reads
 * only that avoids the collections that 32 MiB of foreign memory cause: two of the young generation at once, and one of all.
 * The other windows begin at every 1 GiB of the range, the first of them at 0, and overlap the next one by 64 MiB. So every request
 * up to 64 MiB fits into one window.
 */
const HEAD_BYTES = 2 ** 24;
const STRIDE_BYTES = 2 ** 30;
export const OVERLAP_BYTES = 2 ** 26;

/** The number of the window that holds bytes `from`..`to` of a range, if any does. */
export function windowIndex(from: number, to: number): number {
  return to <= HEAD_BYTES ? 0 : 1 + Math.floor(from / STRIDE_BYTES);
}

/** The first byte of a window, from the start of its range. */
export function windowStart(index: number): number {
  return index === 0 ? 0 : (index - 1) * STRIDE_BYTES;
}

function windowEnd(index: number): number {
  return index === 0 ? HEAD_BYTES : windowStart(index) + STRIDE_BYTES + OVERLAP_BYTES;
}

/** How many of `length` bytes from `from` on, more than 64 MiB, one window holds: more than 64 MiB. */
export function withinWindow(from: number, length: number): number {
  return Math.min(length, windowEnd(windowIndex(from, from + length)) - from);
}

/** A view for udax itself: it stands for the kernel's direct map. */
export interface OwnView {
  span: Span;
  buffer: ArrayBuffer;
}

/**
 * Maps pieces for udax itself: shared where the backing is writable. Where it is not, a stray store must not reach it:
 * private, or protected where the backing refuses private mappings.
 */
export function openOwnView(
  pieces: readonly Piece[],
  length: number,
  label: string,
  onCollected: () => void,
): OwnView {
  // A window is wider than the request, and may reach past the end of a truncated file: each access is checked by itself.
  // Other backings are checked here: mapping past the end of a huge page file would make it longer.
  checkPieces(pieces.filter(({ backing }) => backing !== null && !isPlainFile(backing)));
  const placement = place(pieces, ownAccess(pieces), label, () => mappingRegistry.endDropped());
  return mappingRegistry.open('own', placement, length, label, onCollected);
}

function isPlainFile({ kind, granule }: Backing): boolean {
  return kind !== 'devdax' && granule === PAGE_BYTES;
}

function ownAccess(pieces: readonly Piece[]): Access {
  if (pieces.every(({ backing }) => backing?.writable !== false)) return 'shared';
  return pieces.some(({ backing }) => backing?.sharedOnly) ? 'protected' : 'private';
}

/** The range that windows show. */
export interface WindowSource {
  readonly length: number;
  readonly backing: { readonly name: string };
  /** Appends the pieces for an own view of bytes `from`..`to`. */
  appendOwnView(pieces: Piece[], from: number, to: number): void;
}

/** The windows of one range: each is mapped at its first use, and all end with the range. */
export class RangeWindows {
  /** By window number. The hot path reads this directly. */
  readonly buffers: (ArrayBuffer | undefined)[] = [];
  readonly #spans: Span[] = [];
  readonly #range: WindowSource;

  constructor(range: WindowSource) {
    this.#range = range;
  }

  get count(): number {
    return this.#spans.length;
  }

  /** The window that holds bytes `from`..`to` of the range; undefined when none does. */
  open(from: number, to: number): { buffer: ArrayBuffer; start: number } | undefined {
    const index = windowIndex(from, to);
    const start = windowStart(index);
    const end = Math.min(this.#range.length, windowEnd(index));
    if (to > end) return undefined;
    const buffer = this.buffers[index] ?? this.#map(index, start, end);
    return { buffer, start };
  }

  /** The window of one byte of the range: what it shows of the range, and its address in this process. */
  around(at: number): { start: number; end: number; address: number } {
    const { buffer, start } = this.open(at, at + 1)!;
    return { start, end: start + buffer.byteLength, address: addressOf(buffer) };
  }

  end(): void {
    this.buffers.length = 0;
    for (const span of this.#spans.splice(0)) mappingRegistry.end(span, 'revoked');
  }

  #map(index: number, start: number, end: number): ArrayBuffer {
    const pieces: Piece[] = [];
    this.#range.appendOwnView(pieces, start, end);
    const { span, buffer } = openOwnView(pieces, end - start, this.#range.backing.name, nothingToForget);
    this.#spans.push(span);
    this.buffers[index] = buffer;
    return buffer;
  }
}

/** A window is held by RangeWindows, so it is collected only together with that. */
const nothingToForget = () => {};
