/** The argument checks of the methods of a volume. */
import {
  abortSignal,
  bytes,
  callback,
  either,
  flag,
  iterable,
  listOf,
  number,
  objectWith,
  optional,
  options,
  pairOf,
  text,
  u32,
  type Wanted,
} from '../../libc/index.js';

const owner = { mode: optional(u32), uid: optional(u32), gid: optional(u32) };
const stripe = options({ nstrips: number, nbuckets: number, chunkSize: number });
const copyOptions = optional(
  options({
    ...owner,
    stripe: optional(stripe),
    replace: optional(flag),
    threads: optional(number),
    followLinks: optional(flag),
    signal: optional(abortSignal),
    onProgress: optional(callback),
  }),
);
const path = { path: text };

export const volumeArguments = {
  mkdir: { ...path, options: optional(options({ ...owner, recursive: optional(flag) })) },
  create: {
    ...path,
    options: options({
      size: number,
      ...owner,
      zero: optional(flag),
      stripe: optional(stripe),
      fill: optional(callback),
    }),
  },
  open: { ...path, options: optional(options({ writable: optional(flag) })) },
  readdir: { ...path, options: optional(options({ withFileTypes: optional(flag) })) },
  stat: path,
  exists: path,
  usage: path,
  walk: { path: optional(text) },
  getmap: path,
  copyIn: {
    source: either(text, objectWith('a file of a volume', 'read', 'size')),
    destination: text,
    options: copyOptions,
  },
  copyOut: { source: text, destination: text, options: copyOptions },
  writeFile: {
    ...path,
    content: either(bytes, iterable),
    options: optional(options({ ...owner, replace: optional(flag), signal: optional(abortSignal) })),
  },
  createWriteStream: {
    ...path,
    options: optional(options({ ...owner, replace: optional(flag), signal: optional(abortSignal) })),
  },
  watch: {
    options: optional(
      options({ signal: optional(abortSignal), intervalMs: optional(number), persistent: optional(flag) }),
    ),
  },
  rewrite: {
    changes: optional(
      options({
        remove: optional(listOf(text)),
        recursive: optional(flag),
        move: optional(listOf(pairOf(text, text))),
        resize: optional(listOf(pairOf(text, number))),
        defragment: optional(flag),
        dropDamaged: optional(flag),
      }),
    ),
    options: optional(
      options({
        othersAreGone: optional(flag),
        dryRun: optional(flag),
        signal: optional(abortSignal),
        onProgress: optional(callback),
        uuid: optional(text),
        begunMs: optional(number),
      }),
    ),
  },
  flush: path,
} as const;

const time: Wanted = (value) =>
  typeof value === 'number' || value instanceof Date ? undefined : 'a Date, or milliseconds since 1970';
const attribute = { ...path, name: text };

export const changeArguments = {
  copyManyIn: {
    copies: iterable,
    options: optional(
      options({
        ...owner,
        stripe: optional(stripe),
        replace: optional(flag),
        threads: optional(number),
        signal: optional(abortSignal),
        onProgress: optional(callback),
        onCopied: optional(callback),
        onFailure: optional(callback),
      }),
    ),
  },
  unlink: path,
  rmdir: path,
  rm: { ...path, options: optional(options({ recursive: optional(flag), force: optional(flag) })) },
  rename: {
    from: text,
    to: text,
    flags: optional(options({ noReplace: optional(flag), exchange: optional(flag) })),
  },
  symlink: { target: text, ...path, options: optional(options({ uid: optional(u32), gid: optional(u32) })) },
  readlink: path,
  lstat: path,
  link: { existing: text, ...path },
  chmod: { ...path, mode: number },
  chown: { ...path, uid: number, gid: number },
  utimes: { ...path, atime: time, mtime: time },
  truncate: { ...path, size: number },
  put: {
    ...path,
    content: bytes,
    options: optional(options({ mode: optional(number), append: optional(flag) })),
  },
  realpath: path,
  setxattr: {
    ...attribute,
    value: bytes,
    flags: optional(options({ create: optional(flag), replace: optional(flag) })),
  },
  removexattr: attribute,
  getxattr: attribute,
  listxattr: path,
  clone: { source: text, destination: text, options: optional(options({ force: optional(flag) })) },
} as const;
