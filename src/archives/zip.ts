/** The directory of a zip archive, as far as views of stored entries need it. */
import { readU64 } from '../libc/index.js';
import { type ArchiveSource, damaged, otherFormat, shownName, unsupported, viewOf } from './source.js';

const END = 0x06054b50;
const END_BYTES = 22;
const MOST_COMMENT_BYTES = 65535;
const LOCATOR_64 = 0x07064b50;
const LOCATOR_64_BYTES = 20;
const END_64 = 0x06064b50;
const END_64_BYTES = 56;
const ENTRY = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL = 0x04034b50;
const LOCAL_BYTES = 30;
const EXTRA_64 = 1;
const FULL_32 = 0xffffffff;
const FULL_16 = 0xffff;
const ENCRYPTED = 1;
const EXTRA_TIME = 0x5455;
const STORED = 0;
const MADE_ON_UNIX = 3;

export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflated. */
  readonly method: number;
  /** Where the entry's bytes are, and how many. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /** Bytes when unpacked. */
  readonly size: number;
  readonly crc32: number;
  /** Type and permission bits, when it was made on a Unix. */
  readonly unixMode: number | null;
  readonly modifiedMs: number | null;
}

interface Directory {
  readonly offset: number;
  readonly length: number;
  readonly count: number;
}

interface Listed extends Omit<ZipEntry, 'byteOffset'> {
  readonly rawName: Uint8Array;
  readonly at: number;
  readonly local: number;
}

/**
 * The entries, in the order of the directory. Names differ, and no two entries share a byte.
 * @throws DaxError EINVAL no zip, EBADMSG damaged, EOPNOTSUPP in several parts or encrypted
 */
export function zipEntries(source: ArchiveSource): ZipEntry[] {
  const directory = findDirectory(source);
  const entries = listed(source, directory).map((entry) => ({ entry, ...placed(source, directory, entry) }));
  const names = new Set<string>();
  for (const { entry } of entries) {
    if (names.has(entry.name)) damaged(source, entry.at, `the entry ${shownName(entry.name)} is there twice`);
    names.add(entry.name);
  }
  const inOrder = [...entries].sort((a, b) => a.entry.local - b.entry.local);
  for (let i = 1; i < inOrder.length; i++) {
    const [before, { entry }] = [inOrder[i - 1]!, inOrder[i]!];
    if (before.byteOffset + before.entry.byteLength > entry.local) {
      damaged(
        source,
        entry.at,
        `the entries ${shownName(before.entry.name)} and ${shownName(entry.name)} overlap`,
      );
    }
  }
  return entries.map(({ entry: { rawName: _raw, at: _at, local: _local, ...entry }, byteOffset }) => ({
    ...entry,
    byteOffset,
  }));
}

/** The record at the end tells where the directory is. */
function findDirectory(source: ArchiveSource): Directory {
  const length = Math.min(source.size, END_BYTES + MOST_COMMENT_BYTES);
  const start = source.size - length;
  const view = viewOf(source.view(start, length));
  let at = length - END_BYTES;
  while (
    at >= 0 &&
    !(view.getUint32(at, true) === END && view.getUint16(at + 20, true) <= length - at - END_BYTES)
  ) {
    at--;
  }
  if (at < 0) return otherFormat(source, 'zip', 'it has no directory at its end');
  if (view.getUint16(at + 4, true) !== 0 && view.getUint16(at + 4, true) !== FULL_16) {
    unsupported(source, 'the archive is in several parts', 'make one of them');
  }
  const found = {
    count: view.getUint16(at + 10, true),
    length: view.getUint32(at + 12, true),
    offset: view.getUint32(at + 16, true),
  };
  const isFull = found.count === FULL_16 || found.length === FULL_32 || found.offset === FULL_32;
  const directory = (isFull ? directory64(source, start + at) : undefined) ?? found;
  const end = start + at;
  if (directory.offset + directory.length > end) {
    damaged(source, end, `the directory of ${directory.length} bytes at ${directory.offset} ends beyond it`);
  }
  if (directory.count * ENTRY_BYTES > directory.length) {
    damaged(source, end, `a directory of ${directory.length} bytes cannot have ${directory.count} entries`);
  }
  return directory;
}

function directory64(source: ArchiveSource, end: number): Directory | undefined {
  const locatorAt = end - LOCATOR_64_BYTES;
  if (locatorAt < 0) return undefined;
  const locator = viewOf(source.view(locatorAt, LOCATOR_64_BYTES));
  if (locator.getUint32(0, true) !== LOCATOR_64) return undefined;
  const at = readU64(locator, 8);
  if (!(at + END_64_BYTES <= locatorAt)) return damaged(source, locatorAt, 'the 64-bit record is not there');
  const view = viewOf(source.view(at, END_64_BYTES));
  if (view.getUint32(0, true) !== END_64) return damaged(source, at, 'the 64-bit record is not there');
  const [count, length, offset] = [readU64(view, 32), readU64(view, 40), readU64(view, 48)];
  if (Number.isNaN(count + length + offset))
    return damaged(source, at, 'a number of the 64-bit record is beyond 2^53');
  return { count, length, offset };
}

function listed(source: ArchiveSource, { offset, length, count }: Directory): Listed[] {
  const bytes = source.view(offset, length);
  const view = viewOf(bytes);
  const found: Listed[] = [];
  let at = 0;
  for (let left = count; left > 0; left--) {
    const where = offset + at;
    if (at + ENTRY_BYTES > length || view.getUint32(at, true) !== ENTRY) {
      damaged(source, where, 'an entry of the directory is not there');
    }
    const nameBytes = view.getUint16(at + 28, true);
    const extraBytes = view.getUint16(at + 30, true);
    const end = at + ENTRY_BYTES + nameBytes + extraBytes + view.getUint16(at + 32, true);
    if (end > length) damaged(source, where, 'an entry ends beyond the directory');
    const rawName = bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes);
    const name = Buffer.from(rawName).toString();
    if (view.getUint16(at + 8, true) & ENCRYPTED) {
      unsupported(source, `the entry ${shownName(name)} is encrypted`, 'store it plainly');
    }
    const extraAt = at + ENTRY_BYTES + nameBytes;
    const { size, byteLength, local } = numbersOf(source, view, at, extraAt, extraBytes, where);
    const method = view.getUint16(at + 10, true);
    if (method === STORED && size !== byteLength)
      damaged(source, where, `${shownName(name)} is stored, of ${size} bytes in ${byteLength}`);
    const unixMode = view.getUint8(at + 5) === MADE_ON_UNIX ? view.getUint16(at + 40, true) : null;
    found.push({
      name,
      rawName,
      at: where,
      method,
      size,
      byteLength,
      local,
      crc32: view.getUint32(at + 16, true),
      unixMode: unixMode || null,
      modifiedMs: timeIn(view, at, extraAt, extraBytes),
    });
    at = end;
  }
  return found;
}

/** Compressed size and place of an entry; full fields have their values in the 64-bit extra, in this order. */
function numbersOf(
  source: ArchiveSource,
  view: DataView,
  at: number,
  extraAt: number,
  extraBytes: number,
  where: number,
) {
  const fields = [24, 20, 42].map((field) => view.getUint32(at + field, true));
  if (fields.includes(FULL_32)) {
    const extra = extraField(view, extraAt, extraBytes, EXTRA_64);
    let next = extra?.at ?? 0;
    for (const [i, field] of fields.entries()) {
      if (field !== FULL_32) continue;
      if (!extra || next + 8 > extra.end)
        return damaged(source, where, 'a 64-bit number of an entry is not there');
      fields[i] = readU64(view, next);
      next += 8;
    }
  }
  const [size, byteLength, local] = fields as [number, number, number];
  if (Number.isNaN(size + byteLength + local))
    return damaged(source, where, 'a number of an entry is beyond 2^53');
  return { size, byteLength, local };
}

/** The time that a Unix wrote, else that of DOS, which is local time in steps of 2 s. */
function timeIn(view: DataView, at: number, extraAt: number, extraBytes: number): number | null {
  const extra = extraField(view, extraAt, extraBytes, EXTRA_TIME);
  if (extra && extra.end - extra.at >= 5 && (view.getUint8(extra.at) & 1) !== 0)
    return view.getInt32(extra.at + 1, true) * 1000;
  const [time, date] = [view.getUint16(at + 12, true), view.getUint16(at + 14, true)];
  if (date === 0) return null;
  const month = ((date >> 5) & 15) - 1;
  return new Date(
    1980 + (date >> 9),
    month,
    date & 31,
    time >> 11,
    (time >> 5) & 63,
    2 * (time & 31),
  ).getTime();
}

function extraField(
  view: DataView,
  start: number,
  length: number,
  id: number,
): { at: number; end: number } | undefined {
  for (let at = start; at + 4 <= start + length; ) {
    const end = at + 4 + view.getUint16(at + 2, true);
    if (end > start + length) return undefined;
    if (view.getUint16(at, true) === id) return { at: at + 4, end };
    at = end;
  }
  return undefined;
}

/** The entry's own header says where its bytes begin. */
function placed(source: ArchiveSource, directory: Directory, entry: Listed): { byteOffset: number } {
  const { local, name, rawName } = entry;
  const isThere = local + LOCAL_BYTES + rawName.length <= directory.offset;
  const bytes = isThere ? source.view(local, LOCAL_BYTES + rawName.length) : new Uint8Array(LOCAL_BYTES);
  const view = viewOf(bytes);
  const isSame =
    view.getUint32(0, true) === LOCAL &&
    view.getUint16(26, true) === rawName.length &&
    view.getUint16(8, true) === entry.method &&
    rawName.every((byte, at) => byte === bytes[LOCAL_BYTES + at]);
  if (!isThere || !isSame)
    damaged(source, local, `the entry ${shownName(name)} is not where the directory has it`);
  const byteOffset = local + LOCAL_BYTES + rawName.length + view.getUint16(28, true);
  if (byteOffset + entry.byteLength > directory.offset) {
    damaged(
      source,
      local,
      `the entry ${shownName(name)} of ${entry.byteLength} bytes ends beyond the directory's start`,
    );
  }
  return { byteOffset };
}
