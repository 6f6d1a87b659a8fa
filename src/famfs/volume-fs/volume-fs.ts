import fs from 'node:fs';
import { VolumeChanger } from './changing.js';
import type { PathLike } from './paths.js';
import { readPromises } from './promises.js';
import { type ReadFileOptions, type ReadOptions, VolumeReader } from './reading.js';
import type { FsVolume } from './source.js';

/** The names of the changing functions of a volume's `fs`. */
export type VolumeFsChange =
  | 'appendFile'
  | 'chmod'
  | 'chown'
  | 'link'
  | 'mkdir'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'symlink'
  | 'truncate'
  | 'unlink'
  | 'utimes'
  | 'writeFile';

/** The part of node:fs that a volume offers, with the types of node:fs. */
export type VolumeFs = Pick<
  typeof fs,
  | VolumeFsChange
  | `${VolumeFsChange}Sync`
  | 'access'
  | 'accessSync'
  | 'close'
  | 'closeSync'
  | 'constants'
  | 'createReadStream'
  | 'exists'
  | 'existsSync'
  | 'fstat'
  | 'fstatSync'
  | 'lstat'
  | 'lstatSync'
  | 'open'
  | 'openSync'
  | 'read'
  | 'readFile'
  | 'readFileSync'
  | 'readSync'
  | 'readdir'
  | 'readdirSync'
  | 'readlink'
  | 'readlinkSync'
  | 'realpath'
  | 'realpathSync'
  | 'stat'
  | 'statSync'
> & {
  readonly promises: Pick<
    typeof fs.promises,
    | VolumeFsChange
    | 'access'
    | 'constants'
    | 'lstat'
    | 'open'
    | 'readFile'
    | 'readdir'
    | 'readlink'
    | 'realpath'
    | 'stat'
  >;
};

type Callback = (error: unknown, ...results: unknown[]) => void;

/** Makes the `fs` of a volume. The functions need no `this`, so they may be taken out of the object. */
export function volumeFs(volume: FsVolume): VolumeFs {
  const reader = new VolumeReader(volume);
  const changer = new VolumeChanger(volume);
  const promises = readPromises(reader, changer);
  const readSync = (fd: number, into: NodeJS.ArrayBufferView, ...rest: unknown[]) =>
    reader.read(fd, into, readOptions(rest));
  const realpathSync = (path: PathLike, options?: undefined) => reader.realpath(path, options);
  const realpath = withCallback(realpathSync);
  const stat = withCallback((path: PathLike, options?: object) => reader.stat(path, options));
  const statSync = (path: PathLike, options?: object) => reader.stat(path, options);
  const open = withCallback((path: PathLike, flags?: string) => reader.open(path, flags ?? 'r'));
  const read = readOf(reader);
  const close = withCallback((fd: number) => reader.close(fd));
  const face = {
    constants: fs.constants,
    promises,
    access: withCallback((path: PathLike, mode?: number) => reader.access(path, mode)),
    accessSync: (path: PathLike, mode?: number) => reader.access(path, mode),
    close,
    closeSync: (fd: number) => reader.close(fd),
    createReadStream: (path: PathLike, options?: BufferEncoding | object) =>
      fs.createReadStream(
        path as fs.PathLike,
        {
          ...(typeof options === 'string' ? { encoding: options } : options),
          fs: { open, read, close },
        } as Parameters<typeof fs.createReadStream>[1],
      ),
    exists: (path: PathLike, callback: (exists: boolean) => void) =>
      process.nextTick(callback, reader.exists(path)),
    existsSync: (path: PathLike) => reader.exists(path),
    fstat: withCallback((fd: number, options?: object) => reader.fstat(fd, options)),
    fstatSync: (fd: number, options?: object) => reader.fstat(fd, options),
    lstat: withCallback((path: PathLike, options?: object) => reader.lstat(path, options)),
    lstatSync: (path: PathLike, options?: object) => reader.lstat(path, options),
    ...changingFace(changer),
    open,
    openSync: (path: PathLike, flags?: string | number) => reader.open(path, flags ?? 'r'),
    read,
    readFile: (path: PathLike | number, ...rest: unknown[]) => {
      const callback = callbackOf(rest);
      reader.readFileAsync(path, rest[0] as ReadFileOptions).then(
        (content) => process.nextTick(callback, null, content),
        (error) => process.nextTick(callback, error),
      );
    },
    readFileSync: (path: PathLike | number, options?: ReadFileOptions) => reader.readFile(path, options),
    readSync,
    readdir: withCallback((path: PathLike, options?: undefined) => reader.readdir(path, options)),
    readdirSync: (path: PathLike, options?: undefined) => reader.readdir(path, options),
    readlink: withCallback((path: PathLike, options?: undefined) => reader.readlink(path, options)),
    readlinkSync: (path: PathLike, options?: undefined) => reader.readlink(path, options),
    realpath: Object.assign(realpath, { native: realpath }),
    realpathSync: Object.assign(realpathSync, { native: realpathSync }),
    stat,
    statSync,
  };
  return face as unknown as VolumeFs;
}

const changing: readonly VolumeFsChange[] = [
  'appendFile',
  'chmod',
  'chown',
  'link',
  'mkdir',
  'rename',
  'rm',
  'rmdir',
  'symlink',
  'truncate',
  'unlink',
  'utimes',
  'writeFile',
];

/** The changing functions, with a callback and synchronous. */
function changingFace(changer: VolumeChanger): object {
  const face: Record<string, unknown> = {};
  for (const name of changing) {
    const act = (...given: unknown[]): unknown =>
      (changer[name] as (...given: unknown[]) => unknown).apply(changer, given);
    face[name] = withCallback(act);
    face[`${name}Sync`] = act;
  }
  return face;
}

/** fs.read in all its forms. The callback gets the buffer as well. */
function readOf(reader: VolumeReader): (fd: number, ...rest: unknown[]) => void {
  return function read(fd, ...rest) {
    const callback = callbackOf(rest);
    const first = rest[0] as (ReadOptions & { buffer?: NodeJS.ArrayBufferView }) | undefined;
    const isView = ArrayBuffer.isView(first);
    const buffer = isView ? first : (first?.buffer ?? Buffer.alloc(16384));
    const options = isView ? readOptions(rest.slice(1)) : (first ?? {});
    let bytesRead: number;
    try {
      bytesRead = reader.read(fd, buffer, options);
    } catch (error) {
      process.nextTick(callback, error, 0, buffer);
      return;
    }
    process.nextTick(callback, null, bytesRead, buffer);
  };
}

/** Converts the arguments (offset, length, position) or ({ offset, length, position }) to options. */
function readOptions(rest: unknown[]): ReadOptions {
  const [first, length, position] = rest;
  if (typeof first === 'object' && first !== null) return first;
  return {
    ...(typeof first === 'number' && { offset: first }),
    ...(typeof length === 'number' && { length }),
    position: (position ?? null) as ReadOptions['position'] & (number | null),
  };
}

/** Removes the callback from the end of the arguments and returns it. */
function callbackOf(rest: unknown[]): Callback {
  const callback = rest.pop();
  if (typeof callback === 'function') return callback as Callback;
  const error = new TypeError('The "cb" argument must be of type function');
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** The callback form of a synchronous function. It runs at once, since reading memory is no I/O; the callback runs in the next tick. */
function withCallback<A extends unknown[]>(act: (...args: A) => unknown): (...args: unknown[]) => void {
  return (...args) => {
    const callback = callbackOf(args);
    let result: unknown;
    try {
      result = act(...(args as A));
    } catch (error) {
      process.nextTick(callback, error);
      return;
    }
    process.nextTick(callback, null, result);
  };
}
