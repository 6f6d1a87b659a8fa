import type { DaxDevice } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import type { Backing, Mapping, PhysicalRange } from '../../memory/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import type { LostRange, Media } from '../media/media.js';
import { mediaState } from '../media/mkfs.js';
import { lostRanges } from './lost-ranges.js';
import { StoreMarks } from './store-marks.js';
import type { FamfsDevice } from './types.js';

/** 'process': stores survive the death of any process. 'power': stores survive power loss, if the memory does (decision 12). */
export type Durability = 'process' | 'power';

export interface DeviceMediaOptions {
  /** Default: 'power' on persistent devdax memory, else 'process'. */
  durability?: Durability;
}

/** A medium that is the memory of a dax device itself. */
export interface DeviceMedia extends Media {
  readonly dax: DaxDevice;
  /** The backing behind device offset 0. */
  readonly backing: Backing;
  /** Whether flush() does anything. It does for memory that is not coherent, and for stores that must survive power loss. */
  readonly flushes: boolean;
  view(offset: number, length: number): Uint8Array;
  assertThere(offset: number, length: number): void;
  ensure(offset: number, length: number): void;
  /**
   * Proves the first bytes once, for short work that does not wait. assertThere() then skips them, and what else it has proven last, until
   * forgetProof().
   * @throws DaxError EIO
   */
  proveStart(length: number): void;
  forgetProof(): void;
  /** @throws DaxError EIO there is no memory behind these bytes: the image is shorter than its device, or its file was cut */
  assertBacked(offset: number, length: number): void;
  lost(offset: number, length: number): LostRange[];
  /** Makes a range of the device durable, whatever the durability option: as fsync(2) on a file. */
  sync(offset: number, length: number): void;
  /** Who stores into published files of this memory. */
  readonly stores: StoreMarks;
  /** Unmaps the views that cross physical ranges. */
  close(): void;
}

/**
 * The medium of a device in famfs mode. Its views are lasting: they end with the device.
 * Users of coherent memory share caches, so other processes see stores without a flush; only `fence` orders them there.
 */
export function deviceMedia(device: FamfsDevice, options: DeviceMediaOptions = {}): DeviceMedia {
  return new MemoryMedia(device.name, device.dax, options);
}

class MemoryMedia implements DeviceMedia {
  readonly backing: Backing;
  readonly #stitched = new Map<string, { mapping: Mapping; whole: Uint8Array }>();
  readonly flushes: boolean;
  readonly stores = new StoreMarks(this);
  readonly #fenceWord = new Int32Array(1);
  #ranges: readonly PhysicalRange[] | undefined;
  readonly #range: PhysicalRange = { start: 0, length: 0 };
  readonly #one: readonly PhysicalRange[] = [this.#range];
  #provenEnd = 0;
  /** Of `backing`, as proveStart() found it. */
  #provenSize = 0;
  /** What was proven last behind that, since proveStart(): the annex, of which a session asks piece by piece. */
  readonly #also = { start: 0, end: 0 };

  constructor(
    readonly name: string,
    readonly dax: DaxDevice,
    options: DeviceMediaOptions,
  ) {
    const first = dax.directAccess(0, 1, 'recovery');
    this.backing = dax.memory.locate(first.hpa, PAGE_SIZE)[0]!.backing;
    // On tmpfs even a load from a hole needs a page. A full file system must be an error here, not a SIGBUS later.
    if (this.backing.writable && this.backing.endNow() >= PAGE_SIZE) dax.memory.ensure(first.hpa, PAGE_SIZE);
    const { persistent, kind, coherent } = this.backing;
    const durability = options.durability ?? (persistent && kind === 'devdax' ? 'power' : 'process');
    this.flushes = !coherent || (persistent && durability === 'power');
  }

  get size(): number {
    return this.dax.size;
  }

  bytes(offset: number, length: number): Uint8Array {
    if (!Number.isSafeInteger(offset) || !(length >= 0) || offset < 0 || offset + length > this.size) {
      fail('ENXIO', `${this.name} ends at ${this.size}: there are no bytes ${offset}..${offset + length}`, {
        path: this.name,
      });
    }
    if (length === 0) return new Uint8Array(0);
    this.assertThere(offset, length);
    return this.view(offset, length);
  }

  view(offset: number, length: number): Uint8Array {
    const ranges = this.dax.physicalRanges(offset, length);
    if (ranges.length === 1) return this.dax.memory.view(ranges[0]!.start, length);
    return this.#stitch(offset, length);
  }

  assertThere(offset: number, length: number): void {
    const end = offset + length;
    const also = this.#also;
    if (end <= this.#provenEnd || (offset >= also.start && end <= also.end)) return;
    for (const range of this.#physical(offset, length)) {
      this.dax.memory.assertThere(range.start, range.length);
    }
    if (this.#provenEnd === 0) return;
    if (offset < also.start || offset > also.end) also.start = offset;
    also.end = end;
  }

  proveStart(length: number): void {
    this.forgetProof();
    const [start, ...others] = backingRanges(this.dax, 0, length);
    const size = start!.backing === this.backing && start!.backing.canShrink ? this.backing.endNow() : 0;
    if (others.length > 0 || start!.offset + length > size) this.assertThere(0, length);
    this.#provenSize = size;
    this.#provenEnd = length;
  }

  assertBacked(offset: number, length: number): void {
    for (const piece of backingRanges(this.dax, offset, length)) {
      // Asking a device costs a file of sysfs.
      if (!piece.backing.canShrink) continue;
      if (piece.backing === this.backing && piece.offset + piece.length <= this.#provenSize) continue;
      piece.backing.checkRange(piece.offset, piece.length);
    }
  }

  forgetProof(): void {
    this.#provenEnd = 0;
    this.#provenSize = 0;
    this.#also.start = 0;
    this.#also.end = 0;
  }

  get imageEnd(): number | undefined {
    const { hpa } = this.dax.directAccess(0, 1, 'recovery');
    const end = this.dax.memory.backedEnd(hpa) - hpa;
    return end > 0 && end < this.size && this.backing.endNow() < this.size ? end : undefined;
  }

  lost(offset: number, length: number): LostRange[] {
    return lostRanges(this.dax, offset, length);
  }

  /** As DaxDevice.physicalRanges(), but cached: the ranges of a device do not change while it exists. */
  #physical(offset: number, length: number): readonly PhysicalRange[] {
    this.#ranges ??= this.dax.physicalRanges(0, this.size);
    const whole = this.#ranges;
    const only = whole[0]!;
    if (whole.length > 1 || offset + length > only.length) return this.dax.physicalRanges(offset, length);
    const range = this.#range;
    range.start = only.start + offset;
    range.length = length;
    return this.#one;
  }

  /** Maps several physical ranges of the device behind each other, so that metadata across them is one view. */
  #stitch(offset: number, length: number): Uint8Array {
    const { granule, writable } = this.backing;
    const start = offset - (offset % granule);
    const end = Math.ceil((offset + length) / granule) * granule;
    const key = `${start}-${end}`;
    let known = this.#stitched.get(key);
    if (!known?.mapping.alive) {
      const mapping = this.dax.memory.map(this.dax.physicalRanges(start, end - start), {
        access: writable ? 'shared' : 'protected',
        label: `metadata of ${this.name}`,
      });
      known = { mapping, whole: mapping.give(new Uint8Array(mapping.buffer)) };
      this.#stitched.set(key, known);
    }
    return known.whole.subarray(offset - start, offset - start + length);
  }

  flush(offset: number, length: number): void {
    if (this.flushes) this.sync(offset, length);
  }

  fence(): void {
    // A sequentially consistent store is a full fence on the machines that Node runs on.
    Atomics.store(this.#fenceWord, 0, 0);
    this.backing.fenced?.();
  }

  ensure(offset: number, length: number): void {
    for (const range of this.dax.physicalRanges(offset, length)) {
      this.dax.memory.ensure(range.start, range.length);
    }
  }

  zero(offset: number, length: number): void {
    this.ensure(offset, length);
    const pages = offset % PAGE_SIZE === 0 && length % PAGE_SIZE === 0;
    if (pages) this.dax.zeroPageRange(offset / PAGE_SIZE, length / PAGE_SIZE);
    else this.bytes(offset, length).fill(0);
    this.flush(offset, length);
  }

  invalidate(offset: number, length: number): void {
    if (this.backing.coherent) return;
    for (const { backing, offset: at, length: bytes } of backingRanges(this.dax, offset, length)) {
      backing.invalidate(at, bytes);
    }
  }

  sync(offset: number, length: number): void {
    for (const { backing, offset: at, length: bytes } of backingRanges(this.dax, offset, length)) {
      backing.sync(at, bytes);
    }
  }

  close(): void {
    for (const { mapping } of this.#stitched.values()) mapping.close();
    this.#stitched.clear();
    this.stores.close();
  }
}

/** Where bytes of a device lie in its backings. */
export function backingRanges(
  dax: DaxDevice,
  offset: number,
  length: number,
): ReturnType<DaxDevice['memory']['locate']> {
  const ranges = dax.physicalRanges(offset, length);
  // Nearly always there is one, and each new file asks.
  const [only] = ranges;
  if (ranges.length === 1) return dax.memory.locate(only!.start, only!.length);
  return ranges.flatMap((range) => dax.memory.locate(range.start, range.length));
}

/** Whether there is a famfs. A damaged one counts: mounting reports the damage, and nothing overwrites it. */
export function hasFileSystem(device: FamfsDevice): boolean {
  const media = deviceMedia(device);
  try {
    return mediaState(media) !== 'none';
  } finally {
    media.close();
  }
}
