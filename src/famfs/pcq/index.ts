/**
 * pcq/: a queue of fixed-size messages between two processes, in two files of a volume (famfs-format.md 15).
 *
 * There is one producer and one consumer; each owns one index word. A put or get takes no lock: it is a few stores.
 * Invariants: a message is in the queue when the producer's index has passed its bucket. It is whole then: payload, sequence
 * number and crc are stored before the index. Sequence numbers have no gaps. Either side may die at any store and continue
 * after it opens the queue again: the index word says at which bucket, and the last used bucket says the sequence number.
 * Lifetime: a queue holds its two files open and mapped until close(). Closing the volume ends it too.
 * Failure: EINVAL no queue, EBADMSG damaged or out of sequence, EROFS on clients, EBADF wrong role or closed,
 * ENODEV memory gone, AbortError.
 */
export { type CreateQueueOptions, createQueue } from './create.js';
export {
  consumerLayout,
  consumerPath,
  PCQ_HEADER_AREA,
  PCQ_TRAILER_BYTES,
  producerLayout,
} from './layout.js';
export { openQueue, queueInfo } from './open.js';
export { Queue } from './queue.js';
export type { QueueInfo, QueueOptions, QueueRole, WaitOptions } from './types.js';
