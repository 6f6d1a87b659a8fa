// Volumes that the agent holds open, by number, and what tests do with their files. Text is latin1.
import { createHash } from 'node:crypto';
import { fsck as check, mkfs as format, mountFamfs } from 'udax';

const volumes = new Map();
let lastNumber = 0;

/** @returns the volume's number and what it is */
export function open(device, options = {}) {
  const volume = mountFamfs(device, options);
  volumes.set(++lastNumber, volume);
  return {
    number: lastNumber,
    role: volume.role,
    readOnly: volume.readOnly,
    fileSystem: volume.superblock.uuid,
  };
}

export const volumeOf = (number) => volumes.get(number);

export function close(number) {
  volumes.get(number).close();
  volumes.delete(number);
}

export const mkfs = (device, options) => format(device, options)?.uuid;
export const fsck = (device) => check(device);

/** Any method that takes and gives plain data: statfs, readdir, stat, getmap, refresh, mkdir, copyIn ... */
export const ask = (number, method, ...args) => volumes.get(number)[method](...args);

export function create(number, path, options) {
  volumes.get(number).create(path, options).close();
}

function withFile(number, path, writable, use) {
  const file = volumes.get(number).open(path, { writable });
  try {
    return use(file);
  } finally {
    file.close();
  }
}

/** Stores through a writable mapping. */
export function store(number, path, text, offset = 0) {
  withFile(number, path, true, (file) => {
    file.map({ writable: true, offset, length: text.length }).set(Buffer.from(text, 'latin1'));
    file.writeBack(offset, text.length);
  });
}

/** Loads through a read-only mapping. */
export const load = (number, path, offset = 0, length) =>
  withFile(number, path, false, (file) => Buffer.from(file.map({ offset, length })).toString('latin1'));

export const write = (number, path, text, offset = 0) =>
  withFile(number, path, true, (file) => file.write(Buffer.from(text, 'latin1'), offset));

export const read = (number, path, offset, length) =>
  withFile(number, path, false, (file) => {
    const into = Buffer.alloc(length);
    return into.toString('latin1', 0, file.read(into, offset));
  });

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

export const sumMapped = (number, path) => withFile(number, path, false, (file) => sha256(file.map()));

/** Fills a file with bytes that depend on the place, through a writable mapping. @returns their sha256 */
export function fill(number, path, seed) {
  return withFile(number, path, true, (file) => {
    const words = file.mapAs(Uint32Array, { writable: true });
    for (let i = 0; i < words.length; i++) words[i] = Math.imul(i + seed, 2654435761);
    return sha256(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  });
}

/** Resolves with the entries once this name has been published, as watch() tells it. */
export async function watchFor(number, path) {
  const watcher = volumes.get(number).watch();
  const seen = [];
  for await (const event of watcher) {
    if (event.type !== 'new') continue;
    seen.push(...event.entries.map(({ path, size }) => ({ path, size })));
    if (seen.some((entry) => entry.path === path)) break;
  }
  return seen;
}

/** Makes directories until the host dies; after each its number is stored into a file, for those who live on. */
export async function mkdirForever(number, prefix, flag) {
  const volume = volumes.get(number);
  const made = volume.open(flag).mapAs(Int32Array, { length: 4, writable: true });
  for (let i = 1; ; i++) {
    volume.mkdir(`${prefix}${i}`);
    Atomics.store(made, 0, i);
    if (i % 4 === 0) await new Promise(setImmediate);
  }
}

export const walk = (number) => [...volumes.get(number).walk()].map(({ path, size }) => ({ path, size }));

/** All names, sorted, with what can be compared between hosts and with another file system. */
export function tree(number) {
  const volume = volumes.get(number);
  return [...volume.walk()]
    .filter(({ path }) => path !== '/')
    .map(({ path, type, size, mode, nlink }) => ({
      path,
      type,
      mode,
      nlink,
      ...(type === 'file' && { sum: size === 0 ? '' : sumMapped(number, path) }),
      ...(type === 'symlink' && { target: volume.readlink(path) }),
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}
