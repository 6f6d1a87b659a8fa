import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';

/** The part of written text that a store sees: everything up to the first NUL (daxctl writes one at the end). */
export function seenByStore(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

/** Removes one newline at the end. Names and numbers may have that, and nothing more. */
export function withoutNewline(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

const U64_MAX = (1n << 64n) - 1n;

/**
 * Parses a number as the kernel does: optional `+`, base by prefix (0x, 0 = octal, else decimal).
 * Values over 2^53 are larger than any size here. A multiple of 4096 is returned as it is. Any other value becomes 2^53 - 1, which is
 * a multiple of no page size.
 * @throws DaxError EINVAL not a number; ERANGE over 2^64 - 1
 */
export function parseNumber(text: string, base: 'any' | 'hex' = 'any'): number {
  const digits = withoutNewline(text).replace(/^\+/, '');
  const value = base === 'hex' ? hexadecimal(digits) : byPrefix(digits);
  if (value === null) fail('EINVAL', `${JSON.stringify(text)} is not a number`);
  if (value > U64_MAX) fail('ERANGE', `${digits} does not fit into 64 bits`);
  const exact = value <= Number.MAX_SAFE_INTEGER || value % BigInt(PAGE_SIZE) === 0n;
  return exact ? Number(value) : Number.MAX_SAFE_INTEGER;
}

function hexadecimal(digits: string): bigint | null {
  const plain = digits.replace(/^0x/i, '');
  return /^[0-9a-f]+$/i.test(plain) ? BigInt(`0x${plain}`) : null;
}

function byPrefix(digits: string): bigint | null {
  if (/^0x[0-9a-f]+$/i.test(digits)) return BigInt(digits.toLowerCase());
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return /^(0|[1-9][0-9]*)$/.test(digits) ? BigInt(digits) : null;
}

/** Parses a physical address as hard_offline_page and soft_offline_page do. @throws DaxError EINVAL for any fault */
export function parsePhysicalAddress(text: string): number {
  try {
    return parseNumber(text);
  } catch {
    return fail('EINVAL', `${JSON.stringify(text)} is not a physical address`);
  }
}

/** Parses a boolean as the kernel does, by the first letters ("yes", "Off"); null for other text. */
export function parseBoolean(text: string): boolean | null {
  if (/^[yY1tT]/.test(text) || /^[oO][nN]/.test(text)) return true;
  if (/^[nN0fF]/.test(text) || /^[oO][fF]/.test(text)) return false;
  return null;
}

/** Parses `start-end`: both hexadecimal with or without 0x, inclusive. @throws DaxError EINVAL */
export function parseRange(text: string): { start: number; end: number } {
  const parts = withoutNewline(text).split('-');
  if (parts.length !== 2 || parts.some((part) => part === ''))
    fail('EINVAL', `${JSON.stringify(text)} is not a range start-end of hexadecimal numbers`);
  try {
    return { start: parseNumber(parts[0]!, 'hex'), end: parseNumber(parts[1]!, 'hex') };
  } catch {
    return fail('EINVAL', `${JSON.stringify(text)} is not a range start-end of hexadecimal numbers`);
  }
}

const INT_MAX = 2147483647;

/**
 * Parses a device id for new_id and remove_id: `dax<int>.<int>`, spelled as it would be printed.
 * @returns the id
 * @throws DaxError EINVAL any other spelling
 */
export function parseDeviceId(text: string): string {
  const name = withoutNewline(text);
  const parts = /^dax(-?[0-9]+)\.(-?[0-9]+)$/.exec(name);
  const canonical = parts?.slice(1).every((part) => {
    const value = Number(part);
    return value <= INT_MAX && value >= -INT_MAX - 1 && String(value) === part && !Object.is(value, -0);
  });
  if (canonical !== true) fail('EINVAL', `${JSON.stringify(text)} is not a device id like dax0.0`);
  return name;
}
