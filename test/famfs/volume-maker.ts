// Small volumes in plain memory.
import {
  Allocator,
  type AllocatorOptions,
  bufferMedia,
  FileTree,
  type Fmap,
  formatMedia,
  Log,
  LogAppender,
  type Media,
  newAllocationMap,
  readSuperblock,
  resolve,
  type Superblock,
} from '../../src/famfs/index.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
export const UNIT = 2 * MIB;
export const HOST = '11111111-2222-4333-8444-555555555555';
export const OTHER_HOST = '99999999-2222-4333-8444-555555555555';
/** First byte of file data with the default 8 MiB log. */
export const DATA = 10 * MIB;

export interface Made {
  media: Media;
  superblock: Superblock;
  log: Log;
  appender: LogAppender;
}

/** Memory for superblock and log only: no test here touches file data. */
export function blankMedia(size: number, logLength = 8 * MIB): Media {
  return bufferMedia(new Uint8Array(2 * MIB + logLength), { name: 'test', size });
}

export function makeVolume(size = GIB): Made {
  const media = blankMedia(size);
  formatMedia(media, { systemUuid: HOST });
  const superblock = readSuperblock(media);
  const log = Log.open(media, superblock);
  return { media, superblock, log, appender: new LogAppender(log) };
}

export function makeAllocator(size: number, options: AllocatorOptions = {}): Allocator {
  const { superblock } = makeVolume(size);
  return new Allocator(superblock, newAllocationMap(superblock), options);
}

export function replayed({ superblock, log }: Made): FileTree {
  const tree = new FileTree(superblock, log, { allocation: newAllocationMap(superblock) });
  tree.replay();
  return tree;
}

export function fileEntry(path: string, unit: number, size = 5) {
  const extents = [{ devindex: 0, offset: DATA + unit * UNIT, length: Math.ceil(size / UNIT) * UNIT }];
  return {
    kind: 'file' as const,
    path,
    size,
    uid: 1000,
    gid: 100,
    mode: 0o640,
    fmap: { type: 'simple' as const, extents },
  };
}

export function mkdirEntry(path: string) {
  return { kind: 'mkdir' as const, path, uid: 0, gid: 0, mode: 0o755 };
}

/** The pieces of the device that have a range of a file, from the resolver. */
export function devicePieces(
  fmap: Fmap,
  offset: number,
  length: number,
): { offset: number; length: number }[] {
  const found: { offset: number; length: number }[] = [];
  for (let at = offset; at < offset + length; at += found.at(-1)!.length) {
    const piece = resolve(fmap, at);
    found.push({ offset: piece.offset, length: Math.min(piece.length, offset + length - at) });
  }
  return found;
}
