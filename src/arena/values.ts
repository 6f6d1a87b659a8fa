/** Checks of what is put into an arena. */
import { fail, isBytes, shown } from '../libc/index.js';

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
