/**
 * Replaces the log of a medium by a new one, so that at every store either the old log is whole or the new one is
 * (docs/famfs-format.md 18). Order, each step flushed and fenced before the next:
 *   the packed new log, into scratch space       the old log is the log
 *   the record that names it
 *   REWRITE_MAGIC instead of the famfs magic     this one store makes the new log the log
 *   the log region, and the rest of the superblock
 *   the famfs magic
 *   zeroes over record and scratch space
 * After a crash settleRewrite() completes what the third step has decided, and removes what came before it.
 * The caller keeps other users off the device, and writers of the log off it.
 */
import { crc32 } from 'node:zlib';
import { fail, hasCode, writeU64 } from '../../libc/index.js';
import {
  FAMFS_LOG_MAGIC,
  FAMFS_LOG_OFFSET,
  FAMFS_SUPER_MAGIC,
  logHeaderLayout,
  logSlots,
  type Superblock,
  slotOffset,
  superblockLayout,
} from './layout.js';
import { type Media, metadataMedia } from './media.js';
import {
  encodeRecord,
  isBetweenLogs,
  MAX_SCRATCH_RANGES,
  packedEntries,
  packLog,
  RECORD_OFFSET,
  type RewriteRecord,
  readRecord,
  rewriteRecordLayout,
  SCRATCH_OFFSET,
  type ScratchRange,
} from './rewrite-record.js';
import { writeStruct } from './struct.js';
import { decodeSuperblock, REWRITE_MAGIC, superblockBytes, viewOf } from './superblock.js';

/** Scratch space in the log is a multiple of cache lines away from its entries. */
const LINE_BYTES = 64;

export interface NewLog {
  /** The superblock that goes with it: as the old one, with another uuid of the file system. */
  superblockBytes: Uint8Array;
  /** All slots in use, with their numbers and crcs. */
  entries: Uint8Array;
  /** How many entries the old log has. */
  oldEntries: number;
  /** Parts of the device where no file is, in the old log or the new one: for a log that fits nowhere else. */
  freeSpace: readonly ScratchRange[];
  /** When the rewrite began, milliseconds since 1970. Default: now. */
  begunMs?: number;
}

/** The superblock of the same file system under another uuid. */
export function renamedSuperblock(media: Media, uuid: string): Uint8Array {
  const bytes = superblockBytes(media)!;
  const view = viewOf(bytes);
  const { crc } = superblockLayout.fields;
  writeStruct(superblockLayout, view, 0, { uuid });
  writeU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)));
  return bytes;
}

/**
 * Makes `next` the log of the medium.
 * @throws DaxError ENOSPC no scratch space, or no memory under it; EIO; nothing was changed then
 */
export function switchLog(media: Media, next: NewLog): void {
  const superblock = decodeSuperblock(next.superblockBytes);
  const entries = next.entries.length / (slotOffset(1) - slotOffset(0));
  const packed = packLog(next.entries);
  const { oldEntries, superblockBytes: bytes } = next;
  const scratch = scratchFor(packed.length, superblock, Math.max(entries, oldEntries), next.freeSpace, media);
  const begunMs = next.begunMs ?? Date.now();
  const record = {
    entries,
    oldEntries,
    packedBytes: packed.length,
    packedCrc: crc32(packed),
    scratch,
    begunMs,
  };
  const whole: RewriteRecord = { ...record, superblockBytes: bytes, superblock };
  let memory: Memory;
  try {
    memory = provenMemory(media, whole);
    storePacked(media, packed, scratch);
    storeRecord(media, encodeRecord(whole));
  } catch (error) {
    eraseQuietly(media, whole);
    throw error;
  }
  decide(media, memory);
  storeNewLog(media, memory, whole, next.entries);
  eraseQuietly(media, whole);
}

/**
 * Completes or removes a rewrite that was cut short. The caller keeps others from writing the log.
 * @returns what was done
 * @throws DaxError EBADMSG the new log is damaged; EIO
 */
export function settleRewrite(media: Media): 'nothing' | 'completed' | 'removed' {
  const record = readRecord(media);
  if (!isBetweenLogs(media)) {
    if (record === null) return 'nothing';
    erase(media, record);
    return 'removed';
  }
  const entries = record === null ? null : packedEntries(media, record);
  if (record === null || entries === null) return refuseDamaged(media);
  storeNewLog(media, provenMemory(media, record), record, entries);
  eraseQuietly(media, record);
  return 'completed';
}

/** The rewrite that was cut short after it was decided; null when there is none, or its new log is damaged. */
export function decidedRewrite(media: Media): { record: RewriteRecord; entries: Uint8Array } | null {
  if (!isBetweenLogs(media)) return null;
  const record = readRecord(media);
  const entries = record === null ? null : packedEntries(media, record);
  return record === null || entries === null ? null : { record, entries };
}

/**
 * The medium as readers must see it: where a rewrite was cut short after it was decided, superblock and log are private
 * copies of the new ones. In every other state the medium itself.
 */
export function asRewritten<M extends Media>(media: M): M {
  const decided = decidedRewrite(media);
  if (decided === null) return media;
  const { record, entries } = decided;
  return metadataMedia(media, metadataImage(record.superblockBytes, entries));
}

/** Superblock and log as bytes of a device: what C's mkfs and the same entries would leave there. */
export function metadataImage(superblockBytes: Uint8Array, entries: Uint8Array): Uint8Array {
  const { logOffset, logLength } = decodeSuperblock(superblockBytes);
  const image = new Uint8Array(logOffset + logLength);
  image.set(superblockBytes);
  image.set(logStart(logLength, entries), logOffset);
  return image;
}

/** The header of a log, and its entries. */
function logStart(logLength: number, entries: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(logHeaderLayout.size + entries.length);
  const view = viewOf(bytes);
  const count = entries.length / (slotOffset(1) - slotOffset(0));
  const indices = { nextSeqnum: count, nextIndex: count };
  const lastIndex = logSlots(logLength) - 1;
  writeStruct(logHeaderLayout, view, 0, { magic: FAMFS_LOG_MAGIC, length: logLength, lastIndex, ...indices });
  const { crc } = logHeaderLayout.fields;
  writeU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)));
  bytes.set(entries, logHeaderLayout.size);
  return bytes;
}

/** Space for the packed log: behind the record, then in the log behind its entries, then where no file is. */
function scratchFor(
  bytes: number,
  { logOffset, logLength }: Superblock,
  slotsInUse: number,
  freeSpace: readonly ScratchRange[],
  media: Media,
): ScratchRange[] {
  const inLog = Math.ceil((logOffset + slotOffset(slotsInUse)) / LINE_BYTES) * LINE_BYTES;
  const places = [
    { offset: SCRATCH_OFFSET, length: FAMFS_LOG_OFFSET - SCRATCH_OFFSET },
    { offset: inLog, length: logOffset + logLength - inLog },
    ...[...freeSpace].sort((a, b) => b.length - a.length),
  ];
  const chosen: ScratchRange[] = [];
  let missing = bytes;
  for (const { offset, length } of places.slice(0, MAX_SCRATCH_RANGES)) {
    const taken = Math.min(missing, length);
    if (taken > 0) chosen.push({ offset, length: taken });
    missing -= Math.max(0, taken);
  }
  if (missing === 0) return chosen;
  return fail(
    'ENOSPC',
    `${media.name}: the new log needs ${bytes} bytes of free space while it is written, and there are ${bytes - missing}: ` +
      'nothing was changed; copy the files out, mkfs(device, { force: true, logLength }) with a longer log, copy them in again',
    { path: media.name, hint: 'mkfs-longer-log' },
  );
}

/** Views of what is stored once a rewrite is decided. */
interface Memory {
  superblock: Uint8Array;
  log: Uint8Array;
}

/** After this no store of the rewrite can fail for lack of memory: a full disk under a sparse file is an error now. */
function provenMemory(media: Media, { superblock, entries, oldEntries, scratch }: RewriteRecord): Memory {
  const proven = ({ offset, length }: ScratchRange): Uint8Array => {
    media.ensure?.(offset, length);
    return media.bytes(offset, length);
  };
  for (const range of [{ offset: RECORD_OFFSET, length: rewriteRecordLayout.size }, ...scratch])
    proven(range);
  return {
    superblock: proven({ offset: 0, length: superblockLayout.size }),
    log: proven({ offset: superblock.logOffset, length: slotOffset(Math.max(entries, oldEntries)) }),
  };
}

function storePacked(media: Media, packed: Uint8Array, scratch: readonly ScratchRange[]): void {
  let at = 0;
  for (const { offset, length } of scratch) {
    media.bytes(offset, length).set(packed.subarray(at, at + length));
    media.flush(offset, length);
    at += length;
  }
  media.fence();
}

function storeRecord(media: Media, record: Uint8Array): void {
  media.bytes(RECORD_OFFSET, record.length).set(record);
  media.flush(RECORD_OFFSET, record.length);
  media.fence();
}

/** From this store on the new log is the log. */
function decide(media: Media, memory: Memory): void {
  storeMagic(media, memory, REWRITE_MAGIC);
}

/** Both magics fit the low word of their field, so one aligned 4-byte store changes it: nobody sees a mix. */
function storeMagic(media: Media, { superblock }: Memory, magic: number): void {
  const { offset, size } = superblockLayout.fields.magic;
  Atomics.store(new Uint32Array(superblock.buffer, superblock.byteOffset + offset, 1), 0, magic);
  media.flush(offset, size);
  media.fence();
}

/** Idempotent: reads nothing of what it writes. */
function storeNewLog(media: Media, memory: Memory, record: RewriteRecord, entries: Uint8Array): void {
  const { logOffset, logLength } = record.superblock;
  const { log, superblock } = memory;
  const start = logStart(logLength, entries);
  log.set(start);
  if (log.length > start.length) log.fill(0, start.length);
  media.flush(logOffset, log.length);
  const { size } = superblockLayout.fields.magic;
  superblock.set(record.superblockBytes.subarray(size), size);
  media.flush(size, superblock.length - size);
  media.fence();
  storeMagic(media, memory, FAMFS_SUPER_MAGIC);
}

/** Zeroes the record, and the scratch space that is not where files may be. */
function erase(media: Media, { scratch, superblock }: RewriteRecord): void {
  zero(media, RECORD_OFFSET, rewriteRecordLayout.size);
  const { logOffset, logLength } = superblock;
  for (const { offset, length } of scratch) {
    const end = offset + length;
    if (end <= FAMFS_LOG_OFFSET) zero(media, offset, length);
    else if (offset < logOffset + logLength) {
      // Somebody may have appended since: C famfs knows nothing of the record.
      const from = Math.max(offset, logOffset + slotOffset(publishedEntries(media, superblock)));
      if (from < end) zero(media, from, end - from);
    }
  }
  media.fence();
}

function publishedEntries(media: Media, { logOffset, logLength }: Superblock): number {
  media.invalidate(logOffset, logHeaderLayout.size);
  const view = viewOf(media.bytes(logOffset, logHeaderLayout.size));
  const { nextIndex } = logHeaderLayout.fields;
  const high = view.getUint32(nextIndex.offset + 4, true);
  const low = view.getUint32(nextIndex.offset, true);
  return high === 0 ? Math.min(low, logSlots(logLength)) : logSlots(logLength);
}

function zero(media: Media, offset: number, length: number): void {
  media.bytes(offset, length).fill(0);
  media.flush(offset, length);
}

/** What stays behind when this fails means nothing to anybody, and the next writer removes it. */
function eraseQuietly(media: Media, record: RewriteRecord): void {
  try {
    erase(media, record);
  } catch (error) {
    if (!hasCode(error, 'EIO', 'ENOSPC', 'ENODEV', 'ENXIO')) throw error;
  }
}

function refuseDamaged(media: Media): never {
  return fail(
    'EBADMSG',
    `${media.name}: a rewrite was cut short, and its record (byte ${RECORD_OFFSET}) or the new log that it names is damaged: ` +
      'fsck() tells more; copy out what is left (mountFamfs(device, { salvage: true }))',
    { path: media.name, hint: 'salvage' },
  );
}
