/** Decodes and encodes log entries, one 544-byte slot each (famfs-format.md 2.3). */

import { crc32 } from 'node:zlib';
import { fail, writeU64 } from '../../libc/index.js';
import { decodeFmap, encodeFmap, type Fmap } from './fmap.js';
import {
  addDaxdevLayout,
  FAMFS_FLAGS_ALL_HOSTS_RW,
  FAMFS_LOG_ADD_DAXDEV,
  FAMFS_LOG_FILE,
  FAMFS_LOG_MKDIR,
  FAMFS_PATH_FIELD,
  fileMetaLayout,
  logEntryLayout,
  mkdirMetaLayout,
} from './layout.js';
import { checkLogPathLength, decodeName, NameEncoder } from './path.js';
import { checkedU64, readStruct, writeStruct } from './struct.js';

export interface FileEntry {
  kind: 'file';
  path: string;
  size: number;
  flags: number;
  uid: number;
  gid: number;
  /** Permission bits. */
  mode: number;
  fmap: Fmap;
}
export interface MkdirEntry {
  kind: 'mkdir';
  path: string;
  uid: number;
  gid: number;
  mode: number;
}
export interface AddDaxdevEntry {
  kind: 'add_daxdev';
  size: number;
  uuid: string;
  daxIndex: number;
}
export interface UnknownEntry {
  kind: 'unknown';
}
export type EntryBody = FileEntry | MkdirEntry | AddDaxdevEntry | UnknownEntry;

/** A decoded slot. `crc` is the stored checksum, not a computed one. */
export type LogEntry = EntryBody & { index: number; seqnum: number; type: number; crc: number };

/** An entry to append. A file's flags default to "all hosts may write", which C always writes. */
export type NewLogEntry = (Omit<FileEntry, 'flags'> & { flags?: number }) | MkdirEntry | AddDaxdevEntry;

export const ENTRY_SIZE = logEntryLayout.size;
/** Byte of the crc in an entry. The crc covers all bytes before it. */
export const ENTRY_CRC_OFFSET = logEntryLayout.fields.crc.offset;
const META = logEntryLayout.fields.meta.offset;
const FILE_FMAP = META + fileMetaLayout.fields.fmap.offset;
const FILE_PATH = META + fileMetaLayout.fields.path.offset;
const MKDIR_PATH = META + mkdirMetaLayout.fields.path.offset;
const ownerFields = ['uid', 'gid', 'mode'] as const;
const encoder = new NameEncoder();

/**
 * Decodes the entry at byte `at` of a view. It does not check crc and seqnum: the log does. `origin` is the device offset
 * of the view's byte 0.
 * @throws DaxError EBADMSG the entry cannot be decoded; the message names field and byte
 */
export function decodeEntry(view: DataView, at: number, index: number, origin = 0): LogEntry {
  const what = `log entry ${index}`;
  const { seqnum, type, crc } = logEntryLayout.fields;
  const entryType = view.getUint32(at + type.offset, true);
  return {
    index,
    seqnum: checkedU64(view, at + seqnum.offset, `${what}: seqnum`, origin),
    type: entryType,
    crc: checkedU64(view, at + crc.offset, `${what}: crc`, origin),
    ...decodeBody(view, at, entryType, what, origin),
  };
}

function decodeBody(view: DataView, at: number, type: number, what: string, origin: number): EntryBody {
  if (type === FAMFS_LOG_FILE) {
    return {
      kind: 'file',
      ...readStruct(fileMetaLayout, view, at + META, origin),
      path: decodePath(view, at + FILE_PATH),
      fmap: decodeFmap(view, at + FILE_FMAP, what, origin),
    };
  }
  if (type === FAMFS_LOG_MKDIR) {
    return {
      kind: 'mkdir',
      ...readStruct(mkdirMetaLayout, view, at + META, origin),
      path: decodePath(view, at + MKDIR_PATH),
    };
  }
  if (type === FAMFS_LOG_ADD_DAXDEV) {
    const { size, uuid, index } = readStruct(addDaxdevLayout, view, at + META, origin);
    return { kind: 'add_daxdev', size, uuid, daxIndex: index };
  }
  return { kind: 'unknown' };
}

function decodePath(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, FAMFS_PATH_FIELD);
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * Encodes an entry into a private buffer of one slot, crc included. The buffer begins at a multiple of 4 in its memory.
 * @throws DaxError ENAMETOOLONG for a path over 79 bytes, EINVAL for other values a slot cannot hold
 */
export function encodeEntry(bytes: Uint8Array, view: DataView, entry: NewLogEntry, seqnum: number): void {
  bytes.fill(0);
  const { seqnum: seqnumField, type, crc } = logEntryLayout.fields;
  writeU64(view, seqnumField.offset, seqnum);
  if (entry.kind === 'file') {
    view.setUint32(type.offset, FAMFS_LOG_FILE, true);
    encodeFile(bytes, view, entry);
  } else if (entry.kind === 'mkdir') {
    view.setUint32(type.offset, FAMFS_LOG_MKDIR, true);
    checkOwner(entry);
    const { uid, gid, mode } = mkdirMetaLayout.fields;
    view.setUint32(META + uid.offset, entry.uid, true);
    view.setUint32(META + gid.offset, entry.gid, true);
    view.setUint32(META + mode.offset, entry.mode, true);
    encodePath(bytes, MKDIR_PATH, entry.path);
  } else {
    view.setUint32(type.offset, FAMFS_LOG_ADD_DAXDEV, true);
    const { size, uuid, daxIndex } = entry;
    writeStruct(addDaxdevLayout, view, META, { size, uuid, index: daxIndex });
  }
  writeU64(view, crc.offset, crc32(bytes.subarray(0, ENTRY_CRC_OFFSET)));
}

function encodeFile(bytes: Uint8Array, view: DataView, entry: Extract<NewLogEntry, { kind: 'file' }>): void {
  if (!(Number.isSafeInteger(entry.size) && entry.size > 0)) {
    fail('EINVAL', `a famfs file holds at least one byte; '${entry.path}' would have ${entry.size}`, {
      path: entry.path,
    });
  }
  checkOwner(entry);
  const { size, flags, uid, gid, mode } = fileMetaLayout.fields;
  writeU64(view, META + size.offset, entry.size);
  view.setUint32(META + flags.offset, entry.flags ?? FAMFS_FLAGS_ALL_HOSTS_RW, true);
  view.setUint32(META + uid.offset, entry.uid, true);
  view.setUint32(META + gid.offset, entry.gid, true);
  view.setUint32(META + mode.offset, entry.mode, true);
  encodePath(bytes, FILE_PATH, entry.path);
  encodeFmap(view, FILE_FMAP, entry.fmap);
}

function encodePath(bytes: Uint8Array, at: number, path: string): void {
  if (path === '' || path.startsWith('/') || path.includes('\0')) {
    fail('EINVAL', `'${path}' cannot be logged: a path on media is relative, not empty and free of NULs`, {
      path,
    });
  }
  encoder.encode(path);
  checkLogPathLength(path, encoder.length);
  for (let i = 0; i < encoder.length; i++) bytes[at + i] = encoder.bytes[i]!;
}

function checkOwner(entry: { path: string; uid: number; gid: number; mode: number }): void {
  for (const what of ownerFields) {
    const value = entry[what];
    if (value >>> 0 !== value) {
      fail('EINVAL', `${what} ${value} of '${entry.path}' is not a 32-bit number`, { path: entry.path });
    }
  }
}
