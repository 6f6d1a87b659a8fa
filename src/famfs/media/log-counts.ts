/** Counts over the log, as C's fsck counts. Files and directories count entries that pass crc and seqnum, even if skipped later. */
export interface LogCounts {
  files: number;
  directories: number;
  sumOfFileSizes: number;
  /** Bytes of extents beyond the sizes of their files, of all files that are shown. */
  roundingBytes: number;
  badEntries: number;
}
