/**
 * famfs/: the famfs file system: its media format, log, space, tree, checks and volumes (docs/famfs-format.md).
 *
 * media/: bytes and rules only. Struct tables, superblock, log and its entries, allocation, mkfs, replay into a
 * FileTree. It needs nothing but a {@link Media}. It takes no lock: a caller that appends or formats holds the volume's lock.
 * fsck/: every check of a medium, and the report in the C tool's layout. It never writes.
 * volume/: volumes and their files, on a dax device. volume-fs/: a volume as the reading part of node:fs.
 * pcq/: message queues in files of a volume. shadow/: the tree of YAML files that C famfs keeps.
 *
 * Invariants: I7 (units taken = superblock + log + union of extents), I8 (readers go by next_index and stop at the
 * first entry that fails its checks), I9 (a crash at any store leaves an operation whole or absent).
 * Other hosts may write the log and the superblock at any time. So both are copied before they are checked and decoded.
 * Order: superblock -> log -> tree + allocation map -> appender/allocator -> volume. The volume closes them in reverse.
 * Failure: EINVAL not a famfs or bad argument, EOPNOTSUPP other version, EBADMSG damaged media (field and byte named),
 * ENOSPC device or log full, ENAMETOOLONG, ENODEV memory taken away, ESTALE formatted underneath.
 */
export type { AnnexReport } from './fsck/annex.js';
export { type Bucket, type BucketReport, bucketReports } from './fsck/buckets.js';
export {
  type CapacityReport,
  type FsckOptions,
  type FsckReport,
  fsckMedia,
  type LogReport,
} from './fsck/fsck.js';
export { type RenderOptions, renderFsckReport } from './fsck/report.js';
export { AllocationMap } from './media/allocation-map.js';
export { Allocator, type AllocatorOptions, dataStart, newAllocationMap } from './media/allocator.js';
export type { InodeTimes } from './media/annex-names.js';
export type { AnnexChange, FileTime } from './media/annex-record.js';
export { LogAppender } from './media/append.js';
export { type Daxdev, DaxdevTable } from './media/daxdev-table.js';
export * from './media/entry.js';
export { filePieces, type PlacedPiece } from './media/file-pieces.js';
export * from './media/fmap.js';
export * from './media/layout.js';
export { checkLogHeader, decodeLogHeader, Log, logHeaderFaults } from './media/log.js';
export type { LogCounts } from './media/log-counts.js';
export { bufferMedia, type Media } from './media/media.js';
export { type FormatOptions, formatMedia, type MediaState, mediaState } from './media/mkfs.js';
export { decodeName, encodeName, toLogPath } from './media/path.js';
export type { Problem } from './media/problem.js';
export { type CutShortRewrite, cutShortRewrite, describeCutShort } from './media/rewrite-left.js';
export { type Role, roleOf, systemUuidIfAny } from './media/role.js';
export {
  checkStripe,
  minimumBucketSize,
  type Stripe,
  type StripeLimits,
  stripeFaults,
} from './media/stripe.js';
export {
  checkSuperblock,
  decodeSuperblock,
  hasRewriteMagic,
  hasSuperblockMagic,
  readSuperblock,
  type SuperblockResult,
  superblockBytes,
  superblockFaults,
  superblockNumberFaults,
} from './media/superblock.js';
export { FAMFS_SYSTEM_UUID_FILE, type SystemUuidOptions, systemUuid } from './media/system-uuid.js';
export {
  interruptedTakeOver,
  type TakeOverOptions,
  type TakeOverResult,
  takeOver,
} from './media/take-over.js';
export { FileTree, type FileTreeOptions, type InodeStat, ROOT_INO } from './media/tree.js';
export { isUuid, NIL_UUID } from './media/uuid.js';
export { PatternStream } from './pattern.js';
export * from './pcq/index.js';
export * from './shadow/index.js';
export * from './volume/index.js';
export type { VolumeFs, VolumeFsChange } from './volume-fs/index.js';
