/**
 * Makes a queue: the consumer's file, then the producer's. Each file holds its header when it appears. A process that dies in
 * between leaves an unused consumer's file, which famfs cannot delete. The next createQueue() with the same owner and mode
 * uses it.
 */
import {
  afterCommit,
  checkArguments,
  fail,
  isU64,
  number,
  optional,
  text,
  u32,
  options as wantedOptions,
} from '../../libc/index.js';
import { type Fields, type Struct, type Values, writeStruct } from '../media/struct.js';
import { viewOf } from '../media/superblock.js';
import type { Volume } from '../volume/index.js';
import { ownerOf } from '../volume/name-rules.js';
import {
  checkGeometry,
  consumerLayout,
  consumerPath,
  PCQ_CONSUMER_MAGIC,
  PCQ_HEADER_AREA,
  PCQ_PRODUCER_MAGIC,
  producerLayout,
} from './layout.js';
import { aVolume } from './open.js';

const createOptions = wantedOptions({
  nbuckets: number,
  bucketSize: number,
  mode: optional(u32),
  uid: optional(u32),
  gid: optional(u32),
});

export interface CreateQueueOptions {
  /** Number of buckets. One is always empty, so nbuckets - 1 messages fit. */
  nbuckets: number;
  /** Bytes of a bucket, a power of two. 16 of them are not payload. */
  bucketSize: number;
  /** Mode and owner of both files. Defaults: 0o644 and the caller. */
  mode?: number;
  uid?: number;
  gid?: number;
}

/**
 * Makes a queue of two files, `path` and `path.consumer` (mirrors `pcq create`). Nothing is made when either
 * exists or when there is no room for both. An exception is the unused consumer's file that an interrupted createQueue() left:
 * it is used as it is.
 * @throws DaxError EINVAL geometry, EEXIST, ENOSPC, EROFS. The consumer's file stays when making the producer's file fails
 */
export function createQueue(volume: Volume, path: string, options: CreateQueueOptions): void {
  checkArguments('createQueue', [volume, path, options], {
    volume: aVolume,
    path: text,
    options: createOptions,
  });
  const { nbuckets, bucketSize, mode = 0o644 } = options;
  checkGeometry(nbuckets, bucketSize);
  const consumer = consumerPath(path);
  const owner = { mode, ...ownerOf(options) };
  if (volume.exists(path)) refuseName(path);
  const goesOn = volume.exists(consumer);
  if (goesOn && !isUnusedConsumer(volume, consumer, owner)) refuseName(consumer);
  const producerBytes = PCQ_HEADER_AREA + nbuckets * bucketSize;
  assertRoom(volume, path, producerBytes);
  if (!goesOn) {
    makeFile(volume, consumer, { ...owner, size: PCQ_HEADER_AREA }, consumerLayout, {
      magic: PCQ_CONSUMER_MAGIC,
      fileSize: PCQ_HEADER_AREA,
    });
  }
  makeFile(volume, path, { ...owner, size: producerBytes }, producerLayout, {
    magic: PCQ_PRODUCER_MAGIC,
    nbuckets,
    bucketSize,
    bucketArrayOffset: PCQ_HEADER_AREA,
    fileSize: producerBytes,
  });
}

function refuseName(path: string): never {
  fail('EEXIST', `${path} exists already: choose another queue name`, { path });
}

/** Whether the file is what an interrupted createQueue() of the same owner and mode leaves: a consumer's file that was never used. */
function isUnusedConsumer(
  volume: Volume,
  path: string,
  owner: { mode: number; uid: number; gid: number },
): boolean {
  const { mode, uid, gid, size } = volume.stat(path);
  if (size !== PCQ_HEADER_AREA || mode !== owner.mode || uid !== owner.uid || gid !== owner.gid) return false;
  const bytes = new Uint8Array(consumerLayout.size);
  const file = volume.open(path);
  try {
    file.read(bytes, 0);
  } finally {
    file.close();
  }
  // An unrelated file of the same size may hold anything. It only means that the name is taken.
  const { magic, consumerIndex, nextSeq, fileSize } = consumerLayout.fields;
  const view = viewOf(bytes);
  return (
    view.getUint32(magic.offset, true) === PCQ_CONSUMER_MAGIC &&
    isU64(view, consumerIndex.offset, 0) &&
    isU64(view, nextSeq.offset, 0) &&
    isU64(view, fileSize.offset, size)
  );
}

/** Checks that both files fit, before one is made: famfs cannot delete, so half a queue would stay forever. */
function assertRoom(volume: Volume, path: string, producerBytes: number): void {
  const { free, allocUnit, logFree } = volume.statfs();
  const needed = Math.ceil(producerBytes / allocUnit) * allocUnit + PCQ_HEADER_AREA;
  if (free < needed || logFree < 2) {
    fail(
      'ENOSPC',
      `the queue ${path} needs ${needed} bytes and 2 log entries, ${volume.device} has ${free} and ${logFree}`,
      { path },
    );
  }
}

/** Makes a file that holds its header when it appears. */
function makeFile<F extends Fields>(
  volume: Volume,
  path: string,
  options: { size: number; mode: number; uid: number; gid: number },
  layout: Struct<F>,
  values: Partial<Values<Struct<F>>>,
): void {
  const header = new Uint8Array(layout.size);
  writeStruct(layout, viewOf(header), 0, values);
  const fill = (into: Uint8Array, position: number) => {
    into.fill(0);
    if (position < header.length) into.set(header.subarray(position, position + into.length));
  };
  const file = volume.create(path, { ...options, fill });
  file.close();
  // A volume that flushes has already flushed the file before its entry was published.
  if (!file.needsWriteBack) afterCommit(`making ${path} durable`, () => volume.flush(path));
}
