/** Queue files with wrong headers and buckets. */
import fs from 'node:fs';
import {
  createQueue,
  deviceMedia,
  formatMedia,
  mountFamfsOn,
  openQueue,
  queueInfo,
  type Volume,
} from '../../../src/famfs/index.js';
import { consumerLayout, PCQ_HEADER_AREA, producerLayout } from '../../../src/famfs/pcq/index.js';
import { HOST } from '../images.js';
import { nasty, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';
import { MappedDevice } from './volume.js';

const BUCKETS = 8;
const BUCKET_BYTES = 64;

class QueueTarget implements Target {
  readonly name = 'queue';
  readonly share = 60;
  #mapped: MappedDevice | undefined;
  #volume: Volume | undefined;
  /** Where the two files begin on the device, and their original content. */
  #files: {
    at: number;
    layout: { fields: Record<string, { offset: number; size: number }> };
    head: Uint8Array;
    buckets: Uint8Array;
  }[] = [];

  open(directory: string): void {
    const mapped = new MappedDevice(directory);
    this.#mapped = mapped;
    const device = mapped.device(HOST);
    const media = deviceMedia(device);
    formatMedia(media, { systemUuid: HOST });
    media.close();
    const volume = mountFamfsOn(device);
    this.#volume = volume;
    createQueue(volume, '/q', { nbuckets: BUCKETS, bucketSize: BUCKET_BYTES });
    const queue = openQueue(volume, '/q', { role: 'both' });
    for (let i = 0; i < 5; i++) queue.tryPut(new Uint8Array(BUCKET_BYTES - 16).fill(i));
    queue.tryGet();
    queue.close();
    this.#files = [['/q', producerLayout] as const, ['/q.consumer', consumerLayout] as const].map(
      ([name, layout]) => {
        const at = volume.getmap(name).extents[0]!.offset;
        const read = (from: number, length: number) => {
          const bytes = new Uint8Array(length);
          fs.readSync(mapped.writableFd, bytes, 0, length, from);
          return bytes;
        };
        return {
          at,
          layout: layout as never,
          head: read(at, layout.size),
          buckets: name === '/q' ? read(at + PCQ_HEADER_AREA, BUCKETS * BUCKET_BYTES) : new Uint8Array(0),
        };
      },
    );
  }

  run(recipe: readonly number[]): void {
    for (const { at, head, buckets } of this.#files) {
      this.#store(at, head);
      this.#store(at + PCQ_HEADER_AREA, buckets);
    }
    for (const seed of recipe) this.#change(new Random(seed));
    const volume = this.#volume!;
    const random = new Random((recipe.at(-1) ?? 0) + 3);
    answered(() => queueInfo(volume, '/q'));
    const queue = answered(() =>
      openQueue(volume, '/q', {
        role: random.pick(['both', 'producer', 'consumer']),
        framed: random.once(3),
      }),
    );
    if (queue === undefined) return;
    try {
      for (let i = 0; i < 12; i++) {
        // Another process writes into the queue while it is in use.
        if (random.once(6)) this.#change(random);
        answered(() => queue.tryPut(new Uint8Array(random.below(BUCKET_BYTES))));
        const got = answered(() => queue.tryGet());
        if (got)
          assert(
            got.length <= BUCKET_BYTES,
            `a message of ${got.length} bytes came out of a bucket of ${BUCKET_BYTES}`,
          );
        const length = answered(() => queue.length);
        assert(length === undefined || (length >= 0 && length < 2 ** 32), `the queue holds ${length}`);
      }
    } finally {
      queue.close();
    }
  }

  #change(random: Random): void {
    const { at, layout, buckets } = random.pick(this.#files);
    if (buckets.length > 0 && random.once(3)) {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, nasty(random, BigInt(random.below(9))), true);
      this.#store(at + PCQ_HEADER_AREA + random.below(buckets.length / 8) * 8, bytes);
      return;
    }
    const { offset, size } = layout.fields[random.pick(Object.keys(layout.fields))]!;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, nasty(random, BigInt(random.below(BUCKETS))), true);
    this.#store(at + offset, bytes.subarray(0, size));
  }

  #store(at: number, bytes: Uint8Array): void {
    fs.writeSync(this.#mapped!.writableFd, bytes, 0, bytes.length, at);
  }

  close(): void {
    this.#volume?.close();
    this.#mapped?.close();
  }
}

export const queueTarget: Target = new QueueTarget();
