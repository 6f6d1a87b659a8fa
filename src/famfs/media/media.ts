import { fail } from '../../libc/index.js';

/** Bytes of a device that cannot be read: their memory has failed, or the file that backed them was cut. */
export interface LostRange {
  offset: number;
  length: number;
  kind: 'failed' | 'cut';
  /** For messages: 'page at physical address 0x... has failed', '/x/0.mem ends at byte N'. */
  why: string;
}

/**
 * Memory that holds a famfs, as the media code needs it: byte access to the superblock and log area, and the
 * operations that order stores. Offsets and lengths are bytes on the device.
 */
export interface Media {
  /** For messages and for the superblock's device name. */
  readonly name: string;
  /** Size of the device. A shorter backing (an image file) reads as zero behind its end. */
  readonly size: number;
  /**
   * A lasting view of the memory itself, proven to be there now. It is 8-byte aligned when `offset` is. A caller that keeps
   * the view calls assertThere() before each use.
   * @throws DaxError ENXIO outside the device, EIO the memory behind it was cut
   */
  bytes(offset: number, length: number): Uint8Array;
  /** As bytes(), but unproven. It is for callers that touch only parts of the view, and call assertThere() for each part. */
  view?(offset: number, length: number): Uint8Array;
  /** Proves that views of these bytes can be touched now. Absent when the memory cannot go away. @throws DaxError EIO */
  assertThere?(offset: number, length: number): void;
  /** The end of an image that is shorter than its device, bytes. Behind it metadata reads as zero, and there is no data. */
  readonly imageEnd?: number | undefined;
  /** The parts of a range whose bytes are lost, in order. Absent when no memory can be lost. */
  lost?(offset: number, length: number): LostRange[];
  /** Writes the cache lines of a range back. A no-op on coherent, volatile memory. */
  flush(offset: number, length: number): void;
  /** Completes all earlier flushes before any later store. */
  fence(): void;
  /** Makes sure that stores to a range find memory. Absent when they always do. @throws DaxError ENOSPC, EIO */
  ensure?(offset: number, length: number): void;
  /** Zeroes a range and flushes it; may be a hole punch. */
  zero(offset: number, length: number): void;
  /** Drops the cached lines of a range, so that the next load sees what another host wrote. */
  invalidate(offset: number, length: number): void;
}

/** A medium whose first bytes are private ones, for reading. Everything else is that of `media`. */
export function metadataMedia<M extends Media>(media: M, metadata: Uint8Array): M {
  const isInside = (offset: number, length: number) => offset + length <= metadata.length;
  const own: Pick<Media, 'bytes' | 'view' | 'assertThere' | 'lost' | 'invalidate'> = {
    bytes: (offset, length) =>
      isInside(offset, length) ? metadata.subarray(offset, offset + length) : media.bytes(offset, length),
    view: (offset, length) =>
      isInside(offset, length)
        ? metadata.subarray(offset, offset + length)
        : (media.view?.(offset, length) ?? media.bytes(offset, length)),
    assertThere: (offset, length) => {
      if (!isInside(offset, length)) media.assertThere?.(offset, length);
    },
    lost: (offset, length) => {
      const start = Math.max(offset, metadata.length);
      return start < offset + length ? (media.lost?.(start, offset + length - start) ?? []) : [];
    },
    invalidate: (offset, length) => {
      if (!isInside(offset, length)) media.invalidate(offset, length);
    },
  };
  return new Proxy(media, {
    get(target, key) {
      if (Object.hasOwn(own, key)) return own[key as keyof typeof own];
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A medium in plain memory, for tests and for images that are read whole. Bytes behind `contents` read as zero. */
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
