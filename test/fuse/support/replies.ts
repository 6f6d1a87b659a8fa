/** A file as a file system describes it, and the bytes of the replies about it. */
import type { FuseEntry, NodeId } from '../../../src/fuse/index.js';

export const entry: FuseEntry = {
  node: 5 as NodeId,
  attributes: {
    inode: 12,
    mode: 0o100644,
    size: 4097,
    links: 1,
    uid: 10,
    gid: 20,
    atime: { seconds: 1, nanoseconds: 2 },
    mtime: { seconds: 3, nanoseconds: 4 },
    ctime: { seconds: -5, nanoseconds: 6 },
  },
  entrySeconds: 1.5,
  attributeSeconds: Number.POSITIVE_INFINITY,
};
export const attributeBytes = [
  ['u64', 12n], // inode
  ['u64', 4097n], // size
  ['u64', 9n], // blocks of 512
  ['u64', 1n], // atime
  ['u64', 3n], // mtime
  ['u64', 0xfffffffffffffffbn], // ctime: 5 s before 1970
  ['u32', 2], // atimensec
  ['u32', 4], // mtimensec
  ['u32', 6], // ctimensec
  ['u32', 0o100644], // mode
  ['u32', 1], // nlink
  ['u32', 10], // uid
  ['u32', 20], // gid
  ['u32', 0], // rdev
  ['u32', 4096], // blksize
  ['u32', 0], // flags
] as const;
export const entryBytes = [
  ['u64', 5n], // nodeid
  ['u64', 0n], // generation
  ['u64', 1n], // entry_valid
  ['u64', 0x7fffffffn], // attr_valid: for ever
  ['u32', 500_000_000], // entry_valid_nsec
  ['u32', 0], // attr_valid_nsec
  ...attributeBytes,
] as const;

export function header(length: number, error: number, unique: bigint) {
  return [
    ['u32', length],
    ['i32', error],
    ['u64', unique],
  ] as const;
}
