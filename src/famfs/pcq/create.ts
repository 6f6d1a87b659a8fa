/** Making a queue: both files, each with its header, the magic last: whoever opens it sees it whole or not at all. */
import {
  afterCommit,
  checkArguments,
  fail,
  number,
  optional,
  text,
  u32,
  options as wantedOptions,
} from '../../libc/index.js';
import { type Fields, readStruct, type Struct, type Values, writeStruct } from '../media/struct.js';
import { viewOf } from '../media/superblock.js';
import type { Volume } from '../volume/index.js';
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
 * exists or when there is no room for both names.
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
  // An earlier try may have come to half of it: famfs cannot delete, so that half is used.
  const isHalfMade = !volume.exists(path) && isUnusedConsumer(volume, consumer);
  for (const name of [path, consumer]) {
    if (volume.exists(name) && !isHalfMade)
      fail('EEXIST', `${name} exists already: choose another queue name`, { path: name });
  }
  const producerBytes = PCQ_HEADER_AREA + nbuckets * bucketSize;
  assertRoom(volume, path, producerBytes);
  const owner = {
    mode,
    ...(options.uid !== undefined && { uid: options.uid }),
    ...(options.gid !== undefined && { gid: options.gid }),
  };
  if (!isHalfMade) {
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

/** The consumer's file of a queue whose other file was never made. */
function isUnusedConsumer(volume: Volume, consumer: string): boolean {
  if (!volume.exists(consumer)) return false;
  const { size, type } = volume.stat(consumer);
  if (type !== 'file' || size !== PCQ_HEADER_AREA) return false;
  const file = volume.open(consumer);
  try {
    const head = new Uint8Array(consumerLayout.size);
    file.read(head, 0);
    const { magic, consumerIndex, nextSeq } = readStruct(consumerLayout, viewOf(head), 0);
    return magic === PCQ_CONSUMER_MAGIC && consumerIndex === 0 && nextSeq === 0;
  } finally {
    file.close();
  }
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

function makeFile<F extends Fields>(
  volume: Volume,
  path: string,
  options: { size: number; mode: number; uid?: number; gid?: number },
  layout: Struct<F>,
  values: Partial<Values<Struct<F>>>,
): void {
  const header = new Uint8Array(layout.size);
  writeStruct(layout, viewOf(header), 0, values);
  // With its header in it when it appears: what fails before leaves no file at all.
  const fill = (into: Uint8Array, position: number): void => {
    into.fill(0);
    if (position < header.length) into.set(header.subarray(position, position + into.length));
  };
  volume.create(path, { ...options, fill }).close();
  afterCommit(`making ${path} durable`, () => volume.flush(path));
}
