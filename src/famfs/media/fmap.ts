/**
 * File maps say where the bytes of a file lie on the devices. This file decodes and encodes them, and resolves a file offset
 * to a device offset (famfs-format.md 2.4).
 */
import { fail, writeU64 } from '../../libc/index.js';
import {
  extentLayout,
  FAMFS_EXT_INTERLEAVED,
  FAMFS_EXT_SIMPLE,
  FAMFS_MAX_EXTENTS,
  FAMFS_MAX_STRIPS,
  fmapLayout,
  interleavedLayout,
} from './layout.js';
import { checkedU64 } from './struct.js';

/** A run of bytes on device `devindex`. Device 0 holds the superblock. `offset` and `length` are bytes. */
export interface FamfsExtent {
  devindex: number;
  offset: number;
  length: number;
}

/** Simple: the file is its extents, one after the other. Interleaved: its chunks go round-robin over the strips. */
export type Fmap =
  | { type: 'simple'; extents: FamfsExtent[] }
  | { type: 'interleaved'; nstrips: number; chunkSize: number; extents: FamfsExtent[] };

/** Where one file offset lies on a device. `length` is how many bytes of the file follow contiguously there. */
export interface FilePiece extends FamfsExtent {
  /** The index of the extent or strip. */
  extent: number;
}

const { extType, nextents, extents, interleaved } = fmapLayout.fields;
const { nstrips, chunkSize, strips } = interleavedLayout.fields;

/**
 * Decodes the fmap at byte `at` of a view. `origin` is the device offset of the view's byte 0. `what` names the file in messages.
 * @throws DaxError EBADMSG unknown type, counts out of bounds, unsafe integers; the message names field and byte
 */
export function decodeFmap(view: DataView, at: number, what: string, origin = 0): Fmap {
  const kind = view.getUint32(at + extType.offset, true);
  const count = view.getUint32(at + nextents.offset, true);
  if (kind === FAMFS_EXT_SIMPLE) {
    checkCount(`${what}: nextents`, count, FAMFS_MAX_EXTENTS, origin + at + nextents.offset);
    return { type: 'simple', extents: decodeExtents(view, at + extents.offset, count, what, origin) };
  }
  if (kind !== FAMFS_EXT_INTERLEAVED) {
    fail('EBADMSG', `${what}: extent type ${kind} at byte ${origin + at + extType.offset} is unknown`);
  }
  checkCount(`${what}: niext`, count, 1, origin + at + nextents.offset);
  const base = at + interleaved.offset;
  const stripCount = checkedU64(view, base + nstrips.offset, `${what}: nstrips`, origin);
  checkCount(`${what}: nstrips`, stripCount, FAMFS_MAX_STRIPS, origin + base + nstrips.offset);
  return {
    type: 'interleaved',
    nstrips: stripCount,
    chunkSize: checkedU64(view, base + chunkSize.offset, `${what}: chunk_size`, origin),
    extents: decodeExtents(view, base + strips.offset, stripCount, what, origin),
  };
}

function checkCount(what: string, count: number, max: number, offset: number): void {
  if (count < 1 || count > max) {
    fail('EBADMSG', `${what} at byte ${offset} is ${count}: want ${max === 1 ? '1' : `1..${max}`}`);
  }
}

function decodeExtents(
  view: DataView,
  at: number,
  count: number,
  what: string,
  origin: number,
): FamfsExtent[] {
  const { devindex, offset, length } = extentLayout.fields;
  return Array.from({ length: count }, (_, i) => {
    const base = at + i * extentLayout.size;
    return {
      devindex: checkedU64(view, base + devindex.offset, `${what}: extent ${i} devindex`, origin),
      offset: checkedU64(view, base + offset.offset, `${what}: extent ${i} offset`, origin),
      length: checkedU64(view, base + length.offset, `${what}: extent ${i} len`, origin),
    };
  });
}

/** Encodes an fmap over zeroed bytes. EINVAL when it has no or too many extents, or not `nstrips` of them. */
export function encodeFmap(view: DataView, at: number, fmap: Fmap): void {
  const max = fmap.type === 'simple' ? FAMFS_MAX_EXTENTS : FAMFS_MAX_STRIPS;
  if (fmap.extents.length < 1 || fmap.extents.length > max) {
    fail('EINVAL', `a file has 1 to ${max} extents, not ${fmap.extents.length}`);
  }
  if (fmap.type === 'simple') {
    view.setUint32(at + extType.offset, FAMFS_EXT_SIMPLE, true);
    view.setUint32(at + nextents.offset, fmap.extents.length, true);
    encodeExtents(view, at + extents.offset, fmap.extents);
    return;
  }
  if (fmap.nstrips !== fmap.extents.length) {
    fail('EINVAL', `an interleaved file of ${fmap.nstrips} strips has ${fmap.extents.length} extents`);
  }
  view.setUint32(at + extType.offset, FAMFS_EXT_INTERLEAVED, true);
  view.setUint32(at + nextents.offset, 1, true);
  const base = at + interleaved.offset;
  writeU64(view, base + nstrips.offset, fmap.nstrips);
  writeU64(view, base + chunkSize.offset, fmap.chunkSize);
  encodeExtents(view, base + strips.offset, fmap.extents);
}

function encodeExtents(view: DataView, at: number, list: readonly FamfsExtent[]): void {
  const { devindex, offset, length } = extentLayout.fields;
  let base = at;
  for (const extent of list) {
    writeU64(view, base + devindex.offset, extent.devindex);
    writeU64(view, base + offset.offset, extent.offset);
    writeU64(view, base + length.offset, extent.length);
    base += extentLayout.size;
  }
}

/** How many bytes a file with this map can hold. */
export function fmapCapacity(fmap: Fmap): number {
  if (fmap.type === 'simple') return fmap.extents.reduce((sum, extent) => sum + extent.length, 0);
  const shortest = fmap.extents.reduce((least, strip) => Math.min(least, strip.length), Infinity);
  return Math.floor(shortest / fmap.chunkSize) * fmap.chunkSize * fmap.nstrips;
}

/**
 * Finds where the byte at `offset` of a file lies, and how many bytes follow it contiguously (`length`).
 * @throws DaxError ERANGE the offset is negative or past the extents
 */
export function resolve(fmap: Fmap, offset: number): FilePiece {
  if (!(offset >= 0)) fail('ERANGE', `file offset ${offset} is negative`);
  return fmap.type === 'simple' ? resolveSimple(fmap.extents, offset) : resolveInterleaved(fmap, offset);
}

function resolveSimple(list: readonly FamfsExtent[], offset: number): FilePiece {
  let within = offset;
  for (let i = 0; i < list.length; i++) {
    const extent = list[i]!;
    if (within < extent.length) {
      return {
        devindex: extent.devindex,
        offset: extent.offset + within,
        length: extent.length - within,
        extent: i,
      };
    }
    within -= extent.length;
  }
  return fail('ERANGE', `file offset ${offset} lies ${within} bytes past the end of its extents`);
}

function resolveInterleaved(fmap: Extract<Fmap, { type: 'interleaved' }>, offset: number): FilePiece {
  const chunk = Math.floor(offset / fmap.chunkSize);
  const within = offset % fmap.chunkSize;
  const strip = chunk % fmap.nstrips;
  const inStrip = Math.floor(chunk / fmap.nstrips) * fmap.chunkSize + within;
  const extent = fmap.extents[strip]!;
  if (inStrip >= extent.length) {
    fail('ERANGE', `file offset ${offset} lies past the end of strip ${strip} (${extent.length} bytes)`);
  }
  // A single strip is contiguous: the next chunk follows in the same strip.
  const room = fmap.nstrips === 1 ? extent.length - inStrip : fmap.chunkSize - within;
  return {
    devindex: extent.devindex,
    offset: extent.offset + inStrip,
    length: Math.min(room, extent.length - inStrip),
    extent: strip,
  };
}

/**
 * The inverse of resolve(): which byte of a file lies at a byte of a device.
 * @returns null when the file has no extent there
 */
export function fileOffsetAt(fmap: Fmap, devindex: number, address: number): number | null {
  let before = 0;
  for (const [place, extent] of fmap.extents.entries()) {
    const within = address - extent.offset;
    if (extent.devindex === devindex && within >= 0 && within < extent.length) {
      if (fmap.type === 'simple') return before + within;
      const { chunkSize, nstrips } = fmap;
      return (Math.floor(within / chunkSize) * nstrips + place) * chunkSize + (within % chunkSize);
    }
    before += extent.length;
  }
  return null;
}

/** Tells whether `next` begins where `last` ends, on the same device. */
export function continuesExtent(last: FamfsExtent, next: FamfsExtent): boolean {
  return last.devindex === next.devindex && last.offset + last.length === next.offset;
}

/**
 * The device ranges behind `length` bytes at `offset` of a file. There is at most one range an extent or strip, in the order of
 * the extents, not of the file. Locks and flushes need no order, so they can use these few ranges however small the chunks are.
 * @throws DaxError ERANGE the range leaves the extents
 */
export function extentRanges(fmap: Fmap, offset: number, length: number): FamfsExtent[] {
  if (length <= 0) return [];
  const end = offset + length;
  const ranges =
    fmap.type === 'simple' ? simpleRanges(fmap.extents, offset, end) : stripRanges(fmap, offset, end);
  const found = ranges.reduce((sum, range) => sum + range.length, 0);
  if (found < length)
    fail('ERANGE', `only ${found} of ${length} bytes at ${offset} of a file lie in its extents`);
  return ranges;
}

function simpleRanges(list: readonly FamfsExtent[], offset: number, end: number): FamfsExtent[] {
  const ranges: FamfsExtent[] = [];
  let start = 0;
  for (const extent of list) {
    const from = Math.max(offset, start);
    const to = Math.min(end, start + extent.length);
    if (to > from) ranges.push({ ...extent, offset: extent.offset + from - start, length: to - from });
    start += extent.length;
  }
  return ranges;
}

/** A range of the file is one contiguous range in each strip: a strip holds its chunks in file order, without gaps. */
function stripRanges(
  { chunkSize, nstrips, extents: strips }: Extract<Fmap, { type: 'interleaved' }>,
  offset: number,
  end: number,
): FamfsExtent[] {
  const ranges: FamfsExtent[] = [];
  const first = Math.floor(offset / chunkSize);
  const last = Math.floor((end - 1) / chunkSize);
  for (const [place, strip] of strips.entries()) {
    const firstHere = first + ((place - (first % nstrips) + nstrips) % nstrips);
    const lastHere = last - (((last % nstrips) - place + nstrips) % nstrips);
    if (firstHere > lastHere) continue;
    const from = Math.floor(firstHere / nstrips) * chunkSize + (firstHere === first ? offset % chunkSize : 0);
    const inLast = lastHere === last ? ((end - 1) % chunkSize) + 1 : chunkSize;
    const to = Math.min(strip.length, Math.floor(lastHere / nstrips) * chunkSize + inLast);
    if (to > from) ranges.push({ ...strip, offset: strip.offset + from, length: to - from });
  }
  return ranges;
}
