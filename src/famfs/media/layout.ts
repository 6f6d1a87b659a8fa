/**
 * The on-media structs of famfs (docs/famfs-format.md 2) and their constants, as tables of offsets. A test compares
 * every row with conformance/famfs/layout.txt.
 */
import { nested, struct, text, u32, u64, uuid, type Values } from './struct.js';

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
export const TIB = 1024 * GIB;

export const FAMFS_SUPER_MAGIC = 0x87b282ff;
export const FAMFS_VERSION = 48;
export const FAMFS_OMF_MAJOR = 2;
export const FAMFS_OMF_MINOR = 2;
/** Length of the superblock area at offset 0, bytes. The log starts right behind it. */
export const FAMFS_SUPERBLOCK_SIZE = 2 * MIB;
export const FAMFS_LOG_OFFSET = 2 * MIB;
/** Default and minimum log length, bytes. A log length is always a power of two. */
export const FAMFS_MIN_LOG_LENGTH = 8 * MIB;
/** The allocation unit that mkfs writes, bytes. The superblock check accepts 4096 as well. */
export const FAMFS_ALLOC_UNIT = 2 * MIB;
export const FAMFS_ALLOC_UNIT_SMALL = 4096;
export const FAMFS_LOG_MAGIC = 0xbadcafef00d;
export const FAMFS_MAX_EXTENTS = 16;
export const FAMFS_MAX_STRIPS = 16;
export const FAMFS_MAX_BUCKETS = 64;
/** The longest log that udax can use, bytes. udax maps a log as one view, and a view holds at most this much. */
export const UDAX_MAX_LOG_LENGTH = 4 * GIB;
/** Length of a path field, bytes including the NUL. */
export const FAMFS_PATH_FIELD = 80;
/** The smallest device that udax formats, bytes. C's mkfs wants at least FAMFS_MIN_DEVICE_SIZE. */
export const UDAX_MIN_DEVICE_SIZE = 16 * MIB;
export const FAMFS_MIN_DEVICE_SIZE = 4 * GIB;
/** A bucket of an interleaved allocation holds at least this much (see stripe.ts for small devices). */
export const FAMFS_MIN_BUCKET_SIZE = GIB;
export const FAMFS_FLAGS_ALL_HOSTS_RW = 2;

/** Entry types on media. */
export const FAMFS_LOG_FILE = 0;
export const FAMFS_LOG_MKDIR = 1;
export const FAMFS_LOG_ADD_DAXDEV = 3;

export const FAMFS_EXT_SIMPLE = 0;
export const FAMFS_EXT_INTERLEAVED = 1;

export const superblockLayout = struct('superblock', 200, {
  magic: u64(0),
  version: u64(8),
  logOffset: u64(16),
  logLength: u64(24),
  allocUnit: u64(32),
  omfMajor: u32(40),
  omfMinor: u32(44),
  uuid: uuid(48),
  deviceUuid: uuid(64),
  systemUuid: uuid(80),
  /** CRC-32 of all bytes before it. */
  crc: u64(96),
  flags: u32(104),
  deviceSize: u64(112),
  daxdevUuid: uuid(120),
  deviceName: text(136, 64),
});

export const logHeaderLayout = struct('log header', 48, {
  magic: u64(0),
  length: u64(8),
  lastIndex: u64(16),
  /** CRC-32 of all bytes before it. No crc covers the two indices behind it. */
  crc: u64(24),
  nextSeqnum: u64(32),
  nextIndex: u64(40),
});

export const logEntryLayout = struct('log entry', 544, {
  seqnum: u64(0),
  type: u32(8),
  meta: nested(16, 520),
  /** CRC-32 of all bytes before it. */
  crc: u64(536),
});

/** The `meta` bytes of a FILE entry. */
export const fileMetaLayout = struct('file', 520, {
  size: u64(0),
  flags: u32(8),
  uid: u32(12),
  gid: u32(16),
  mode: u32(20),
  path: text(24, FAMFS_PATH_FIELD),
  fmap: nested(104, 416),
});

/** The `meta` bytes of a MKDIR entry. The field order differs from FILE's, and the path is not 8-byte aligned. */
export const mkdirMetaLayout = struct('mkdir', 92, {
  uid: u32(0),
  gid: u32(4),
  mode: u32(8),
  path: text(12, FAMFS_PATH_FIELD),
});

export const addDaxdevLayout = struct('add_daxdev', 32, {
  size: u64(0),
  uuid: uuid(8),
  index: u32(24),
});

/** A union: `extents` (simple) and `interleaved` share their bytes. `nextents` is also the number of interleaved extents. */
export const fmapLayout = struct('fmap', 416, {
  extType: u32(0),
  nextents: u32(8),
  extents: nested(16, 384),
  interleaved: nested(16, 400),
});

export const extentLayout = struct('extent', 24, {
  devindex: u64(0),
  offset: u64(8),
  length: u64(16),
});

export const interleavedLayout = struct('interleaved extent', 400, {
  nstrips: u64(0),
  chunkSize: u64(8),
  strips: nested(16, 384),
});

/** The superblock as data. Sizes and offsets are bytes of the device, uuids 36 characters. */
export interface Superblock {
  magic: number;
  version: number;
  logOffset: number;
  logLength: number;
  /** The allocation unit: files get space in multiples of it. */
  allocUnit: number;
  /** Version of the media format. Minor versions are compatible. */
  omfMajor: number;
  omfMinor: number;
  /** Uuid of the file system. */
  uuid: string;
  deviceUuid: string;
  /** Uuid of the owner: the only host that may append to the log. */
  systemUuid: string;
  crc: number;
  flags: number;
  deviceSize: number;
  daxdevUuid: string;
  deviceName: string;
}
export type LogHeader = Values<typeof logHeaderLayout>;

/** How many slots a log has: the whole entries that fit behind the header. */
export function logSlots(logLength: number): number {
  return Math.floor((logLength - logHeaderLayout.size) / logEntryLayout.size);
}

/** Byte of slot i, from the start of the log. */
export function slotOffset(index: number): number {
  return logHeaderLayout.size + index * logEntryLayout.size;
}
