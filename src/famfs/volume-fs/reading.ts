/** The reading functions of node:fs over a volume, in synchronous form. */

import { constants as bufferConstants } from 'node:buffer';
import { constants } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { types } from 'node:util';
import { DaxError, fail, hasCode, throwIfAborted } from '../../libc/index.js';
import { encodeName } from '../media/path.js';
import type { VolumeFile } from '../volume/file.js';
import { Descriptors } from './descriptors.js';
import { type PathLike, volumePath } from './paths.js';
import type { ReadableVolume } from './source.js';
import { bigintStats, VolumeDirent, VolumeStats } from './stats.js';

export type EncodingOption = BufferEncoding | 'buffer' | null | undefined;
export interface ReaddirOptions {
  encoding?: EncodingOption;
  withFileTypes?: boolean;
  recursive?: boolean;
}
export interface StatOptions {
  bigint?: boolean;
  throwIfNoEntry?: boolean;
}
export interface ReadFileOptions {
  encoding?: EncodingOption;
  flag?: string | number;
  signal?: AbortSignal;
}
export interface ReadOptions {
  offset?: number;
  length?: number;
  position?: number | bigint | null;
}

/** Bytes that are read between two checks of the abort signal. */
const PIECE_BYTES = 8 * 2 ** 20;

export class VolumeReader {
  readonly #volume: ReadableVolume;
  readonly #descriptors: Descriptors;
  readonly #mountedAt = Date.now();

  constructor(volume: ReadableVolume) {
    this.#volume = volume;
    this.#descriptors = new Descriptors(volume);
  }

  exists(path: PathLike): boolean {
    try {
      return this.#volume.exists(volumePath(path));
    } catch (error) {
      // As in node:fs: a value that is no path does not exist.
      if (error instanceof DaxError || error instanceof TypeError) return false;
      throw error;
    }
  }

  access(path: PathLike, mode: number = constants.F_OK): void {
    const name = volumePath(path);
    const stat = this.#volume.stat(name);
    if ((mode & constants.W_OK) !== 0) {
      fail('EROFS', `${name} cannot be written through volume.fs: use volume.open()`, {
        path: name,
        syscall: 'access',
      });
    }
    const isExecutable = stat.isDirectory() || (stat.mode & 0o111) !== 0;
    if ((mode & constants.X_OK) !== 0 && !isExecutable) {
      fail('EACCES', `${name} is not executable`, { path: name, syscall: 'access' });
    }
  }

  stat(path: PathLike, options: StatOptions = {}): object | undefined {
    const name = volumePath(path);
    if (options.throwIfNoEntry === false && !this.#volume.exists(name)) return undefined;
    return this.#stats(this.#volume.stat(name), options);
  }

  fstat(fd: number, options: StatOptions = {}): object {
    return this.#stats(this.#descriptors.get(fd, 'fstat').stat, options);
  }

  lstat(path: PathLike, options: StatOptions = {}): object | undefined {
    const name = volumePath(path);
    try {
      return this.#stats(this.#volume.lstat(name), options);
    } catch (error) {
      if (options.throwIfNoEntry === false && hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
  }

  #stats(stat: ReturnType<ReadableVolume['stat']>, { bigint = false }: StatOptions): object {
    const stats = new VolumeStats(stat, this.#mountedAt);
    return bigint ? bigintStats(stats) : stats;
  }

  realpath(path: PathLike, options?: EncodingOption | { encoding?: EncodingOption }): string | Buffer {
    const real = this.#volume.realpath(volumePath(path));
    return encodingOf(options) === 'buffer' ? Buffer.from(encodeName(real)) : real;
  }

  readlink(path: PathLike, options?: EncodingOption | { encoding?: EncodingOption }): string | Buffer {
    const target = this.#volume.readlink(volumePath(path));
    return encodingOf(options) === 'buffer' ? Buffer.from(encodeName(target)) : target;
  }

  readdir(path: PathLike, options?: EncodingOption | ReaddirOptions): unknown[] {
    const { withFileTypes = false, recursive = false } =
      typeof options === 'object' && options ? options : {};
    const asBuffer = encodingOf(options) === 'buffer';
    const top = volumePath(path);
    const shown = typeof path === 'string' ? path : top;
    const found: unknown[] = [];
    const visit = (directory: string, relative: string): void => {
      for (const name of this.#volume.readdir(directory)) {
        const full = directory === '/' ? `/${name}` : `${directory}/${name}`;
        const type = withFileTypes || recursive ? this.#volume.lstat(full).type : 'file';
        const below = relative === '' ? name : `${relative}/${name}`;
        if (withFileTypes) {
          found.push(new VolumeDirent(name, joined(shown, relative), type, asBuffer));
        } else found.push(asBuffer ? Buffer.from(encodeName(below)) : below);
        if (recursive && type === 'directory') visit(full, below);
      }
    };
    visit(top, '');
    return found;
  }

  open(path: PathLike, flags: string | number = 'r'): number {
    return this.#descriptors.open(volumePath(path), flags);
  }

  close(fd: number): void {
    this.#descriptors.close(fd);
  }

  /** As read(2). With `position` null it continues where the last read ended. @returns the number of bytes read, 0 at the end */
  read(fd: number, into: ArrayBufferView, { offset = 0, length, position = null }: ReadOptions = {}): number {
    const open = this.#descriptors.file(fd, 'read');
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    const count = length ?? bytes.length - offset;
    if (offset < 0 || count < 0 || offset + count > bytes.length) {
      const error = new RangeError(
        `offset ${offset} and length ${count} are outside a buffer of ${bytes.length} bytes`,
      );
      throw Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
    }
    const isCurrent = position === null || Number(position) < 0;
    const from = isCurrent ? open.position : Number(position);
    const done = open.file.read(bytes.subarray(offset, offset + count), from);
    if (isCurrent) open.position += done;
    return done;
  }

  readFile(path: PathLike | number, options?: EncodingOption | ReadFileOptions): string | Buffer {
    return this.#withFile(path, flagOf(options), (file, from) => {
      const bytes = allocateFor(file, from);
      file.read(bytes, from);
      return decoded(bytes, encodingOf(options));
    });
  }

  /** As readFile(), but in pieces. Between two pieces the event loop runs and the signal is checked. */
  async readFileAsync(
    path: PathLike | number,
    options?: EncodingOption | ReadFileOptions,
  ): Promise<string | Buffer> {
    const signal = typeof options === 'object' && options ? options.signal : undefined;
    throwIfAborted(signal);
    return this.#withFile(path, flagOf(options), async (file, from) => {
      const bytes = allocateFor(file, from);
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        file.read(bytes.subarray(at, at + PIECE_BYTES), from + at);
        if (at + PIECE_BYTES < bytes.length) await nextTurn();
        throwIfAborted(signal);
      }
      return decoded(bytes, encodingOf(options));
    });
  }

  /** Reads a descriptor from its position on, and leaves it open. Opens and closes a path. */
  #withFile<T>(
    path: PathLike | number,
    flag: string | number,
    use: (file: VolumeFile, from: number) => T,
  ): T {
    if (typeof path === 'number') {
      const open = this.#descriptors.file(path, 'read');
      const from = open.position;
      open.position = Math.max(from, open.file.size);
      return use(open.file, from);
    }
    const fd = this.open(path, flag);
    let result: T;
    try {
      result = use(this.#descriptors.file(fd, 'read').file, 0);
    } catch (error) {
      this.close(fd);
      throw error;
    }
    if (types.isPromise(result)) return result.finally(() => this.close(fd)) as T;
    this.close(fd);
    return result;
  }
}

function encodingOf(options: unknown): EncodingOption {
  if (typeof options === 'string') return options as EncodingOption;
  return typeof options === 'object' && options !== null
    ? (options as { encoding?: EncodingOption }).encoding
    : undefined;
}

function flagOf(options: unknown): string | number {
  const flag =
    typeof options === 'object' && options !== null ? (options as ReadFileOptions).flag : undefined;
  return flag ?? 'r';
}

function allocateFor(file: VolumeFile, from: number): Buffer {
  const length = Math.max(0, file.size - from);
  if (length > bufferConstants.MAX_LENGTH) {
    fail(
      'EFBIG',
      `${file.path} has ${file.size} bytes, more than one Buffer: use createReadStream() or windows()`,
      {
        path: file.path,
      },
    );
  }
  return Buffer.allocUnsafeSlow(length);
}

function decoded(bytes: Buffer, encoding: EncodingOption): string | Buffer {
  return encoding === undefined || encoding === null || encoding === 'buffer'
    ? bytes
    : bytes.toString(encoding);
}

function joined(top: string, relative: string): string {
  if (relative === '') return top;
  return top.endsWith('/') ? top + relative : `${top}/${relative}`;
}
