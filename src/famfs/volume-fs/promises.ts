import fs from 'node:fs';
import type { PathLike } from './paths.js';
import type { EncodingOption, ReadFileOptions, ReadOptions, StatOptions, VolumeReader } from './reading.js';

const DEFAULT_READ_BYTES = 16384;

/** node:fs/promises over a volume. */
export function readPromises(reader: VolumeReader) {
  return {
    constants: fs.constants,
    access: async (path: PathLike, mode?: number) => reader.access(path, mode),
    lstat: async (path: PathLike, options?: StatOptions) => reader.stat(path, options),
    open: async (path: PathLike, flags?: string | number) =>
      new VolumeFileHandle(reader, reader.open(path, flags ?? 'r')),
    readFile: async (path: PathLike | VolumeFileHandle, options?: EncodingOption | ReadFileOptions) =>
      reader.readFileAsync(typeof path === 'object' && 'fd' in path ? path.fd : path, options),
    readdir: async (path: PathLike, options?: EncodingOption) => reader.readdir(path, options),
    readlink: async (path: PathLike) => reader.readlink(path),
    realpath: async (path: PathLike, options?: EncodingOption) => reader.realpath(path, options),
    stat: async (path: PathLike, options?: StatOptions) => reader.stat(path, options),
  };
}

/** The reading part of fs.promises.FileHandle. */
class VolumeFileHandle {
  readonly fd: number;
  readonly #reader: VolumeReader;

  constructor(reader: VolumeReader, fd: number) {
    this.#reader = reader;
    this.fd = fd;
  }

  async read(
    first?: NodeJS.ArrayBufferView | (ReadOptions & { buffer?: NodeJS.ArrayBufferView }),
    offset?: number | ReadOptions,
    length?: number,
    position?: number | null,
  ): Promise<{ bytesRead: number; buffer: NodeJS.ArrayBufferView }> {
    const isView = ArrayBuffer.isView(first);
    const buffer = isView ? first : (first?.buffer ?? Buffer.alloc(DEFAULT_READ_BYTES));
    const options = isView ? optionsOf(offset, length, position) : (first ?? {});
    return { bytesRead: this.#reader.read(this.fd, buffer, options), buffer };
  }

  async readFile(options?: EncodingOption | ReadFileOptions): Promise<string | Buffer> {
    return this.#reader.readFileAsync(this.fd, options);
  }

  async stat(options?: StatOptions): Promise<object> {
    return this.#reader.fstat(this.fd, options);
  }

  async close(): Promise<void> {
    this.#reader.close(this.fd);
  }
}

function optionsOf(offset?: number | ReadOptions, length?: number, position?: number | null): ReadOptions {
  if (typeof offset === 'object') return offset;
  return {
    ...(offset !== undefined && { offset }),
    ...(length !== undefined && { length }),
    position: position ?? null,
  };
}
