import { storeU64, writeU64 } from '../../libc/index.js';
import type { FuseAttributes, FuseEntry, FuseOpenAnswer, FuseStatfs } from '../types.js';
import { attributeFlags, openedFlags } from './flags.js';
import { Attr, AttrOut, EntryOut, OPEN_OUT_SHORT_BYTES, OpenOut, StatfsOut } from './structs.js';

/** The duration that stands for "until invalidated": 68 years. */
const FOREVER_SECONDS = 2 ** 31 - 1;
const DEFAULT_BLOCK_BYTES = 4096;
const SECTOR_BYTES = 512;

/** Word of a field in the reply, which holds the struct from byte `at` on: a multiple of 4. */
const wordAt = (at: number, field: number): number => (at + field) >> 2;

/** Stores words, not fields of a DataView: listings have thousands of these, and a store of a word takes a third of the time. */
function encodeAttributes(words: Uint32Array, at: number, attributes: FuseAttributes): void {
  const { atime, mtime, ctime, size } = attributes;
  const field = Attr.at;
  storeU64(words, wordAt(at, field.inode), attributes.inode);
  storeU64(words, wordAt(at, field.size), size);
  storeU64(words, wordAt(at, field.blocks), attributes.blocks ?? Math.ceil(size / SECTOR_BYTES));
  storeU64(words, wordAt(at, field.atime), atime.seconds);
  storeU64(words, wordAt(at, field.mtime), mtime.seconds);
  storeU64(words, wordAt(at, field.ctime), ctime.seconds);
  words[wordAt(at, field.atimeNanoseconds)] = atime.nanoseconds;
  words[wordAt(at, field.mtimeNanoseconds)] = mtime.nanoseconds;
  words[wordAt(at, field.ctimeNanoseconds)] = ctime.nanoseconds;
  words[wordAt(at, field.mode)] = attributes.mode;
  words[wordAt(at, field.links)] = attributes.links;
  words[wordAt(at, field.uid)] = attributes.uid;
  words[wordAt(at, field.gid)] = attributes.gid;
  words[wordAt(at, field.rdev)] = attributes.rdev ?? 0;
  words[wordAt(at, field.blockSize)] = attributes.blockSize ?? DEFAULT_BLOCK_BYTES;
  words[wordAt(at, field.flags)] = attributes.isDax === true ? 1 << attributeFlags.DAX : 0;
}

/** @param at byte of the reply, a multiple of 4 */
export function encodeEntry(words: Uint32Array, at: number, entry: FuseEntry): void {
  const field = EntryOut.at;
  storeU64(words, wordAt(at, field.nodeId), entry.node);
  storeU64(words, wordAt(at, field.generation), entry.generation ?? 0);
  encodeDuration(words, at + field.entryValid, at + field.entryValidNanoseconds, entry.entrySeconds);
  encodeDuration(
    words,
    at + field.attributeValid,
    at + field.attributeValidNanoseconds,
    entry.attributeSeconds,
  );
  encodeAttributes(words, at + field.attributes, entry.attributes);
}

/** Encodes an empty entry, for a READDIRPLUS name without an entry. */
export function encodeNoEntry(bytes: Buffer, at: number): void {
  bytes.fill(0, at, at + EntryOut.bytes);
}

/** @param at byte of the reply, a multiple of 4 */
export function encodeAttributeAnswer(
  words: Uint32Array,
  at: number,
  attributes: FuseAttributes,
  attributeSeconds: number,
): void {
  const field = AttrOut.at;
  encodeDuration(words, at + field.attributeValid, at + field.attributeValidNanoseconds, attributeSeconds);
  words[wordAt(at, field.padding)] = 0;
  encodeAttributes(words, at + field.attributes, attributes);
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

function encodeDuration(words: Uint32Array, at: number, atNanoseconds: number, seconds: number): void {
  if (!(seconds > 0)) {
    storeU64(words, at >> 2, 0);
    words[atNanoseconds >> 2] = 0;
    return;
  }
  const whole = Math.floor(Math.min(seconds, FOREVER_SECONDS));
  storeU64(words, at >> 2, whole);
  words[atNanoseconds >> 2] = seconds >= FOREVER_SECONDS ? 0 : (seconds - whole) * 1e9;
}
