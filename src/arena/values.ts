/** Checks of what is put into an arena. */
import {
  bytes,
  checkArguments,
  either,
  fail,
  flag,
  isBytes,
  number,
  optional,
  shown,
  text,
  options as wantedOptions,
} from '../libc/index.js';
import type { ArenaKey } from './key.js';
import type { ListOptions, PutOptions } from './types.js';
import { ArenaValue } from './value.js';

/** A value up to this length is copied while the writers' lock is held: shorter than taking the lock a second time. */
export const MAX_PUT_UNDER_LOCK = 65_536;

/** @throws DaxError EINVAL */
export function checkedValue(path: string, value: unknown): void {
  if (isBytes(value) && value.length > 0) return;
  fail(
    'EINVAL',
    `a value of ${path} is a Uint8Array of 1 byte or more, not ${shown(value)}: wrap the buffer of other arrays in one`,
    { path },
  );
}

/** @throws DaxError EINVAL */
export function isKeyList(path: string, keys: unknown): void {
  if (!Array.isArray(keys)) fail('EINVAL', `keys of ${path} are an array, not ${shown(keys)}`, { path });
}

/** The time at which an object expires; 0 never. @throws DaxError EINVAL */
export function expiryOf(ttlMs: number | undefined): number {
  if (ttlMs === undefined) return 0;
  if (!Number.isFinite(ttlMs) || ttlMs <= 0 || ttlMs > 2 ** 52)
    fail('EINVAL', `ttlMs is ${shown(ttlMs)}: milliseconds, more than 0`);
  return Date.now() + Math.ceil(ttlMs);
}

const NO_OPTIONS: PutOptions = {};
const putOptions = { options: wantedOptions({ ttlMs: optional(number), ifAbsent: optional(flag) }) };
const listOptions = { options: wantedOptions({ prefix: optional(either(text, bytes)) }) };

/** Checks options, if any are given. @throws DaxError EINVAL */
export function putOptionsIn(given: PutOptions | undefined): PutOptions {
  if (given === undefined) return NO_OPTIONS;
  checkArguments('Arena.put', [given], putOptions);
  return given;
}

/** @throws DaxError EINVAL */
export function listOptionsIn(given: ListOptions): ListOptions {
  checkArguments('Arena.list', [given], listOptions);
  return given;
}

/** @throws DaxError EINVAL */
export function entryList(path: string, entries: unknown): (readonly [ArenaKey, Uint8Array])[] {
  const isIterable = typeof entries === 'object' && entries !== null && Symbol.iterator in entries;
  if (!isIterable)
    fail('EINVAL', `entries for ${path} are pairs of a key and a value, not ${shown(entries)}`, { path });
  const list = [...(entries as Iterable<readonly [ArenaKey, Uint8Array]>)];
  for (const entry of list) {
    if (!Array.isArray(entry))
      fail('EINVAL', `an entry for ${path} is a pair of a key and a value, not ${shown(entry)}`, { path });
    checkedValue(path, entry[1]);
  }
  return list;
}

/** A value that is to be used again. @throws DaxError EINVAL */
export function releasedValue(path: string, value: unknown): void {
  if (!(value instanceof ArenaValue))
    fail('EINVAL', `only a value that ${path} gave can be used again, not ${shown(value)}`, { path });
  value.release();
}
