/** The layout of the two files of a queue (famfs-format.md 15), and the checks of their headers. */
import { fail } from '../../libc/index.js';
import { GIB, MIB } from '../media/layout.js';
import { readStruct, struct, u32, u64, type Values } from '../media/struct.js';
import { isPowerOfTwo, viewOf } from '../media/superblock.js';

export const PCQ_PRODUCER_MAGIC = 0x0beebee3;
export const PCQ_CONSUMER_MAGIC = 0x0beebee4;
/** Offset of the buckets in the producer's file, and size of the consumer's file, bytes. */
export const PCQ_HEADER_AREA = 2 * MIB;
/** Bytes behind the payload of a bucket: a u64 sequence number and a u64 crc of all bytes before it. */
export const PCQ_TRAILER_BYTES = 16;
export const PCQ_CRC_BYTES = 8;
const MIN_BUCKET_SIZE = 32;
const MAX_BUCKET_SIZE = GIB;
/** With fewer than 2^32 buckets the upper word of an index is always 0. So an index is one aligned 32-bit load, which cannot tear. */
const MAX_BUCKETS = 2 ** 32 - 1;

export const producerLayout = struct('pcq producer header', 1080, {
  magic: u64(0),
  nbuckets: u64(8),
  bucketSize: u64(16),
  bucketArrayOffset: u64(24),
  /** The bucket for the next message. Only the producer writes this field. */
  producerIndex: u64(32),
  nextSeq: u64(1064),
  fileSize: u64(1072),
});

export const consumerLayout = struct('pcq consumer header', 1_048_608, {
  magic: u32(0),
  /** The bucket of the next message to take. The queue is empty when both indexes are equal. Only the consumer writes this field. */
  consumerIndex: u64(8),
  nextSeq: u64(1_048_592),
  fileSize: u64(1_048_600),
});

export type ProducerHeader = Values<typeof producerLayout>;
export type ConsumerHeader = Values<typeof consumerLayout>;

/** Path of the consumer's file of a queue. */
export function consumerPath(path: string): string {
  return `${path}.consumer`;
}

/** Checks the size of a queue. @throws DaxError EINVAL for numbers that no queue can have */
export function checkGeometry(nbuckets: number, bucketSize: number): void {
  if (!Number.isSafeInteger(bucketSize) || !isPowerOfTwo(bucketSize) || bucketSize < MIN_BUCKET_SIZE) {
    fail('EINVAL', `a bucket of ${bucketSize} bytes is refused: a power of two from ${MIN_BUCKET_SIZE} up`);
  }
  if (bucketSize > MAX_BUCKET_SIZE) {
    fail('EINVAL', `a bucket of ${bucketSize} bytes is refused: at most ${MAX_BUCKET_SIZE}`);
  }
  if (!Number.isSafeInteger(nbuckets) || nbuckets < 2 || nbuckets > MAX_BUCKETS) {
    fail('EINVAL', `${nbuckets} buckets are refused: 2 to 2^32-1 (one is always empty)`);
  }
  if (nbuckets * bucketSize > Number.MAX_SAFE_INTEGER) {
    fail('EINVAL', `${nbuckets} buckets of ${bucketSize} bytes are beyond 2^53`);
  }
}

/** Decodes and checks the header of a producer's file of `fileSize` bytes. @throws DaxError EINVAL no queue, EBADMSG damaged */
export function decodeProducerHeader(bytes: Uint8Array, path: string, fileSize: number): ProducerHeader {
  if (bytes.length < producerLayout.size) refuse(path, `has only ${fileSize} bytes`);
  const header = readStruct(producerLayout, viewOf(bytes), 0);
  if (header.magic !== PCQ_PRODUCER_MAGIC) refuse(path, `has no queue magic at byte 0`);
  const { nbuckets, bucketSize, bucketArrayOffset, producerIndex } = header;
  try {
    checkGeometry(nbuckets, bucketSize);
  } catch (cause) {
    damaged(path, `its header says ${nbuckets} buckets of ${bucketSize} bytes`, cause);
  }
  if (bucketArrayOffset !== PCQ_HEADER_AREA) {
    damaged(path, `its buckets start at ${bucketArrayOffset}, want ${PCQ_HEADER_AREA}`);
  }
  const end = bucketArrayOffset + nbuckets * bucketSize;
  if (header.fileSize !== fileSize || end > fileSize) {
    damaged(path, `its buckets end at ${end}, the header says ${header.fileSize} bytes, it has ${fileSize}`);
  }
  if (producerIndex >= nbuckets) damaged(path, `producer_index is ${producerIndex} of ${nbuckets} buckets`);
  return header;
}

/** Decodes and checks the header of a consumer's file. @throws DaxError EINVAL no queue, EBADMSG damaged */
export function decodeConsumerHeader(
  bytes: Uint8Array,
  path: string,
  fileSize: number,
  nbuckets: number,
): ConsumerHeader {
  if (bytes.length < consumerLayout.size) refuse(path, `has only ${fileSize} bytes`);
  const header = readStruct(consumerLayout, viewOf(bytes), 0);
  if (header.magic !== PCQ_CONSUMER_MAGIC) refuse(path, `has no consumer magic at byte 0`);
  if (header.fileSize !== fileSize)
    damaged(path, `its header says ${header.fileSize} bytes, it has ${fileSize}`);
  if (header.consumerIndex >= nbuckets) {
    damaged(path, `consumer_index is ${header.consumerIndex} of ${nbuckets} buckets`);
  }
  return header;
}

function refuse(path: string, why: string): never {
  fail('EINVAL', `${path} is no queue: it ${why}; make one with createQueue(), or wait until it is made`, {
    path,
    hint: 'make-queue',
  });
}

function damaged(path: string, why: string, cause?: unknown): never {
  fail('EBADMSG', `the queue ${path} is damaged: ${why}`, { path, cause });
}
