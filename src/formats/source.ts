/** Where parsers take their bytes from: an array that somebody has, or a file of a volume. */
import { types } from 'node:util';
import type { ArchiveSource } from '../archives/index.js';
import type { ReadonlyUint8Array, VolumeFile } from '../famfs/index.js';
import { fail, flag, MAX_VIEW_BYTES, optional, options, type Wanted } from '../libc/index.js';

export { damaged, otherFormat, pathOf, shownName, unsupported } from '../archives/index.js';

/** What the parsers accept: a typed array, DataView, Buffer or buffer; views of map() fit too. */
export type FormatBytes = ReadonlyUint8Array | ArrayBufferView | ArrayBufferLike;

/** How a file or buffer is parsed. */
export interface FormatOptions {
  /** Names the bytes in errors. Default: the path of the file, or `the buffer`. */
  name?: string;
  /**
   * What to do with data that no view can show: elements at an address that is no multiple of their size, or in the other byte
   * order. False (default): `data` throws EINVAL. True: `data` is a copy, and `isCopy` of the tensor says so.
   */
  allowCopy?: boolean;
}

/** A range of bytes that can be seen without copying. */
export interface ByteSource extends ArchiveSource {
  readonly file?: VolumeFile;
  /** Where it starts in its file, if it is a part of one. */
  readonly start?: number;
  /** A view on [offset, offset + length), which lies within the size. @throws DaxError EBADF closed, ERANGE over 4 GiB */
  view(offset: number, length: number): Uint8Array;
  /** Ends the views. */
  close(): void;
}

export const formatBytes: Wanted = (value) =>
  ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)
    ? undefined
    : 'a typed array, DataView, Buffer, ArrayBuffer or SharedArrayBuffer';
const name: Wanted = (value) => (typeof value === 'string' && value !== '' ? undefined : 'a name');
export const formatOptions = optional(options({ name: optional(name), allowCopy: optional(flag) }));

export function bufferSource(given: FormatBytes, name = 'the buffer'): ByteSource {
  const bytes = ArrayBuffer.isView(given)
    ? new Uint8Array(given.buffer, given.byteOffset, given.byteLength)
    : new Uint8Array(given as ArrayBuffer);
  const size = bytes.byteLength;
  return {
    name,
    size,
    view(offset, length) {
      if (bytes.byteLength === size) return bytes.subarray(offset, offset + length);
      return fail('EBADF', `${name} has no bytes any more: its memory was closed, lost or moved away`);
    },
    close() {},
  };
}

/** A file is mapped whole, or where it is over 4 GiB, piece by piece as the pieces are asked for. */
export function fileSource(file: VolumeFile, name = file.path): ByteSource {
  const { path, size } = file;
  return {
    name,
    path,
    file,
    size,
    view(offset, length) {
      if (length === 0) return new Uint8Array(0);
      const view =
        size <= MAX_VIEW_BYTES ? file.map().subarray(offset, offset + length) : file.map({ offset, length });
      return view as unknown as Uint8Array;
    },
    close: () => file.close(),
  };
}

/** A part of a source as a source: its offsets count from its start. It ends with the source, not by itself. */
export function partOf(source: ByteSource, name: string, start: number, size: number): ByteSource {
  return {
    name,
    size,
    start,
    ...(source.path !== undefined && { path: source.path }),
    view: (offset, length) => source.view(start + offset, length),
    close() {},
  };
}
