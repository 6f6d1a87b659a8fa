import { fail } from '../../libc/index.js';

/** Bytes of a device that cannot be read: their memory has failed, or the file that was their memory was cut. */
export interface LostRange {
  offset: number;
  length: number;
  kind: 'failed' | 'cut';
  /** For messages: 'page at physical address 0x... has failed', '/x/0.mem ends at byte N'. */
  why: string;
}

/**
 * Memory that holds a famfs, as the media code needs it: byte access to the superblock and log area, and the
 * three acts that order stores. Offsets and lengths are bytes on the device.
 */
export interface Media {
  /** For messages and for the superblock's device name. */
  readonly name: string;
  /** Size of the device; backings shorter than that (image files) read as zero behind their end. */
  readonly size: number;
  /**
   * A lasting view of the memory itself, 8-byte aligned where `offset` is, proven to be there now. Whoever keeps it asks
   * assertThere() before each use.
   * @throws DaxError ENXIO outside the device, EIO the memory behind it was cut
   */
  bytes(offset: number, length: number): Uint8Array;
  /** As bytes(), unproven: for a view of which only parts are looked at, each asked for by assertThere(). */
  view?(offset: number, length: number): Uint8Array;
  /** Proves that views of these bytes can be touched now. Left out where memory cannot go. @throws DaxError EIO */
  assertThere?(offset: number, length: number): void;
  /** Where an image shorter than its device ends, bytes: behind it metadata reads as zero, and there is no data. */
  readonly imageEnd?: number | undefined;
  /** The parts of a range that hold nothing any more, in order. Left out where nothing gets lost. */
  lost?(offset: number, length: number): LostRange[];
  /** Writes the cache lines of a range back (no-op on coherent, volatile memory). */
  flush(offset: number, length: number): void;
  /** All flushes before it are done before any store after it. */
  fence(): void;
  /** Zeroes a range and flushes it; may be a hole punch. */
  zero(offset: number, length: number): void;
  /** Drops the cached lines of a range, so that the next load sees what another host wrote. */
  invalidate(offset: number, length: number): void;
}

/** Media in plain memory: tests, and images read whole. Bytes behind `contents` read as zero. */
export function bufferMedia(contents: Uint8Array, options: { name?: string; size?: number } = {}): Media {
  const name = options.name ?? 'memory';
  const size = options.size ?? contents.byteLength;
  return {
    name,
    size,
    bytes(offset, length) {
      if (offset < 0 || length < 0 || offset + length > size) {
        fail('ENXIO', `${name} ends at ${size}: no bytes ${offset}..${offset + length}`);
      }
      if (offset + length <= contents.byteLength) return contents.subarray(offset, offset + length);
      const extended = new Uint8Array(length);
      if (offset < contents.byteLength) extended.set(contents.subarray(offset));
      return extended;
    },
    flush() {},
    fence() {},
    zero(offset, length) {
      this.bytes(offset, length).fill(0);
    },
    invalidate() {},
  };
}
