import { writeU64 } from '../../libc/index.js';
import type { FuseAttributes, FuseEntry, FuseOpenAnswer, FuseStatfs } from '../types.js';
import { attributeFlags, openedFlags } from './flags.js';
import { Attr, AttrOut, EntryOut, OPEN_OUT_SHORT_BYTES, OpenOut, StatfsOut } from './structs.js';

/** The duration that stands for "until invalidated": 68 years. */
const FOREVER_SECONDS = 2 ** 31 - 1;
const DEFAULT_BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;

function encodeAttributes(view: DataView, at: number, attributes: FuseAttributes): void {
  const { atime, mtime, ctime, size } = attributes;
  const field = Attr.at;
  writeU64(view, at + field.inode, attributes.inode);
  writeU64(view, at + field.size, size);
  writeU64(view, at + field.blocks, attributes.blocks ?? Math.ceil(size / SECTOR_BYTES));
  writeU64(view, at + field.atime, atime.seconds);
  writeU64(view, at + field.mtime, mtime.seconds);
  writeU64(view, at + field.ctime, ctime.seconds);
  view.setUint32(at + field.atimeNanoseconds, atime.nanoseconds, true);
  view.setUint32(at + field.mtimeNanoseconds, mtime.nanoseconds, true);
  view.setUint32(at + field.ctimeNanoseconds, ctime.nanoseconds, true);
  view.setUint32(at + field.mode, attributes.mode, true);
  view.setUint32(at + field.links, attributes.links, true);
  view.setUint32(at + field.uid, attributes.uid, true);
  view.setUint32(at + field.gid, attributes.gid, true);
  view.setUint32(at + field.rdev, attributes.rdev ?? 0, true);
  view.setUint32(at + field.blockSize, attributes.blockSize ?? DEFAULT_BLOCK_BYTES, true);
  view.setUint32(at + field.flags, attributes.isDax === true ? 1 << attributeFlags.DAX : 0, true);
}

export function encodeEntry(view: DataView, at: number, entry: FuseEntry): void {
  const field = EntryOut.at;
  writeU64(view, at + field.nodeId, entry.node);
  writeU64(view, at + field.generation, entry.generation ?? 0);
  encodeDuration(view, at + field.entryValid, at + field.entryValidNanoseconds, entry.entrySeconds);
  encodeDuration(
    view,
    at + field.attributeValid,
    at + field.attributeValidNanoseconds,
    entry.attributeSeconds,
  );
  encodeAttributes(view, at + field.attributes, entry.attributes);
}

/** Encodes an empty entry, for a READDIRPLUS name without an entry. */
export function encodeNoEntry(bytes: Buffer, at: number): void {
  bytes.fill(0, at, at + EntryOut.bytes);
}

export function encodeAttributeAnswer(
  view: DataView,
  at: number,
  attributes: FuseAttributes,
  attributeSeconds: number,
): void {
  const field = AttrOut.at;
  encodeDuration(view, at + field.attributeValid, at + field.attributeValidNanoseconds, attributeSeconds);
  view.setUint32(at + field.padding, 0, true);
  encodeAttributes(view, at + field.attributes, attributes);
}

/** @returns the length of the answer: its long form is for opens through a map only, older kernels refuse it */
export function encodeOpened(view: DataView, at: number, opened: FuseOpenAnswer): number {
  let flags = 0;
  if (opened.directIo) flags |= 1 << openedFlags.DIRECT_IO;
  if (opened.keepCache) flags |= 1 << openedFlags.KEEP_CACHE;
  if (opened.nonSeekable) flags |= 1 << openedFlags.NONSEEKABLE;
  if (opened.cacheDirectory) flags |= 1 << openedFlags.CACHE_DIR;
  if (opened.noFlush) flags |= 1 << openedFlags.NOFLUSH;
  if (opened.parallelDirectWrites) flags |= 1 << openedFlags.PARALLEL_DIRECT_WRITES;
  if (opened.backingId !== undefined || opened.map !== undefined) flags |= 1 << openedFlags.PASSTHROUGH;
  writeU64(view, at + OpenOut.at.handle, opened.handle);
  view.setUint32(at + OpenOut.at.openFlags, flags, true);
  view.setInt32(at + OpenOut.at.backingId, opened.backingId ?? 0, true);
  if (opened.map === undefined) return OPEN_OUT_SHORT_BYTES;
  writeU64(view, at + OpenOut.at.backingId64, opened.map);
  return OpenOut.bytes;
}

export function encodeStatfs(bytes: Buffer, view: DataView, at: number, statfs: FuseStatfs): void {
  const field = StatfsOut.at;
  bytes.fill(0, at, at + StatfsOut.bytes);
  writeU64(view, at + field.blocks, statfs.blocks);
  writeU64(view, at + field.freeBlocks, statfs.freeBlocks);
  writeU64(view, at + field.availableBlocks, statfs.availableBlocks);
  writeU64(view, at + field.files, statfs.files);
  writeU64(view, at + field.freeFiles, statfs.freeFiles);
  view.setUint32(at + field.blockSize, statfs.blockSize, true);
  view.setUint32(at + field.nameLength, statfs.nameLength, true);
  view.setUint32(at + field.fragmentSize, statfs.blockSize, true);
}

function encodeDuration(view: DataView, at: number, atNanoseconds: number, seconds: number): void {
  if (!(seconds > 0)) {
    writeU64(view, at, 0);
    view.setUint32(atNanoseconds, 0, true);
    return;
  }
  const whole = Math.floor(Math.min(seconds, FOREVER_SECONDS));
  writeU64(view, at, whole);
  view.setUint32(atNanoseconds, seconds >= FOREVER_SECONDS ? 0 : (seconds - whole) * 1e9, true);
}
