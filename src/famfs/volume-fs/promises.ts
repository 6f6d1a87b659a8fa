import fs from 'node:fs';
import type { VolumeChanger } from './changing.js';
import type { PathLike } from './paths.js';
import type { EncodingOption, ReadFileOptions, ReadOptions, StatOptions, VolumeReader } from './reading.js';

const DEFAULT_READ_BYTES = 16384;

/** node:fs/promises over a volume. */
export function readPromises(reader: VolumeReader, changer: VolumeChanger) {
  return {
    constants: fs.constants,
    access: async (path: PathLike, mode?: number) => reader.access(path, mode),
    lstat: async (path: PathLike, options?: StatOptions) => reader.lstat(path, options),
    ...changePromises(changer),
    open: async (path: PathLike, flags?: string | number) =>
      new VolumeFileHandle(reader, reader.open(path, flags ?? 'r')),
    readFile: async (path: PathLike | VolumeFileHandle, options?: EncodingOption | ReadFileOptions) =>
      reader.readFileAsync(typeof path === 'object' && 'fd' in path ? path.fd : path, options),
    readdir: async (path: PathLike, options?: EncodingOption) => reader.readdir(path, options),
    readlink: async (path: PathLike, options?: EncodingOption) => reader.readlink(path, options),
    realpath: async (path: PathLike, options?: EncodingOption) => reader.realpath(path, options),
    stat: async (path: PathLike, options?: StatOptions) => reader.stat(path, options),
  };
}

function changePromises(changer: VolumeChanger) {
  return {
    appendFile: async (...given: Parameters<VolumeChanger['appendFile']>) => changer.appendFile(...given),
    chmod: async (...given: Parameters<VolumeChanger['chmod']>) => changer.chmod(...given),
    chown: async (...given: Parameters<VolumeChanger['chown']>) => changer.chown(...given),
    link: async (...given: Parameters<VolumeChanger['link']>) => changer.link(...given),
    mkdir: async (...given: Parameters<VolumeChanger['mkdir']>) => changer.mkdir(...given),
    rename: async (...given: Parameters<VolumeChanger['rename']>) => changer.rename(...given),
    rm: async (...given: Parameters<VolumeChanger['rm']>) => changer.rm(...given),
    rmdir: async (...given: Parameters<VolumeChanger['rmdir']>) => changer.rmdir(...given),
    symlink: async (...given: Parameters<VolumeChanger['symlink']>) => changer.symlink(...given),
    truncate: async (...given: Parameters<VolumeChanger['truncate']>) => changer.truncate(...given),
    unlink: async (...given: Parameters<VolumeChanger['unlink']>) => changer.unlink(...given),
    utimes: async (...given: Parameters<VolumeChanger['utimes']>) => changer.utimes(...given),
    writeFile: async (...given: Parameters<VolumeChanger['writeFile']>) => changer.writeFile(...given),
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
