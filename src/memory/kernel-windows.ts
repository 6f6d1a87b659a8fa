import { addressOf } from '../libc/index.js';
import type { Backing } from './backing.js';
import { PAGE_BYTES } from './backing-range.js';
import type { Access } from './mapping.js';
import { checkPieces, type Piece } from './pieces.js';
import { place } from './placement.js';
import { mappingRegistry, type Span } from './registry.js';

/**
 * The first window is small: file systems keep their metadata there, and who looks only at that is spared the garbage
 * collection that a gigabyte of foreign memory sets off. The others begin every 1 GiB of the range and reach into
 * the next, so that no request up to 64 MiB straddles two.
 */
const HEAD_BYTES = 2 ** 25;
const STRIDE_BYTES = 2 ** 30;
const OVERLAP_BYTES = 2 ** 26;

/** Which window bytes `from`..`to` of a range are looked for in. */
export function windowIndex(from: number, to: number): number {
  return to <= HEAD_BYTES ? 0 : 1 + Math.floor(from / STRIDE_BYTES);
}

/** Where in its range a window begins, bytes. */
export function windowStart(index: number): number {
  return index === 0 ? 0 : (index - 1) * STRIDE_BYTES;
}

function windowEnd(index: number): number {
  return index === 0 ? HEAD_BYTES : windowStart(index) + STRIDE_BYTES + OVERLAP_BYTES;
}

/** A view of ours: what the kernel's direct map is to it. */
export interface OwnView {
  span: Span;
  buffer: ArrayBuffer;
}

/**
 * Maps pieces for ourselves: shared where the memory may be written, else so that a stray store of ours stays in the
 * view (private) or, where the memory refuses that, is at least no change (protected).
 */
export function openOwnView(
  pieces: readonly Piece[],
  length: number,
  label: string,
  onCollected: () => void,
): OwnView {
  // A window is wider than what is asked for, and may reach past the end of a file that was cut: each access is checked for
  // itself. Mapping past the end of a huge page file would make it longer.
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

/** What windows are on. */
export interface WindowSource {
  readonly length: number;
  readonly backing: { readonly name: string };
  /** Appends the pieces for our own view of bytes `from`..`to`. */
  appendOwnView(pieces: Piece[], from: number, to: number): void;
}

/** The lasting windows on one range: mapped at first use, ended with the range. */
export class RangeWindows {
  /** By number; looked at directly by the hot path. */
  readonly buffers: (ArrayBuffer | undefined)[] = [];
  readonly #spans: Span[] = [];
  /** By number: where the windows are in this process; 0 or nothing until asked for. */
  readonly #addresses: number[] = [];
  readonly #range: WindowSource;

  constructor(range: WindowSource) {
    this.#range = range;
  }

  get count(): number {
    return this.#spans.length;
  }

  /** The window that bytes `from`..`to` of the range are in, or undefined when they are too long for one. */
  open(from: number, to: number): { buffer: ArrayBuffer; start: number } | undefined {
    const index = windowIndex(from, to);
    const start = windowStart(index);
    const end = Math.min(this.#range.length, windowEnd(index));
    if (to > end) return undefined;
    const buffer = this.buffers[index] ?? this.#map(index, start, end);
    return { buffer, start };
  }

  /** Where byte `from` of the range is in this process, in a window that holds `from`..`to`; undefined when none does. */
  address(from: number, to: number): number | undefined {
    const window = this.open(from, to);
    if (window === undefined) return undefined;
    const index = windowIndex(from, to);
    this.#addresses[index] ||= addressOf(window.buffer);
    return this.#addresses[index]! + from - window.start;
  }

  end(): void {
    this.buffers.length = 0;
    this.#addresses.length = 0;
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

/** A window is collected only together with the whole map. */
const nothingToForget = () => {};
