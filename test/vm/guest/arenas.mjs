// Arenas that the agent holds open, by path. Text is latin1.
import { createArena, fsckArena, openArena } from 'udax/arena';
import { volumeOf } from './volumes.mjs';

const arenas = new Map();
const pinned = new Map();
const text = (bytes) => Buffer.from(bytes).toString('latin1');
const bytes = (value) => Buffer.from(value, 'latin1');

export function make(volume, path, options) {
  createArena(volumeOf(volume), path, options);
}

export function open(volume, path) {
  arenas.set(path, openArena(volumeOf(volume), path));
}

export function close(path) {
  arenas.get(path).close();
  arenas.delete(path);
}

export const put = (path, key, value) => arenas.get(path).put(key, bytes(value));
export const has = (path, key) => arenas.get(path).has(key);
export const remove = (path, key) => arenas.get(path).delete(key);

export function get(path, key) {
  const value = arenas.get(path).get(key);
  if (value === null) return null;
  try {
    return text(value.bytes);
  } finally {
    value.release();
  }
}

/** Gets and keeps the pin; read() tells what is there now. */
export function pin(path, key) {
  pinned.set(key, arenas.get(path).get(key));
}

export const read = (key) => text(pinned.get(key).bytes);

/** Reserves space and stores half of it, for good. */
export function reserve(path, key, length) {
  arenas
    .get(path)
    .reserve(key, length)
    .bytes.fill(1, 0, length / 2);
}

export function stats(path) {
  const arena = arenas.get(path);
  arena.reap();
  const { objects, used, reserved, limbo, free, heap, hosts, members } = arena.stats();
  return { objects, used, reserved, limbo, free, heap, hosts, members: members.length };
}

export const fsck = (volume, path) =>
  fsckArena(volumeOf(volume), path).problems.map(({ message }) => message);

/** Puts and replaces values of many sizes, and reads those of the other host meanwhile: each must hold its own key, whole. */
export async function churn(path, own, other, rounds) {
  const arena = arenas.get(path);
  let seen = 0;
  for (let i = 0; i < rounds; i++) {
    const key = `${own}${i % 16}`;
    arena.put(key, bytes(`${key} `.repeat(1 + ((i * 37) % 400))));
    const value = arena.get(`${other}${(i * 7) % 16}`);
    if (value !== null) {
      const found = text(value.bytes);
      const word = `${other}${(i * 7) % 16} `;
      if (found !== word.repeat(found.length / word.length)) throw new Error(`torn: ${found.slice(0, 60)}`);
      value.release();
      seen++;
    }
    if (i % 8 === 0) await new Promise(setImmediate);
  }
  return seen;
}
