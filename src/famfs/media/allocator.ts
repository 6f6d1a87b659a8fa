/**
 * Allocates space for files, in allocation units of the primary device (famfs-format.md 9). Plain files get the first run
 * that fits, as in C, so that both write the same media byte for byte. Striped files get strips in random buckets.
 * Unlike C, the allocator makes a file of several extents when no single run is long enough. A failed allocation changes nothing.
 */
import { fail } from '../../libc/index.js';
import { AllocationMap } from './allocation-map.js';
import type { FamfsExtent, Fmap } from './fmap.js';
import { FAMFS_MAX_EXTENTS, type Superblock } from './layout.js';
import { checkStripe, type Stripe } from './stripe.js';

export interface AllocatorOptions {
  /** Name of the volume, for messages. */
  name?: string;
  /** Draws the bucket order; 0 <= random() < 1. Default: Math.random. */
  random?: () => number;
  /** The smallest allowed bucket, bytes. Default: C's 1 GiB, or one chunk on devices below 4 GiB. */
  minBucketSize?: number;
}

/** A run of free or taken units. */
interface Run {
  start: number;
  count: number;
}

/** A new map in which only the superblock area and the log are taken. Every volume starts with it. */
export function newAllocationMap(superblock: Superblock): AllocationMap {
  const map = new AllocationMap(Math.ceil(superblock.deviceSize / superblock.allocUnit));
  map.set(0, dataStart(superblock) / superblock.allocUnit);
  return map;
}

/** First byte that can hold file data. */
export function dataStart(superblock: Superblock): number {
  return superblock.logOffset + superblock.logLength;
}

export class Allocator {
  readonly #unit: number;
  /** Whole units of the device. A partial last unit, which C hands out, is never used. */
  readonly #end: number;
  #cursor = 0;
  readonly #superblock: Superblock;
  readonly #options: AllocatorOptions;

  constructor(
    superblock: Superblock,
    /** Shared with the replay, which marks the extents of logged files in it. */
    readonly map: AllocationMap,
    options: AllocatorOptions = {},
  ) {
    this.#superblock = superblock;
    this.#options = options;
    this.#unit = superblock.allocUnit;
    this.#end = Math.floor(superblock.deviceSize / superblock.allocUnit);
  }

  /** Bytes of a unit. */
  get unit(): number {
    return this.#unit;
  }

  /** Free bytes, whole units only. */
  get freeBytes(): number {
    return (this.#end - this.map.countSet(0, this.#end)) * this.#unit;
  }

  /** The longest run of free bytes. A file of one extent can have at most this size. */
  get largestFreeBytes(): number {
    let largest = 0;
    for (const run of this.map.freeRuns(0, this.#end)) largest = Math.max(largest, run.count);
    return largest * this.#unit;
  }

  /**
   * Starts a session: one hold of the log lock. Its first search begins at the start of the device; later searches continue
   * behind the last allocation.
   */
  beginSession(): void {
    this.#cursor = 0;
  }

  /**
   * Takes space for a file of `size` bytes. A striped file smaller than one chunk gets contiguous space.
   * @param bucketOrder test seam: the buckets in the order to try, instead of a random order
   * @throws DaxError EINVAL bad size or stripe; ENOSPC no room, naming what is free
   */
  allocate(size: number, stripe?: Stripe, bucketOrder?: readonly number[]): Fmap {
    if (!(Number.isSafeInteger(size) && size > 0)) {
      fail('EINVAL', `a famfs file holds at least one byte, not ${size}`);
    }
    if (stripe === undefined) return this.#allocateContiguous(size);
    const { deviceSize } = this.#superblock;
    checkStripe(stripe, { deviceSize, allocUnit: this.#unit, ...this.#bucketRule() });
    if (size < stripe.chunkSize) {
      this.#cursor = 0;
      return this.#allocateContiguous(size);
    }
    return this.#allocateStrips(size, stripe, bucketOrder ?? this.#shuffledBuckets(stripe.nbuckets));
  }

  #bucketRule(): { minBucketSize?: number } {
    const { minBucketSize } = this.#options;
    return minBucketSize === undefined ? {} : { minBucketSize };
  }

  /** Gives an allocation back whose entry was not logged. Extents on other devices are ignored: allocate() makes none. */
  release(fmap: Fmap): void {
    for (const extent of fmap.extents) {
      if (extent.devindex === 0) this.map.clear(extent.offset / this.#unit, this.#unitsOf(extent.length));
    }
  }

  /** Marks space as taken that no log entry holds, for example another process's reservation. */
  reserve(extents: readonly FamfsExtent[]): void {
    for (const extent of extents) {
      if (extent.devindex !== 0) continue;
      const start = Math.floor(extent.offset / this.#unit);
      this.map.set(start, Math.ceil((extent.offset + extent.length) / this.#unit) - start);
    }
  }

  #allocateContiguous(size: number): Fmap {
    const count = this.#unitsOf(size);
    let start = this.map.findRun(count, this.#cursor, this.#end);
    if (start < 0 && this.#cursor > 0) start = this.map.findRun(count, 0, this.#end);
    const runs = start >= 0 ? [{ start, count }] : this.#gather(count, size);
    return { type: 'simple', extents: runs.map((run) => this.#take(run)) };
  }

  #take(run: Run): FamfsExtent {
    this.map.set(run.start, run.count);
    this.#cursor = run.start + run.count;
    return { devindex: 0, offset: run.start * this.#unit, length: run.count * this.#unit };
  }

  /** The fewest free runs that together hold `count` units, in device order. The smallest of them is cut to fit. */
  #gather(count: number, size: number): Run[] {
    const longestFirst = [...this.map.freeRuns(0, this.#end)].sort((a, b) => b.count - a.count);
    const chosen: Run[] = [];
    let missing = count;
    for (const run of longestFirst.slice(0, FAMFS_MAX_EXTENTS)) {
      if (missing === 0) break;
      chosen.push({ start: run.start, count: Math.min(run.count, missing) });
      missing -= Math.min(run.count, missing);
    }
    if (missing > 0) this.#failNoSpace(size, `in up to ${FAMFS_MAX_EXTENTS} extents`);
    return chosen.sort((a, b) => a.start - b.start);
  }

  #allocateStrips(size: number, stripe: Stripe, order: readonly number[]): Fmap {
    const { nstrips, nbuckets, chunkSize } = stripe;
    const stripes = Math.ceil(size / (nstrips * chunkSize));
    const count = (stripes * chunkSize) / this.#unit;
    const bucketUnits = Math.floor(this.#end / nbuckets);
    const runs: Run[] = [];
    for (const bucket of order) {
      if (runs.length === nstrips) break;
      const start = this.map.findRun(count, bucket * bucketUnits, (bucket + 1) * bucketUnits);
      if (start >= 0) runs.push({ start, count });
    }
    if (runs.length < nstrips) {
      const each = `${nstrips} strips of ${stripes * chunkSize} bytes in different buckets`;
      this.#failNoSpace(size, `as ${each}: only ${runs.length} of ${nbuckets} buckets have such a run`);
    }
    const cursor = this.#cursor;
    const extents = runs.map((run) => this.#take(run));
    this.#cursor = cursor;
    return { type: 'interleaved', nstrips, chunkSize, extents };
  }

  /** Fisher-Yates over all buckets. */
  #shuffledBuckets(nbuckets: number): number[] {
    const random = this.#options.random ?? Math.random;
    const order = Array.from({ length: nbuckets }, (_, bucket) => bucket);
    for (let i = nbuckets - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  }

  #unitsOf(bytes: number): number {
    return Math.ceil(bytes / this.#unit);
  }

  #failNoSpace(size: number, how: string): never {
    const path = this.#options.name ?? this.#superblock.deviceName;
    return fail(
      'ENOSPC',
      `${path}: no room for ${size} bytes ${how} (free: ${this.freeBytes} bytes, ` +
        `longest run ${this.largestFreeBytes}); remove files (volume.rewrite({ remove })), or use a larger device`,
      { path, hint: 'rm' },
    );
  }
}
