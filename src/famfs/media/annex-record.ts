/** Encodes and decodes the records of an annex (docs/annex.md). */
import { fail, readU64, writeU64 } from '../../libc/index.js';
import {
  ANNEX_ATTRIBUTES,
  ANNEX_BIND,
  ANNEX_EXCHANGE,
  ANNEX_MAKE,
  ANNEX_RENAME,
  ANNEX_REPLACE,
  ANNEX_SLOT_BYTES,
  ANNEX_TIMES,
  ANNEX_UNBIND,
  ANNEX_XATTR,
  annexRecordLayout,
  annexTimeLayout,
  annexTimes,
  MAKE_FILE,
  MAKE_SYMLINK,
  MOST_NAME_BYTES,
  MOST_TARGET_BYTES,
  MOST_XATTR_BYTES,
  NO_OTHER_TIMES,
  SET_ATIME,
  SET_CTIME,
  SET_GID,
  SET_MODE,
  SET_MTIME,
  SET_UID,
  slotsFor,
  XATTR_REMOVE,
} from './annex-layout.js';
import { crcOf, wordsOf } from './crc.js';
import { decodeName, encodedLength, encodeName } from './path.js';
import { viewOf } from './superblock.js';

/** A moment: seconds since 1970, negative before, and nanoseconds. */
export interface FileTime {
  seconds: number;
  nanoseconds: number;
}

/** A name in a directory. */
interface NameOf {
  directory: number;
  name: string;
}

interface Ownership {
  mode: number;
  uid: number;
  gid: number;
}

/**
 * What a record says. Inode numbers are those of the volume. `replaced` is what had the name and loses it, 0 for nothing.
 * bind: one more name for an object. unbind: the object loses that name. make: an empty file, or a symbolic link with its target.
 * times: `only` says that the others are unknown from now on.
 * replace: the object has the content of log entry `content - 2` from now on, 0 for none.
 */
export type AnnexChange =
  | ({ kind: 'bind'; ino: number; replaced: number } & NameOf)
  | ({ kind: 'unbind'; ino: number } & NameOf)
  | ({ kind: 'rename'; ino: number; newDirectory: number; newName: string; replaced: number } & NameOf)
  | ({ kind: 'exchange'; ino: number; newDirectory: number; newName: string; other: number } & NameOf)
  | ({ kind: 'make'; target: string | null; replaced: number } & NameOf & Ownership)
  | ({ kind: 'attributes'; ino: number } & Partial<Ownership>)
  | { kind: 'times'; ino: number; atime?: FileTime; mtime?: FileTime; ctime?: FileTime; only?: true }
  | { kind: 'xattr'; ino: number; name: string; value: Uint8Array | null }
  | { kind: 'replace'; ino: number; content: number };

const types = {
  bind: ANNEX_BIND,
  unbind: ANNEX_UNBIND,
  rename: ANNEX_RENAME,
  exchange: ANNEX_EXCHANGE,
  make: ANNEX_MAKE,
  attributes: ANNEX_ATTRIBUTES,
  times: ANNEX_TIMES,
  xattr: ANNEX_XATTR,
  replace: ANNEX_REPLACE,
} as const;

const FIELDS = annexRecordLayout.fields;
const FIXED = annexRecordLayout.size;
/** The first byte that the crc covers. */
export const CRC_FROM = FIELDS.crc.size;
const NO_BYTES = new Uint8Array(0);

/** The slots that a change takes. @throws DaxError as encodeRecordOf() for its value */
export function slotsOfChange(change: AnnexChange): number {
  const name = 'name' in change ? encodedLength(change.name) : 0;
  const newName = 'newName' in change ? encodedLength(change.newName) : 0;
  return slotsFor(name + newName + valueBytes(change).length);
}

interface Numbered {
  seqnum: number;
  base: number;
  when: FileTime;
  /** The CRC-32 of the file system's uuid bytes. */
  seed: number;
}

/**
 * Encodes a change as a record of whole slots.
 * @throws DaxError EINVAL, ENAMETOOLONG, E2BIG for what a record cannot hold
 */
export function encodeRecordOf(change: AnnexChange, { seqnum, base, when, seed }: Numbered): Uint8Array {
  const { name, newName, value } = bytesOf(change);
  const end = FIXED + name.length + newName.length + value.length;
  const slots = Math.ceil(end / ANNEX_SLOT_BYTES);
  const bytes = new Uint8Array(slots * ANNEX_SLOT_BYTES);
  const view = viewOf(bytes);
  writeU64(view, FIELDS.seqnum.offset, seqnum);
  writeU64(view, FIELDS.base.offset, base);
  view.setUint32(FIELDS.type.offset, types[change.kind], true);
  view.setUint32(FIELDS.slots.offset, slots, true);
  view.setUint32(FIELDS.nameLength.offset, name.length, true);
  view.setUint32(FIELDS.newNameLength.offset, newName.length, true);
  view.setUint32(FIELDS.valueLength.offset, value.length, true);
  writeU64(view, FIELDS.seconds.offset, when.seconds);
  view.setUint32(FIELDS.nanoseconds.offset, when.nanoseconds, true);
  encodeNumbers(view, change);
  bytes.set(name, FIXED);
  bytes.set(newName, FIXED + name.length);
  bytes.set(value, FIXED + name.length + newName.length);
  writeU64(view, FIELDS.crc.offset, crcOf(wordsOf(bytes), bytes, CRC_FROM, end, seed));
  return bytes;
}

function encodeNumbers(view: DataView, change: AnnexChange): void {
  if ('ino' in change) writeU64(view, FIELDS.ino.offset, change.ino);
  if ('directory' in change) writeU64(view, FIELDS.directory.offset, change.directory);
  if ('newDirectory' in change) writeU64(view, FIELDS.newDirectory.offset, change.newDirectory);
  writeU64(view, FIELDS.other.offset, otherOf(change));
  if (change.kind === 'make' || change.kind === 'attributes') {
    view.setUint32(FIELDS.mode.offset, change.mode ?? 0, true);
    view.setUint32(FIELDS.uid.offset, change.uid ?? 0, true);
    view.setUint32(FIELDS.gid.offset, change.gid ?? 0, true);
  }
  view.setUint32(FIELDS.flags.offset, flagsOf(change), true);
}

function otherOf(change: AnnexChange): number {
  if ('replaced' in change) return change.replaced;
  if (change.kind === 'exchange') return change.other;
  return change.kind === 'replace' ? change.content : 0;
}

function flagsOf(change: AnnexChange): number {
  if (change.kind === 'make') return change.target === null ? MAKE_FILE : MAKE_SYMLINK;
  if (change.kind === 'attributes') {
    const { mode, uid, gid } = change;
    return (
      (mode === undefined ? 0 : SET_MODE) |
      (uid === undefined ? 0 : SET_UID) |
      (gid === undefined ? 0 : SET_GID)
    );
  }
  if (change.kind === 'times') {
    const { atime, mtime, ctime, only } = change;
    const set = (atime ? SET_ATIME : 0) | (mtime ? SET_MTIME : 0) | (ctime ? SET_CTIME : 0);
    return set | (only ? NO_OTHER_TIMES : 0);
  }
  return change.kind === 'xattr' && change.value === null ? XATTR_REMOVE : 0;
}

function bytesOf(change: AnnexChange): { name: Uint8Array; newName: Uint8Array; value: Uint8Array } {
  const name = 'name' in change ? nameBytes(change.name) : NO_BYTES;
  const newName = 'newName' in change ? nameBytes(change.newName) : NO_BYTES;
  return { name, newName, value: valueBytes(change) };
}

function nameBytes(name: string): Uint8Array {
  const bytes = encodeName(name);
  if (bytes.length > MOST_NAME_BYTES)
    fail('ENAMETOOLONG', `'${name}' is ${bytes.length} bytes long, a name has at most ${MOST_NAME_BYTES}`);
  return bytes;
}

function valueBytes(change: AnnexChange): Uint8Array {
  if (change.kind === 'make' && change.target !== null) {
    const target = encodeName(change.target);
    if (target.length > MOST_TARGET_BYTES)
      fail('ENAMETOOLONG', `a symbolic link's target has at most ${MOST_TARGET_BYTES} bytes`);
    return target;
  }
  if (change.kind === 'xattr' && change.value !== null) {
    if (change.value.length > MOST_XATTR_BYTES)
      fail(
        'E2BIG',
        `the value of '${change.name}' has ${change.value.length} bytes: at most ${MOST_XATTR_BYTES}`,
      );
    return change.value;
  }
  return change.kind === 'times' ? encodeTimes(change) : NO_BYTES;
}

function encodeTimes(times: { atime?: FileTime; mtime?: FileTime; ctime?: FileTime }): Uint8Array {
  const bytes = new Uint8Array(annexTimes.size);
  const view = viewOf(bytes);
  const { seconds, nanoseconds } = annexTimeLayout.fields;
  for (const [i, time] of [times.atime, times.mtime, times.ctime].entries()) {
    if (time === undefined) continue;
    writeU64(view, i * annexTimeLayout.size + seconds.offset, time.seconds);
    view.setUint32(i * annexTimeLayout.size + nanoseconds.offset, time.nanoseconds, true);
  }
  return bytes;
}

/** A decoded record, for tools and watchers. `change` is null for a type that this software does not know. */
export interface AnnexRecord {
  seqnum: number;
  base: number;
  type: number;
  slots: number;
  when: FileTime;
  change: AnnexChange | null;
}

/** Decodes the record at byte `at`, whose crc and lengths were checked. Numbers beyond 2^53 become NaN. */
export function decodeRecord(bytes: Uint8Array, at: number): AnnexRecord {
  const view = viewOf(bytes);
  const u32 = (field: { offset: number }) => view.getUint32(at + field.offset, true);
  const u64 = (field: { offset: number }) => readU64(view, at + field.offset);
  const nameEnd = at + FIXED + u32(FIELDS.nameLength);
  const newNameEnd = nameEnd + u32(FIELDS.newNameLength);
  const record = { seqnum: u64(FIELDS.seqnum), base: u64(FIELDS.base), type: u32(FIELDS.type) };
  const when = { seconds: u64(FIELDS.seconds), nanoseconds: u32(FIELDS.nanoseconds) };
  const parts: RecordParts = {
    ino: u64(FIELDS.ino),
    directory: u64(FIELDS.directory),
    other: u64(FIELDS.other),
    newDirectory: u64(FIELDS.newDirectory),
    mode: u32(FIELDS.mode),
    uid: u32(FIELDS.uid),
    gid: u32(FIELDS.gid),
    flags: u32(FIELDS.flags),
    name: decodeName(bytes.subarray(at + FIXED, nameEnd)),
    newName: decodeName(bytes.subarray(nameEnd, newNameEnd)),
    value: bytes.slice(newNameEnd, newNameEnd + u32(FIELDS.valueLength)),
  };
  return { ...record, slots: u32(FIELDS.slots), when, change: changeOf(record.type, parts) };
}

interface RecordParts extends Ownership {
  ino: number;
  directory: number;
  other: number;
  newDirectory: number;
  flags: number;
  name: string;
  newName: string;
  value: Uint8Array;
}

function changeOf(type: number, parts: RecordParts): AnnexChange | null {
  const { ino, directory, other, newDirectory, mode, uid, gid, flags, name, newName, value } = parts;
  const move = { ino, directory, name, newDirectory, newName };
  switch (type) {
    case ANNEX_BIND:
      return { kind: 'bind', ino, directory, name, replaced: other };
    case ANNEX_UNBIND:
      return { kind: 'unbind', ino, directory, name };
    case ANNEX_RENAME:
      return { kind: 'rename', ...move, replaced: other };
    case ANNEX_EXCHANGE:
      return { kind: 'exchange', ...move, other };
    case ANNEX_MAKE: {
      const target = flags === MAKE_SYMLINK ? decodeName(value) : null;
      return { kind: 'make', directory, name, target, mode, uid, gid, replaced: other };
    }
    case ANNEX_ATTRIBUTES: {
      const change = { kind: 'attributes', ino } as const;
      return {
        ...change,
        ...((flags & SET_MODE) !== 0 && { mode }),
        ...((flags & SET_UID) !== 0 && { uid }),
        ...((flags & SET_GID) !== 0 && { gid }),
      };
    }
    case ANNEX_TIMES:
      return {
        kind: 'times',
        ino,
        ...decodeTimes(value, flags),
        ...((flags & NO_OTHER_TIMES) !== 0 && { only: true as const }),
      };
    case ANNEX_XATTR:
      return { kind: 'xattr', ino, name, value: (flags & XATTR_REMOVE) !== 0 ? null : value };
    case ANNEX_REPLACE:
      return { kind: 'replace', ino, content: other };
    default:
      return null;
  }
}

interface Times {
  atime?: FileTime;
  mtime?: FileTime;
  ctime?: FileTime;
}

/** Applies a record of times, which was written at the time `when`, to the times that an object has. */
export function applyTimes(known: Times, value: Uint8Array, flags: number, when: FileTime): void {
  if ((flags & NO_OTHER_TIMES) !== 0) {
    delete known.atime;
    delete known.mtime;
    delete known.ctime;
  } else known.ctime = when;
  Object.assign(known, decodeTimes(value, flags));
}

/** The times of a record's value that its flags name. */
function decodeTimes(value: Uint8Array, flags: number): Times {
  const times: Times = {};
  if (value.length < annexTimes.size) return times;
  if ((flags & SET_ATIME) !== 0) times.atime = timeAt(value, 0);
  if ((flags & SET_MTIME) !== 0) times.mtime = timeAt(value, 1);
  if ((flags & SET_CTIME) !== 0) times.ctime = timeAt(value, 2);
  return times;
}

function timeAt(value: Uint8Array, index: number): FileTime {
  const view = viewOf(value);
  const at = index * annexTimeLayout.size;
  const { seconds, nanoseconds } = annexTimeLayout.fields;
  // Seconds are signed: a file may be older than 1970.
  const high = view.getInt32(at + seconds.offset + 4, true);
  return {
    seconds: high * 2 ** 32 + view.getUint32(at + seconds.offset, true),
    nanoseconds: view.getUint32(at + nanoseconds.offset, true) % 1_000_000_000,
  };
}
