import {
  checkArguments,
  fail,
  flag,
  objectWith,
  oneOf,
  optional,
  text,
  options as wantedOptions,
} from '../../libc/index.js';
import type { FileLock, Volume, VolumeFile } from '../volume/index.js';
import {
  consumerLayout,
  consumerPath,
  decodeConsumerHeader,
  decodeProducerHeader,
  PCQ_TRAILER_BYTES,
  producerLayout,
} from './layout.js';
import { Queue } from './queue.js';
import type { QueueInfo, QueueOptions } from './types.js';

const PRODUCER_INDEX = producerLayout.fields.producerIndex;
const CONSUMER_INDEX = consumerLayout.fields.consumerIndex;

const openOptions = wantedOptions({ role: oneOf('producer', 'consumer', 'both'), framed: optional(flag) });
/** Accepts a Volume, also one of another copy of the package. */
export const aVolume = objectWith('a volume', 'statfs', 'create');

/**
 * Opens a queue as its producer, its consumer, or both (mirrors the roles of C's pcq).
 * The two ends may be on two hosts. A host that is a client mounts the volume with `clientWrites`.
 * @throws DaxError ENOENT; EINVAL no queue; EBADMSG damaged; EROFS on a volume that takes no stores; EBUSY another handle
 * on this host is that end already
 */
export function openQueue(volume: Volume, path: string, options: QueueOptions): Queue {
  checkArguments('openQueue', [volume, path, options], { volume: aVolume, path: text, options: openOptions });
  const { role, framed = false } = options;
  const opened: VolumeFile[] = [];
  const locks: FileLock[] = [];
  try {
    // Each end stores only into its own file. It opens the other end's file for reading.
    const producerFile = volume.open(path, { writable: role !== 'consumer' });
    opened.push(producerFile);
    const consumerFile = volume.open(consumerPath(path), { writable: role !== 'producer' });
    opened.push(consumerFile);
    const { nbuckets, bucketSize, bucketArrayOffset } = headersOf(producerFile, consumerFile).producer;
    if (role !== 'consumer') locks.push(takeEnd(producerFile, PRODUCER_INDEX, 'producer'));
    if (role !== 'producer') locks.push(takeEnd(consumerFile, CONSUMER_INDEX, 'consumer'));
    const parts = { path: producerFile.path, role, framed, nbuckets, bucketSize, bucketArrayOffset };
    return Queue.over({ ...parts, producerFile, consumerFile, locks });
  } catch (error) {
    for (const file of opened) file.close();
    for (const lock of locks) lock.release();
    throw error;
  }
}

/** Locks the index word of an end. There may be only one producer and one consumer: two producers would overwrite each other. */
function takeEnd(file: VolumeFile, index: { offset: number; size: number }, role: string): FileLock {
  const lock = file.lock(index.offset, index.size);
  return (
    lock ??
    fail('EBUSY', `another handle is the ${role} of ${file.path} already: there can be one at a time`, {
      path: file.path,
    })
  );
}

/** Describes a queue without becoming an end of it. It only reads, so it works on clients too. @throws DaxError as openQueue() */
export function queueInfo(volume: Volume, path: string): QueueInfo {
  checkArguments('queueInfo', [volume, path], { volume: aVolume, path: text });
  const producerFile = volume.open(path);
  try {
    const consumerFile = volume.open(consumerPath(path));
    try {
      return describe(producerFile, consumerFile);
    } finally {
      consumerFile.close();
    }
  } finally {
    producerFile.close();
  }
}

function describe(producerFile: VolumeFile, consumerFile: VolumeFile): QueueInfo {
  const { producer, consumer } = headersOf(producerFile, consumerFile);
  const { nbuckets, bucketSize, producerIndex } = producer;
  const { consumerIndex } = consumer;
  return {
    path: producerFile.path,
    nbuckets,
    bucketSize,
    payloadSize: bucketSize - PCQ_TRAILER_BYTES,
    capacity: nbuckets - 1,
    length: (producerIndex - consumerIndex + nbuckets) % nbuckets,
    producerIndex,
    consumerIndex,
    nextPutSeq: producer.nextSeq,
    nextGetSeq: consumer.nextSeq,
  };
}

function headersOf(producerFile: VolumeFile, consumerFile: VolumeFile) {
  const producer = decodeProducerHeader(
    headOf(producerFile, producerLayout.size),
    producerFile.path,
    producerFile.size,
  );
  const consumer = decodeConsumerHeader(
    headOf(consumerFile, consumerLayout.size),
    consumerFile.path,
    consumerFile.size,
    producer.nbuckets,
  );
  return { producer, consumer };
}

function headOf(file: VolumeFile, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(length, file.size));
  file.read(bytes, 0);
  return bytes;
}
