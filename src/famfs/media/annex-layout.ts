/**
 * The structs of an annex (docs/annex.md), as tables of offsets. An annex is an ordinary file of the volume: a header, then slots of
 * one cache line each. A record takes as many slots as it needs.
 */
import { KIB, MIB } from './layout.js';
import { nested, struct, u32, u64, uuid } from './struct.js';

/** The first annex, in the root directory. Further ones have `.1`, `.2`... behind it. */
export const ANNEX_NAME = '.udax-annex';
/** The directory of objects whose names the log cannot say. */
export const OBJECTS_NAME = '.udax-objects';
/** "udaxan" */
export const ANNEX_MAGIC = 0x6e61_7861_6475;
export const ANNEX_VERSION = 1;
export const ANNEX_HEADER_BYTES = 4 * KIB;
/** The part of the header that is not zero. */
export const ANNEX_HEADER_USED = 80;
export const ANNEX_SLOT_BYTES = 64;
/** The first annex has this size, further ones twice as much each, up to the most. */
export const ANNEX_FIRST_BYTES = 2 * MIB;
export const ANNEX_MOST_BYTES = 64 * MIB;
/** Inode numbers from here on are of things that only the annex knows: this plus the number of the record that made it. */
export const ANNEX_INO_START = 2 ** 32;
/** No record number reaches this: inode numbers of the annex end below 2^33. */
export const ANNEX_MOST_RECORDS = 2 ** 32 - 1;

export const annexHeaderLayout = struct('annex header', ANNEX_HEADER_BYTES, {
  magic: u64(0),
  version: u32(8),
  /** 0 for the first annex. */
  number: u32(12),
  /** Of the file system. */
  uuid: uuid(16),
  slots: u64(32),
  /** The number of its first record: records are counted over all annexes. */
  first: u64(40),
  /** CRC-32 of all bytes before it. No crc covers the two counters behind it, which have a cache line of their own. */
  crc: u64(48),
  nextSeqnum: u64(64),
  nextIndex: u64(72),
});

/** The fixed part of a record. Two names and a value follow it, one behind the other. */
export const annexRecordLayout = struct('annex record', 104, {
  /** CRC-32 of all bytes behind it up to the end of the value, continued from the CRC-32 of the file system's 16 uuid bytes. */
  crc: u64(0),
  /** The number of the record. */
  seqnum: u64(8),
  /** How many log entries were published before it. */
  base: u64(16),
  type: u32(24),
  /** How many slots it takes. */
  slots: u32(28),
  /** The object. */
  ino: u64(32),
  directory: u64(40),
  /** The other object: what had the name, or what an object's content is. */
  other: u64(48),
  newDirectory: u64(56),
  mode: u32(64),
  uid: u32(68),
  gid: u32(72),
  flags: u32(76),
  /** When it was written: seconds since 1970 and nanoseconds. */
  seconds: u64(80),
  nanoseconds: u32(88),
  nameLength: u32(92),
  newNameLength: u32(96),
  valueLength: u32(100),
});

/** Three of them, atime, mtime and ctime, are the value of a record of times. */
export const annexTimeLayout = struct('annex time', 16, { seconds: u64(0), nanoseconds: u32(8) });
export const annexTimes = nested(0, 3 * annexTimeLayout.size);

export const ANNEX_BIND = 1;
export const ANNEX_UNBIND = 2;
export const ANNEX_RENAME = 3;
export const ANNEX_EXCHANGE = 4;
export const ANNEX_MAKE = 5;
export const ANNEX_ATTRIBUTES = 6;
export const ANNEX_TIMES = 7;
export const ANNEX_XATTR = 8;
export const ANNEX_REPLACE = 9;

/** Flags of ANNEX_MAKE. */
export const MAKE_FILE = 1;
export const MAKE_SYMLINK = 2;
/** Flags of ANNEX_ATTRIBUTES and ANNEX_TIMES: what it sets. */
export const SET_MODE = 1;
export const SET_UID = 2;
export const SET_GID = 4;
export const SET_ATIME = 1;
export const SET_MTIME = 2;
export const SET_CTIME = 4;
/** Of the times that the record does not set, nobody knows any more. */
export const NO_OTHER_TIMES = 8;
/** Flag of ANNEX_XATTR. */
export const XATTR_REMOVE = 1;

export const MOST_NAME_BYTES = 255;
export const MOST_TARGET_BYTES = 4095;
export const MOST_XATTR_BYTES = 64 * KIB;
export const USER_XATTR_PREFIX = 'user.';

/** How many slots a record with these bytes behind its fixed part takes. */
export function slotsFor(bytes: number): number {
  return Math.ceil((annexRecordLayout.size + bytes) / ANNEX_SLOT_BYTES);
}

/** Byte of slot i, from the start of the annex. */
export function annexSlotOffset(index: number): number {
  return ANNEX_HEADER_BYTES + index * ANNEX_SLOT_BYTES;
}

/** The most slots of a record: the longest value with two names. */
export const MOST_RECORD_SLOTS = slotsFor(2 * MOST_NAME_BYTES + MOST_XATTR_BYTES);

/** The name of annex k. */
export function annexName(number: number): string {
  return number === 0 ? ANNEX_NAME : `${ANNEX_NAME}.${number}`;
}
