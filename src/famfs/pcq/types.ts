import type { FileLock, VolumeFile } from '../volume/index.js';

export type QueueRole = 'producer' | 'consumer' | 'both';

export interface QueueOptions {
  /** Which end this process is. There may be one producer and one consumer at a time. */
  role: QueueRole;
  /**
   * Messages keep their length: each begins with it, 4 bytes inside the payload (media stay as C makes them). Both ends must be opened
   * alike. Default false: what is got is always payloadSize bytes long.
   */
  framed?: boolean;
}

export interface WaitOptions {
  /** Aborting ends the wait with an AbortError; no message is lost or half put. */
  signal?: AbortSignal;
}

export interface QueueInfo {
  path: string;
  nbuckets: number;
  bucketSize: number;
  /** Bytes of a message. */
  payloadSize: number;
  /** Messages that fit, and that are in it. */
  capacity: number;
  length: number;
  producerIndex: number;
  consumerIndex: number;
  /** Sequence number of the next message put, and of the next one taken. */
  nextPutSeq: number;
  nextGetSeq: number;
}

/** What openQueue() has opened and found. */
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
