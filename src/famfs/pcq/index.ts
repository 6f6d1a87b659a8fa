/**
 * pcq/: a queue of fixed-size messages between two processes, in two files of a volume (famfs-format.md 15).
 *
 * One producer, one consumer, each owning one index word; nobody locks, a put or a get is a handful of stores.
 * Invariants: a message is there when the producer's index has passed it, and then whole: payload, sequence number
 * and crc are stored before the index. Sequence numbers have no gaps. Either side may die at any store and go on
 * after opening again: the index words say where, the last bucket on each side says the sequence number.
 * Lifetime: a queue holds its two files open and mapped until close(); the volume ends it too.
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
