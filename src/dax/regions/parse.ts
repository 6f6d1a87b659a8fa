import { fail } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';

/** What a store sees of the bytes written: everything up to the first NUL (daxctl writes one at the end). */
export function seenByStore(text: string): string {
  const nul = text.indexOf('\0');
  return nul < 0 ? text : text.slice(0, nul);
}

/** Names and numbers tolerate one newline at the end, nothing else. */
export function withoutNewline(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

const U64_MAX = (1n << 64n) - 1n;

/**
 * A number as the kernel reads one: optional `+`, base by prefix (0x, 0 = octal, decimal).
 * Values over 2^53 are larger than anything here: whole pages come back as they are, others as the largest odd number,
 * so that they are a multiple of nothing.
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

/** A physical address, as hard_offline_page and soft_offline_page read one: whatever is wrong with it is EINVAL. */
export function parsePhysicalAddress(text: string): number {
  try {
    return parseNumber(text);
  } catch {
    return fail('EINVAL', `${JSON.stringify(text)} is not a physical address`);
  }
}

/** A boolean as the kernel reads one (first letters count: "yes", "Off"); null for junk. */
export function parseBoolean(text: string): boolean | null {
  if (/^[yY1tT]/.test(text) || /^[oO][nN]/.test(text)) return true;
  if (/^[nN0fF]/.test(text) || /^[oO][fF]/.test(text)) return false;
  return null;
}

/** `start-end`, both hexadecimal with or without 0x, inclusive. EINVAL. */
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
 * A device id for new_id and remove_id: `dax<int>.<int>` spelled as it would be printed.
 * @returns the id; throws EINVAL for any other spelling
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
