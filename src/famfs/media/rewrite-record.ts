/**
 * The record of a rewrite: what tells a reader, at any moment, whether the old log or the new one is the log of a medium
 * (docs/famfs-format.md 18). The superblock area behind the superblock holds it, where C famfs stores nothing.
 *
 * A rewrite makes one new log, and the log region is the only place where C famfs looks for a log. So the new log is first
 * packed into scratch space, which the record names. Then one aligned 4-byte store replaces the superblock's magic by
 * REWRITE_MAGIC. Before that store the record means nothing, and the old log is whole. After it the record and the scratch
 * space are the log, whatever the log region holds, until the famfs magic is back. C famfs sees no famfs meanwhile.
 */
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { isU64, readU64, writeU64 } from '../../libc/index.js';
import { ENTRY_CRC_OFFSET, ENTRY_SIZE } from './entry.js';
import {
  FAMFS_LOG_OFFSET,
  KIB,
  logSlots,
  type Superblock,
  slotOffset,
  superblockLayout,
  UDAX_MAX_LOG_LENGTH,
} from './layout.js';
import type { Media } from './media.js';
import { nested, readStruct, struct, u32, u64, unsafeNumbers, writeStruct } from './struct.js';
import { checkSuperblock, decodeSuperblock, REWRITE_MAGIC, superblockFaults, viewOf } from './superblock.js';

/** In the superblock's own page, which has memory whenever the superblock has: looking for a record needs no more. */
export const RECORD_OFFSET = 2 * KIB;
/** The scratch space of the superblock area begins here, behind the take-over record. It ends where the log begins. */
export const SCRATCH_OFFSET = 128 * KIB;
export const MAX_SCRATCH_RANGES = 16;
const RECORD_VERSION = 1;
/** Beyond it there is no Date. */
const LAST_DATE_MS = 8.64e15;
/** Entries that are packed together. */
const BLOCK_ENTRIES = 1920;
const BLOCK_HEADER_BYTES = 8;

export const rewriteRecordLayout = struct('rewrite record', 512, {
  magic: u64(0),
  version: u32(8),
  /** How many of the scratch ranges are in use. */
  ranges: u32(12),
  /** Entries of the new log, and of the old one. */
  entries: u64(16),
  oldEntries: u64(24),
  /** Bytes of the packed log, and their CRC-32. */
  packedBytes: u64(32),
  packedCrc: u64(40),
  superblock: nested(48, superblockLayout.size),
  scratch: nested(248, 256),
  /** CRC-32 of all bytes before it. */
  crc: u64(504),
});

export const scratchRangeLayout = struct('scratch range', 16, { offset: u64(0), length: u64(8) });

/**
 * Where the last scratch range would be: when the rewrite began, milliseconds since 1970. Absent (0) in a record that uses that range, and
 * in those of older versions, which do not read it.
 */
const BEGUN_OFFSET =
  rewriteRecordLayout.fields.scratch.offset + (MAX_SCRATCH_RANGES - 1) * scratchRangeLayout.size;

/** A part of the device, bytes. */
export interface ScratchRange {
  offset: number;
  length: number;
}

export interface RewriteRecord {
  entries: number;
  oldEntries: number;
  packedBytes: number;
  packedCrc: number;
  /** The bytes of the new superblock, and what they say. */
  superblockBytes: Uint8Array;
  superblock: Superblock;
  scratch: ScratchRange[];
  /** When it began, milliseconds since 1970; null when the record does not say. */
  begunMs: number | null;
}

export function encodeRecord(record: Omit<RewriteRecord, 'superblock'>): Uint8Array {
  const bytes = new Uint8Array(rewriteRecordLayout.size);
  const view = viewOf(bytes);
  const { crc, scratch, superblock } = rewriteRecordLayout.fields;
  const { entries, oldEntries, packedBytes, packedCrc } = record;
  const ranges = record.scratch.length;
  const values = { magic: REWRITE_MAGIC, version: RECORD_VERSION, ranges, entries, oldEntries };
  writeStruct(rewriteRecordLayout, view, 0, { ...values, packedBytes, packedCrc });
  bytes.set(record.superblockBytes, superblock.offset);
  for (const [i, range] of record.scratch.entries()) {
    writeStruct(scratchRangeLayout, view, scratch.offset + i * scratchRangeLayout.size, { ...range });
  }
  if (ranges < MAX_SCRATCH_RANGES) writeU64(view, BEGUN_OFFSET, record.begunMs ?? 0);
  writeU64(view, crc.offset, crc32(bytes.subarray(0, crc.offset)));
  return bytes;
}

/** The record on a medium, whether it counts or not. Null when there is none, or a damaged or impossible one. */
export function readRecord(media: Media): RewriteRecord | null {
  const { size, fields } = rewriteRecordLayout;
  if (media.size < RECORD_OFFSET + size || isLost(media, { offset: RECORD_OFFSET, length: size }))
    return null;
  media.invalidate(RECORD_OFFSET, size);
  const bytes = Uint8Array.from(media.bytes(RECORD_OFFSET, size));
  const view = viewOf(bytes);
  if (!isU64(view, fields.magic.offset, REWRITE_MAGIC)) return null;
  if (!isU64(view, fields.crc.offset, crc32(bytes.subarray(0, fields.crc.offset)))) return null;
  if (unsafeNumbers(rewriteRecordLayout, view, 'record').length > 0) return null;
  const { version, ranges, entries, oldEntries, packedBytes, packedCrc } = readStruct(
    rewriteRecordLayout,
    view,
    0,
  );
  if (version !== RECORD_VERSION || ranges > MAX_SCRATCH_RANGES) return null;
  const superblockBytes = bytes.slice(
    fields.superblock.offset,
    fields.superblock.offset + superblockLayout.size,
  );
  if (checkSuperblock(superblockBytes).result !== 0) return null;
  if (unsafeNumbers(superblockLayout, viewOf(superblockBytes), 'superblock').length > 0) return null;
  const superblock = decodeSuperblock(superblockBytes);
  const scratch: ScratchRange[] = [];
  for (let i = 0; i < ranges; i++) {
    const at = fields.scratch.offset + i * scratchRangeLayout.size;
    if (unsafeNumbers(scratchRangeLayout, new DataView(bytes.buffer, at), 'range').length > 0) return null;
    scratch.push(readStruct(scratchRangeLayout, view, at));
  }
  const begun = ranges < MAX_SCRATCH_RANGES ? readU64(view, BEGUN_OFFSET) : 0;
  const begunMs = begun > 0 && begun <= LAST_DATE_MS ? begun : null;
  const record = {
    entries,
    oldEntries,
    packedBytes,
    packedCrc,
    superblockBytes,
    superblock,
    scratch,
    begunMs,
  };
  return isPossible(record, media) ? record : null;
}

/** Whether the numbers of a record fit its medium. The crc does not protect from who made the record. */
function isPossible(record: RewriteRecord, media: Media): boolean {
  const { superblock, entries, oldEntries, packedBytes, scratch } = record;
  const slots = logSlots(superblock.logLength);
  if (superblockFaults(superblock, media.size).length > 0 || superblock.logLength > UDAX_MAX_LOG_LENGTH)
    return false;
  if (entries > slots || oldEntries > slots) return false;
  if (scratch.some((range) => !isScratch(range, record))) return false;
  return scratch.reduce((sum, { length }) => sum + length, 0) === packedBytes;
}

/** Scratch space is in the superblock area behind the record, in the log behind both logs, or where files are. */
function isScratch(
  { offset, length }: ScratchRange,
  { superblock, entries, oldEntries }: RewriteRecord,
): boolean {
  const { logOffset, logLength, deviceSize } = superblock;
  const end = offset + length;
  if (length === 0) return false;
  if (offset < FAMFS_LOG_OFFSET) return offset >= SCRATCH_OFFSET && end <= FAMFS_LOG_OFFSET;
  if (offset < logOffset + logLength) {
    return offset >= logOffset + slotOffset(Math.max(entries, oldEntries)) && end <= logOffset + logLength;
  }
  return end <= deviceSize;
}

/** Whether the superblock says that a record is the log now. */
export function isBetweenLogs(media: Media): boolean {
  if (media.size < superblockLayout.size) return false;
  const { offset, size } = superblockLayout.fields.magic;
  if (isLost(media, { offset, length: size })) return false;
  media.invalidate(offset, size);
  return isU64(viewOf(media.bytes(offset, size)), 0, REWRITE_MAGIC);
}

/** Packs a log. Entries are mostly zeroes, so it takes about a tenth of them. */
export function packLog(entries: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < entries.length; at += BLOCK_ENTRIES * ENTRY_SIZE) {
    const raw = entries.subarray(at, at + BLOCK_ENTRIES * ENTRY_SIZE);
    const packed = deflateRawSync(raw, { level: 1 });
    const head = new Uint8Array(BLOCK_HEADER_BYTES);
    const view = viewOf(head);
    view.setUint32(0, raw.length, true);
    view.setUint32(4, packed.length, true);
    parts.push(head, packed);
  }
  return Buffer.concat(parts);
}

/**
 * The entries of the new log, from scratch space, checked.
 * @returns null when some of them cannot be read or are damaged
 */
export function packedEntries(media: Media, record: RewriteRecord): Uint8Array | null {
  if (record.scratch.some((range) => isLost(media, range))) return null;
  const packed = new Uint8Array(record.packedBytes);
  let at = 0;
  for (const { offset, length } of record.scratch) {
    media.invalidate(offset, length);
    packed.set(media.bytes(offset, length), at);
    at += length;
  }
  if (crc32(packed) !== record.packedCrc) return null;
  const entries = unpacked(packed, record.entries);
  return entries !== null && areGood(entries, record.entries) ? entries : null;
}

function unpacked(packed: Uint8Array, count: number): Uint8Array | null {
  const entries = new Uint8Array(count * ENTRY_SIZE);
  const view = viewOf(packed);
  let done = 0;
  for (let at = 0; at < packed.length; ) {
    if (at + BLOCK_HEADER_BYTES > packed.length) return null;
    const rawBytes = view.getUint32(at, true);
    const end = at + BLOCK_HEADER_BYTES + view.getUint32(at + 4, true);
    if (end > packed.length || rawBytes === 0 || rawBytes > BLOCK_ENTRIES * ENTRY_SIZE) return null;
    if (done + rawBytes > entries.length) return null;
    try {
      const raw = inflateRawSync(packed.subarray(at + BLOCK_HEADER_BYTES, end), {
        maxOutputLength: rawBytes,
      });
      if (raw.length !== rawBytes) return null;
      entries.set(raw, done);
    } catch {
      return null;
    }
    done += rawBytes;
    at = end;
  }
  return done === entries.length ? entries : null;
}

function areGood(entries: Uint8Array, count: number): boolean {
  const view = viewOf(entries);
  for (let i = 0; i < count; i++) {
    const at = i * ENTRY_SIZE;
    const crc = crc32(entries.subarray(at, at + ENTRY_CRC_OFFSET));
    if (!isU64(view, at, i) || !isU64(view, at + ENTRY_CRC_OFFSET, crc)) return false;
  }
  return true;
}

function isLost(media: Media, { offset, length }: ScratchRange): boolean {
  return (media.lost?.(offset, length).length ?? 0) > 0;
}
