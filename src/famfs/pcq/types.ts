import type { FileLock, VolumeFile } from '../volume/index.js';

export type QueueRole = 'producer' | 'consumer' | 'both';

export interface QueueOptions {
  /** The end that this handle is. There may be one producer and one consumer at a time. */
  role: QueueRole;
  /**
   * True: messages keep their length, which takes the first 4 bytes of the payload. The media format stays that of C. Both ends
   * must be opened alike. Default false: a message taken is always payloadSize bytes long.
   */
  framed?: boolean;
}

export interface WaitOptions {
  /** Aborting ends the wait with an AbortError. No message is lost or half put. */
  signal?: AbortSignal;
}

export interface QueueInfo {
  path: string;
  nbuckets: number;
  bucketSize: number;
  /** Payload bytes of a bucket. */
  payloadSize: number;
  /** How many messages fit, and how many are in the queue. */
  capacity: number;
  length: number;
  producerIndex: number;
  consumerIndex: number;
  /** Sequence numbers of the next message to put and to take, as the headers say. */
  nextPutSeq: number;
  nextGetSeq: number;
}

/** What openQueue() hands to a new Queue. */
export interface QueueParts {
  path: string;
  role: QueueRole;
  framed: boolean;
  nbuckets: number;
  bucketSize: number;
  bucketArrayOffset: number;
  producerFile: VolumeFile;
  consumerFile: VolumeFile;
  locks: FileLock[];
}
