import { crc32 } from 'node:zlib';
import {
  checkMethods,
  fail,
  hasCode,
  isBytes,
  isU64,
  loadU64,
  storeU64,
  writeU64,
} from '../../libc/index.js';
import { MemoryBehind } from '../../memory/index.js';
import { GIB } from '../media/layout.js';
import { viewOf } from '../media/superblock.js';
import type { FileLock, VolumeFile } from '../volume/index.js';
import { consumerLayout, PCQ_CRC_BYTES, PCQ_TRAILER_BYTES, producerLayout } from './layout.js';
import { checkMessage } from './message.js';
import { Often } from './often.js';
import type { QueueInfo, QueueParts, QueueRole, WaitOptions } from './types.js';
import { signalOf, waitOptions, waitUntil } from './wait.js';
import { mapBuckets, wordsOf } from './words.js';

const PRODUCER_INDEX = producerLayout.fields.producerIndex;
const CONSUMER_INDEX = consumerLayout.fields.consumerIndex;
const PRODUCER_INDEX_WORD = PRODUCER_INDEX.offset / 4;
const PRODUCER_SEQ_WORD = producerLayout.fields.nextSeq.offset / 4;
const CONSUMER_INDEX_WORD = CONSUMER_INDEX.offset / 4;
const CONSUMER_SEQ_WORD = consumerLayout.fields.nextSeq.offset / 4;
/** How often a bucket is read when its crc fails: stores of another host may not have arrived yet. C tries three times too. */
const TRIES = 3;
const WINDOW_BYTES = GIB;
/** A framed message begins with its length: 32 bits, little-endian. */
const FRAME_BYTES = 4;

/**
 * One end of a queue, or both ends. put() and get() wait; tryPut() and tryGet() do not.
 * openQueue() makes it.
 */
export class Queue {
  readonly path: string;
  readonly role: QueueRole;
  readonly nbuckets: number;
  readonly bucketSize: number;
  readonly payloadSize: number;
  /** The longest message, bytes: payloadSize, or 4 less when the queue is framed. */
  readonly maxMessageSize: number;
  /** Whether messages keep their length: see QueueOptions. */
  readonly framed: boolean;
  readonly #producerFile: VolumeFile;
  readonly #consumerFile: VolumeFile;
  readonly #buckets: Uint8Array[];
  readonly #bucketsInWindow: number;
  readonly #producerWords: Uint32Array;
  readonly #consumerWords: Uint32Array;
  readonly #bucketArrayOffset: number;
  readonly #needsWriteBack: boolean;
  readonly #needsRefetch: boolean;
  readonly #locks: FileLock[];
  readonly #memory: MemoryBehind;
  readonly #checks = new Often(16);
  /** A private copy of one bucket. Messages are checked and decoded here, where no other process writes. */
  readonly #scratch: Uint8Array;
  readonly #scratchView: DataView;
  readonly #scratchCovered: Uint8Array;
  #nextPutSeq = 0;
  #nextGetSeq = 0;
  #isClosed = false;

  /** @internal openQueue() makes them. */
  static over(parts: QueueParts): Queue {
    return new Queue(parts);
  }

  private constructor(parts: QueueParts) {
    const { nbuckets, bucketSize, bucketArrayOffset, producerFile, consumerFile } = parts;
    this.path = parts.path;
    this.role = parts.role;
    this.nbuckets = nbuckets;
    this.bucketSize = bucketSize;
    this.payloadSize = bucketSize - PCQ_TRAILER_BYTES;
    this.framed = parts.framed;
    this.maxMessageSize = this.payloadSize - (parts.framed ? FRAME_BYTES : 0);
    this.#producerFile = producerFile;
    this.#consumerFile = consumerFile;
    this.#locks = parts.locks;
    this.#memory = new MemoryBehind().join(producerFile.memoryBehind).join(consumerFile.memoryBehind);
    this.#bucketArrayOffset = bucketArrayOffset;
    this.#needsWriteBack = producerFile.needsWriteBack;
    this.#needsRefetch = producerFile.needsRefetch;
    const puts = parts.role !== 'consumer';
    this.#producerWords = wordsOf(producerFile, producerLayout.size, puts);
    this.#consumerWords = wordsOf(consumerFile, consumerLayout.size, parts.role !== 'producer');
    this.#bucketsInWindow = Math.max(1, Math.floor(WINDOW_BYTES / bucketSize));
    this.#buckets = mapBuckets(
      producerFile,
      bucketArrayOffset,
      nbuckets * bucketSize,
      this.#windowBytes,
      puts,
    );
    this.#scratch = new Uint8Array(bucketSize);
    this.#scratchView = viewOf(this.#scratch);
    this.#scratchCovered = this.#scratch.subarray(0, bucketSize - PCQ_CRC_BYTES);
    this.#findPlace();
  }

  /** How many messages the queue holds now. */
  get length(): number {
    this.#check();
    return (this.#producerIndex() - this.#consumerIndex() + this.nbuckets) % this.nbuckets;
  }

  /** Whether there is no message in it now. */
  get isEmpty(): boolean {
    this.#check();
    return this.#producerIndex() === this.#consumerIndex();
  }

  /** Whether all its buckets hold messages now. */
  get isFull(): boolean {
    this.#check();
    return (this.#producerIndex() + 1) % this.nbuckets === this.#consumerIndex();
  }

  /**
   * Puts one message. A message shorter than the payload is padded with zeroes.
   * @returns false when the queue is full
   * @throws DaxError EINVAL no Uint8Array, or longer than maxMessageSize; EBADF not the producer, or closed; ENODEV, EBADMSG
   */
  tryPut(message: Uint8Array): boolean {
    this.#checkRole('producer', 'put');
    checkMessage(this.path, message, this.maxMessageSize);
    const index = this.#producerIndex();
    const next = index + 1 === this.nbuckets ? 0 : index + 1;
    if (next === this.#consumerIndex()) return false;
    this.#store(index, message);
    this.#nextPutSeq++;
    storeU64(this.#producerWords, PRODUCER_SEQ_WORD, this.#nextPutSeq);
    // This store publishes the message. All bytes of the message are stored before it.
    Atomics.store(this.#producerWords, PRODUCER_INDEX_WORD, next);
    if (this.#needsWriteBack) this.#producerFile.writeBack(PRODUCER_INDEX.offset, PRODUCER_INDEX.size);
    return true;
  }

  /** Puts one message. Waits while the queue is full. @throws DaxError as tryPut(); AbortError */
  async put(message: Uint8Array, options?: WaitOptions): Promise<void> {
    const signal = signalOf('Queue.put', options);
    while (!this.tryPut(message)) await waitUntil(() => !this.isFull, signal);
  }

  /**
   * Takes the next message, as a copy: `payloadSize` bytes, or as long as it was put when the queue is framed.
   * @param into receives the message instead of a new array; it must hold maxMessageSize bytes, its filled part is returned
   * @returns null when the queue is empty
   * @throws DaxError EBADMSG damaged or out of sequence, and stays in the queue; EINVAL `into` is too short; EBADF, ENODEV
   */
  tryGet(into?: Uint8Array): Uint8Array | null {
    this.#checkRole('consumer', 'get');
    if (into !== undefined && (!isBytes(into) || into.length < this.maxMessageSize)) {
      fail(
        'EINVAL',
        `a message of ${this.path} goes into a Uint8Array of at least ${this.maxMessageSize} bytes`,
        {
          path: this.path,
        },
      );
    }
    const index = this.#consumerIndex();
    if (index === this.#producerIndex()) return null;
    this.#load(index);
    const message = this.#take(into);
    this.#nextGetSeq++;
    storeU64(this.#consumerWords, CONSUMER_SEQ_WORD, this.#nextGetSeq);
    Atomics.store(this.#consumerWords, CONSUMER_INDEX_WORD, index + 1 === this.nbuckets ? 0 : index + 1);
    if (this.#needsWriteBack) this.#consumerFile.writeBack(CONSUMER_INDEX.offset, CONSUMER_INDEX.size);
    return message;
  }

  /** Takes the next message. Waits while the queue is empty. @throws DaxError as tryGet(); AbortError */
  async get(options?: WaitOptions): Promise<Uint8Array> {
    const signal = signalOf('Queue.get', options);
    for (;;) {
      const message = this.tryGet();
      if (message !== null) return message;
      await waitUntil(() => !this.isEmpty, signal);
    }
  }

  /** The size and state of the queue now. */
  info(): QueueInfo {
    const { path, nbuckets, bucketSize, payloadSize } = this;
    return {
      path,
      nbuckets,
      bucketSize,
      payloadSize,
      capacity: nbuckets - 1,
      length: this.length,
      producerIndex: this.#producerIndex(),
      consumerIndex: this.#consumerIndex(),
      nextPutSeq: loadU64(this.#producerWords, PRODUCER_SEQ_WORD),
      nextGetSeq: loadU64(this.#consumerWords, CONSUMER_SEQ_WORD),
    };
  }

  /** Iterates over the messages: `for await (const message of queue)`. It waits for new ones, and ends when this end is closed. */
  messages(options: WaitOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
    this.#checkRole('consumer', 'get');
    return this.#messages(options);
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.messages();
  }

  async *#messages(options: WaitOptions): AsyncGenerator<Uint8Array, void, undefined> {
    while (!this.#isClosed) {
      let message: Uint8Array;
      try {
        message = await this.get(options);
      } catch (error) {
        if (this.#isClosed && hasCode(error, 'EBADF')) return;
        throw error;
      }
      yield message;
    }
  }

  /** Closes both files and releases the locks. The queue and its messages stay on the volume. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#producerFile.close();
    this.#consumerFile.close();
    for (const lock of this.#locks) lock.release();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #windowBytes(): number {
    return this.#bucketsInWindow * this.bucketSize;
  }

  #producerIndex(): number {
    if (this.#needsRefetch && this.role === 'consumer')
      this.#producerFile.refetch(PRODUCER_INDEX.offset, PRODUCER_INDEX.size);
    return this.#checkedIndex(Atomics.load(this.#producerWords, PRODUCER_INDEX_WORD), 'producer_index');
  }

  #consumerIndex(): number {
    if (this.#needsRefetch && this.role === 'producer')
      this.#consumerFile.refetch(CONSUMER_INDEX.offset, CONSUMER_INDEX.size);
    return this.#checkedIndex(Atomics.load(this.#consumerWords, CONSUMER_INDEX_WORD), 'consumer_index');
  }

  /** Checks an index. Another process writes these words, and a wild value must not lead outside the buckets. */
  #checkedIndex(index: number, name: string): number {
    if (index < this.nbuckets) return index;
    const { path } = this;
    return fail('EBADMSG', `the queue ${path} is damaged: ${name} is ${index} of ${this.nbuckets} buckets`, {
      path,
    });
  }

  #bucket(index: number): Uint8Array {
    const window = this.#buckets[Math.floor(index / this.#bucketsInWindow)]!;
    const at = (index % this.#bucketsInWindow) * this.bucketSize;
    return window.subarray(at, at + this.bucketSize);
  }

  #store(index: number, message: Uint8Array): void {
    const { payloadSize } = this;
    const start = payloadSize - this.maxMessageSize;
    if (this.framed) this.#scratchView.setUint32(0, message.length, true);
    this.#scratch.set(message, start);
    this.#scratch.fill(0, start + message.length, payloadSize);
    writeU64(this.#scratchView, payloadSize, this.#nextPutSeq);
    writeU64(this.#scratchView, this.bucketSize - PCQ_CRC_BYTES, crc32(this.#scratchCovered));
    this.#bucket(index).set(this.#scratch);
    if (this.#needsWriteBack) {
      this.#producerFile.writeBack(this.#bucketArrayOffset + index * this.bucketSize, this.bucketSize);
    }
  }

  /** Copies the message out of scratch. @throws DaxError EBADMSG the frame is invalid: the other end was opened unframed */
  #take(into: Uint8Array | undefined): Uint8Array {
    let start = 0;
    let length = this.payloadSize;
    if (this.framed) {
      start = FRAME_BYTES;
      length = this.#scratchView.getUint32(0, true);
      if (length > this.maxMessageSize) {
        const { path } = this;
        const message = `message ${this.#nextGetSeq} of ${path} is not framed: both ends must be opened alike`;
        fail('EBADMSG', message, { path });
      }
    }
    const message = into === undefined ? new Uint8Array(length) : into.subarray(0, length);
    message.set(this.#scratch.subarray(start, start + length));
    return message;
  }

  /** Copies a bucket into scratch and checks it. @throws DaxError EBADMSG */
  #load(index: number): void {
    for (let tries = 1; ; tries++) {
      if (this.#needsRefetch)
        this.#producerFile.refetch(this.#bucketArrayOffset + index * this.bucketSize, this.bucketSize);
      this.#scratch.set(this.#bucket(index));
      if (this.#isWhole()) break;
      if (tries === TRIES) {
        fail(
          'EBADMSG',
          `message ${this.#nextGetSeq} of ${this.path} (bucket ${index}) does not match its crc`,
          {
            path: this.path,
          },
        );
      }
    }
    if (!isU64(this.#scratchView, this.payloadSize, this.#nextGetSeq)) {
      const found = this.#scratchView.getBigUint64(this.payloadSize, true);
      fail(
        'EBADMSG',
        `bucket ${index} of ${this.path} holds message ${found}, expected ${this.#nextGetSeq}: messages were lost ` +
          'or two producers write at once',
        { path: this.path },
      );
    }
  }

  #isWhole(): boolean {
    return isU64(this.#scratchView, this.bucketSize - PCQ_CRC_BYTES, crc32(this.#scratchCovered));
  }

  /**
   * Finds the sequence numbers to continue with. A number in a header can be wrong: one ahead of its index after a kill between
   * the two stores, or old when memory lost its caches. The last message put and the last message taken tell more. Both are
   * still in their buckets: the producer never stores to the bucket before the consumer's index.
   */
  #findPlace(): void {
    if (this.role !== 'consumer') {
      this.#nextPutSeq = this.#seqAt(this.#producerIndex(), loadU64(this.#producerWords, PRODUCER_SEQ_WORD));
    }
    if (this.role !== 'producer') {
      this.#nextGetSeq = this.#seqAt(this.#consumerIndex(), loadU64(this.#consumerWords, CONSUMER_SEQ_WORD));
    }
  }

  /** The sequence number of the next message for bucket `index`. `inHeader` is the number in the file's header. */
  #seqAt(index: number, inHeader: number): number {
    const belongs = (seq: number) => seq % this.nbuckets === index;
    if (index === 0 && inHeader === 0) return 0;
    const afterLast = this.#seqAfterLast(index);
    if (afterLast !== undefined && belongs(afterLast)) return afterLast;
    return !belongs(inHeader) && inHeader > 0 && belongs(inHeader - 1) ? inHeader - 1 : inHeader;
  }

  /** One more than the number of the message in the bucket before `index`. Undefined when that bucket holds no whole message. */
  #seqAfterLast(index: number): number | undefined {
    this.#scratch.set(this.#bucket((index + this.nbuckets - 1) % this.nbuckets));
    if (!this.#isWhole()) return undefined;
    return Number(this.#scratchView.getBigUint64(this.payloadSize, true)) + 1;
  }

  #checkRole(needed: 'producer' | 'consumer', act: string): void {
    this.#check();
    if (this.role === needed || this.role === 'both') return;
    fail('EBADF', `this end of ${this.path} is its ${this.role}, it cannot ${act}: open it as ${needed}`, {
      path: this.path,
    });
  }

  #check(): void {
    if (this.#isClosed) fail('EBADF', `the queue ${this.path} is closed: open it again`, { path: this.path });
    const isHere = this.#producerWords.byteLength > 0 && this.#consumerWords.byteLength > 0;
    if (isHere && !this.#checks.isDue()) return;
    this.#producerFile.check();
    if (!isHere) {
      const { path } = this;
      fail('ENODEV', `the memory of the queue ${path} was taken away: mount the volume again`, { path });
    }
    // Both files are used through views. A view cannot tell that the file behind it was cut.
    this.#memory.check();
    this.#checks.passed();
  }
}

checkMethods(Queue, { messages: waitOptions });
