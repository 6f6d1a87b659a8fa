/**
 * Making a queue: the consumer's file, then the producer's, each with its header in it when it appears. Whoever dies in between leaves an
 * unused consumer's file, with which the next createQueue() of the same owner and mode goes on: famfs cannot delete it.
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
import { ownerOf } from '../volume/new-name.js';
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
  /** Slots; one is always empty, so nbuckets - 1 messages fit. */
  nbuckets: number;
  /** Bytes of a slot, a power of two; 16 of them are not payload. */
  bucketSize: number;
  /** Of both files; defaults 0o644 and the caller. */
  mode?: number;
  uid?: number;
  gid?: number;
}

/**
 * Makes a queue of two files, `path` and `path.consumer` (mirrors `pcq create`). Nothing is made when either
 * exists or when there is no room for both names; the unused consumer's file of a createQueue() that was cut short is taken as it is.
 * @throws DaxError EINVAL geometry, EEXIST, ENOSPC, EROFS; the consumer file stays when the second one fails for
 * lack of space
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

/** What a createQueue() that was cut short leaves: a consumer's file that nobody has taken anything through, as this one would make it. */
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
  // A stranger's file may hold anything there, and is then only a name that is taken.
  const { magic, consumerIndex, nextSeq, fileSize } = consumerLayout.fields;
  const view = viewOf(bytes);
  return (
    view.getUint32(magic.offset, true) === PCQ_CONSUMER_MAGIC &&
    isU64(view, consumerIndex.offset, 0) &&
    isU64(view, nextSeq.offset, 0) &&
    isU64(view, fileSize.offset, size)
  );
}

/** famfs cannot delete: half a queue would stay for good. */
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

/** The file appears with its header in it. */
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
  // Memory that is flushed at all was flushed before the file appeared.
  if (!file.needsWriteBack) afterCommit(`making ${path} durable`, () => volume.flush(path));
}
