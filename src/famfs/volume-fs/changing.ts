/** The changing functions of node:fs over a volume, in synchronous form. */
import { fail } from '../../libc/index.js';
import { type PathLike, volumePath } from './paths.js';
import type { FsVolume } from './source.js';

type Bytes = string | NodeJS.ArrayBufferView;
export interface WriteFileOptions {
  encoding?: BufferEncoding | null;
  mode?: number | string;
  flag?: string;
}

export class VolumeChanger {
  readonly #volume: FsVolume;

  constructor(volume: FsVolume) {
    this.#volume = volume;
  }

  unlink(path: PathLike): void {
    this.#volume.unlink(volumePath(path));
  }

  rmdir(path: PathLike): void {
    this.#volume.rmdir(volumePath(path));
  }

  rm(
    path: PathLike,
    { recursive = false, force = false }: { recursive?: boolean; force?: boolean } = {},
  ): void {
    this.#volume.rm(volumePath(path), { recursive, force });
  }

  rename(from: PathLike, to: PathLike): void {
    this.#volume.rename(volumePath(from), volumePath(to));
  }

  link(existing: PathLike, path: PathLike): void {
    this.#volume.link(volumePath(existing), volumePath(path));
  }

  symlink(target: PathLike, path: PathLike): void {
    this.#volume.symlink(typeof target === 'string' ? target : volumePath(target), volumePath(path));
  }

  /** @returns the first directory that it made with `recursive`, as node:fs */
  mkdir(
    path: PathLike,
    options?: number | string | { recursive?: boolean; mode?: number | string } | null,
  ): string | undefined {
    const { recursive = false, mode } =
      typeof options === 'object' && options ? options : { mode: options ?? undefined };
    const name = volumePath(path);
    const first = recursive ? this.#firstMissing(name) : undefined;
    this.#volume.mkdir(name, { recursive, ...(mode != null && { mode: modeOf(mode) }) });
    return first;
  }

  #firstMissing(path: string): string | undefined {
    const names = path.split('/').filter(Boolean);
    for (let count = 1; count <= names.length; count++) {
      const above = `/${names.slice(0, count).join('/')}`;
      if (!this.#volume.exists(above)) return above;
    }
    return undefined;
  }

  chmod(path: PathLike, mode: number | string): void {
    this.#volume.chmod(volumePath(path), modeOf(mode));
  }

  chown(path: PathLike, uid: number, gid: number): void {
    this.#volume.chown(volumePath(path), uid, gid);
  }

  utimes(path: PathLike, atime: number | string | Date, mtime: number | string | Date): void {
    this.#volume.utimes(volumePath(path), timeOf(atime), timeOf(mtime));
  }

  truncate(path: PathLike, size?: number | null): void {
    this.#volume.truncate(volumePath(path), size ?? 0);
  }

  writeFile(path: PathLike, data: Bytes, options?: BufferEncoding | WriteFileOptions | null): void {
    const { encoding, mode, flag = 'w' } = writing(options);
    const name = volumePath(path);
    if (flag === 'a' || flag === 'as') {
      this.appendFile(path, data, options);
      return;
    }
    if (flag !== 'w' && flag !== 'wx')
      fail('EINVAL', `${name} cannot be written with flag ${flag}`, { path: name });
    if (flag === 'wx' && this.#volume.exists(name))
      fail('EEXIST', `${name} exists already`, { path: name, syscall: 'open' });
    this.#volume.put(name, bytesOf(data, encoding), { mode: modeOf(mode ?? 0o644) });
  }

  appendFile(path: PathLike, data: Bytes, options?: BufferEncoding | WriteFileOptions | null): void {
    const { encoding, mode } = writing(options);
    this.#volume.put(volumePath(path), bytesOf(data, encoding), {
      mode: modeOf(mode ?? 0o644),
      append: true,
    });
  }
}

function writing(options?: BufferEncoding | WriteFileOptions | null): WriteFileOptions {
  return typeof options === 'string' ? { encoding: options } : (options ?? {});
}

function bytesOf(data: Bytes, encoding: BufferEncoding | null | undefined): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, encoding ?? 'utf8');
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function modeOf(mode: number | string): number {
  return typeof mode === 'string' ? Number.parseInt(mode, 8) : mode;
}

/** node:fs takes seconds since 1970 where it is given a number or text. */
function timeOf(time: number | string | Date): number {
  return time instanceof Date ? time.getTime() : Number(time) * 1000;
}
