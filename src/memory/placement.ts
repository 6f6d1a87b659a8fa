import {
  addressLedger,
  DaxError,
  fail,
  hasCode,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_NORESERVE,
  MAP_PRIVATE,
  MAP_SHARED,
  mmap,
  munmap,
  PROT_READ,
  PROT_WRITE,
  reserveAddresses,
} from '../libc/index.js';
import type { Backing } from './backing.js';
import { PAGE_BYTES } from './backing-range.js';
import { HUGE_PAGE_BYTES } from './huge-pages.js';
import { checkMapCount, whyNoMemory } from './map-count.js';
import type { Access } from './mapping.js';
import type { Piece } from './pieces.js';

/** A span of addresses of this process, and the address of the first requested byte in it. */
export interface Placement {
  /** The span, as munmap gets it: address and bytes. */
  readonly base: number;
  readonly mapped: number;
  /** The first requested byte: base, or later when the first piece starts inside a granule. */
  readonly address: number;
}

const NO_FILE = -1;

const ways: Record<Access, { prot: number; flags: number }> = {
  shared: { prot: PROT_READ | PROT_WRITE, flags: MAP_SHARED },
  private: { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_NORESERVE },
  protected: { prot: PROT_READ, flags: MAP_SHARED },
};
const zeroes = { prot: PROT_READ | PROT_WRITE, flags: MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };

/**
 * Maps pieces one behind the other into one span of addresses (decision 8).
 * @param collect ends mappings that were dropped without close(); called when the process is short of mappings
 * @throws DaxError EINVAL a seam inside a granule, ENOMEM too many pieces; nothing stays mapped then
 */
export function place(
  pieces: readonly Piece[],
  access: Access,
  label: string,
  collect: () => boolean,
): Placement {
  checkSeams(pieces, label);
  checkMapCount(pieces.length, label, collect);
  try {
    const only = pieces[0]!;
    return pieces.length === 1 && only.backing && !canBeHuge(only)
      ? placeOne(only, access)
      : stitch(pieces, access);
  } catch (error) {
    throw explain(error, pieces.length, label);
  }
}

/** Unmaps a span. Every view on it must be gone or detached. */
export function unplace({ base, mapped }: Placement): void {
  munmap(base, mapped);
}

/** Whether its memory may be in huge pages that the kernel's choice of an address does not fit. */
const canBeHuge = ({ backing, length }: Piece) =>
  (backing?.kind === 'tmpfs' || backing?.kind === 'memfd') && length >= HUGE_PAGE_BYTES;

/** Maps a single piece. The kernel chooses the address. */
function placeOne(piece: Piece, access: Access): Placement {
  const lead = piece.offset % granuleOf(piece);
  const mapped = roundUp(lead + piece.length, granuleOf(piece));
  const { prot, flags } = ways[access];
  const base = mmap(0, mapped, prot, flags, piece.backing!.fd, inFile(piece.backing!, piece.offset - lead));
  return { base, mapped, address: base + lead };
}

/** Reserves the span first, so that no other mapping gets addresses in it, then maps each piece in place. */
function stitch(pieces: readonly Piece[], access: Access): Placement {
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  const lead = first.offset % granuleOf(first);
  const mapped = roundUp(lead + lengthOf(pieces), granuleOf(last));
  const base = reserve(mapped, pieces);
  try {
    let at = base;
    for (const piece of pieces) {
      const inGranule = piece === first ? lead : 0;
      const bytes = roundUp(inGranule + piece.length, granuleOf(piece));
      const { prot, flags } = piece.backing ? ways[access] : zeroes;
      mmap(
        at,
        bytes,
        prot,
        flags | MAP_FIXED,
        piece.backing?.fd ?? NO_FILE,
        piece.backing ? inFile(piece.backing, piece.offset - inGranule) : 0,
      );
      at += bytes;
    }
    addressLedger.setPieces(base, pieces.length);
  } catch (error) {
    munmap(base, mapped);
    throw error;
  }
  return { base, mapped, address: base + lead };
}

/** Reserves addresses: aligned to the largest granule; in a large span also placed in a huge page as the first piece is in its backing. */
function reserve(bytes: number, pieces: readonly Piece[]): number {
  const granule = pieces.reduce((most, piece) => Math.max(most, granuleOf(piece)), PAGE_BYTES);
  const align = bytes >= HUGE_PAGE_BYTES ? Math.max(granule, HUGE_PAGE_BYTES) : granule;
  const first = pieces[0]!;
  const phase = granule < align ? (first.offset - (first.offset % granuleOf(first))) % align : 0;
  return reserveAddresses(bytes, align, phase);
}

/** Checks that pieces can be joined: where two meet, both are at an edge of their granules. The outer edges may lie anywhere. */
function checkSeams(pieces: readonly Piece[], label: string): void {
  const first = pieces[0]!;
  let at = first.offset % granuleOf(first);
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i]!;
    const granule = granuleOf(piece);
    const startFits = i === 0 || (piece.offset % granule === 0 && at % granule === 0);
    at += piece.length;
    const endFits = i === pieces.length - 1 || at % granule === 0;
    if (startFits && endFits) continue;
    const where = `${piece.length} bytes at ${piece.offset} of ${piece.backing?.name ?? 'zeroes'}`;
    fail(
      'EINVAL',
      `${label}: ${where} cannot be joined to its neighbours, pieces there are multiples of ${granule} bytes`,
    );
  }
}

function explain(error: unknown, pieces: number, label: string): unknown {
  if (hasCode(error, 'ENOMEM')) {
    const message = `${label}: no room for a mapping of ${pieces} pieces: ${whyNoMemory(error)}`;
    return new DaxError('ENOMEM', message, { syscall: 'mmap', cause: error });
  }
  if (!(error instanceof DaxError)) return error;
  return new DaxError(error.code, `${label}: ${error.message}`, { syscall: 'mmap', cause: error });
}

function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

const inFile = ({ fileStart = 0 }: Backing, offset: number) => offset - fileStart;
const granuleOf = (piece: Piece) => piece.backing?.granule ?? PAGE_BYTES;
const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;
