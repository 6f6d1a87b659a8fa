import { text as anyText, checkArguments, size } from './arguments.js';
import { fail } from './errors.js';

const unitBytes: Record<string, number> = {
  '': 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
};

/**
 * Bytes of a size that people write: `4096`, `0x200000`, `2M`, `512MiB`, `1.5GiB` (units are powers of 1024).
 * @param what names the value in the error
 * @throws DaxError EINVAL no size; a fraction of a byte; a negative or unsafe number; decimal units (`2MB`)
 */
export function parseSize(text: number | string, what = 'size'): number {
  checkArguments('parseSize', [text, what], { text: size, what: anyText });
  const bytes = typeof text === 'number' ? text : bytesOf(text.trim(), what);
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    fail('EINVAL', `${what} ${text} is not a whole number of bytes from 0 to 2^53-1`);
  }
  return bytes;
}

function bytesOf(text: string, what: string): number {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text);
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b?)$/i.exec(text);
  if (!match) return fail('EINVAL', `${what} "${text}" is not a size: write 4096, 2M or 1GiB`);
  const [, digits = '', unit = '', suffix = ''] = match;
  if (unit !== '' && suffix.toLowerCase() === 'b') {
    fail(
      'EINVAL',
      `${what} "${text}" is ambiguous: units are powers of 1024, write ${digits}${unit.toUpperCase()}iB`,
    );
  }
  if (unit === '' && suffix.toLowerCase().startsWith('i')) {
    fail('EINVAL', `${what} "${text}" is not a size: write 4096, 2M or 1GiB`);
  }
  return Number(digits) * unitBytes[unit.toLowerCase()]!;
}

/** A size for messages: `2097152` becomes `2 MiB`, in the largest unit that divides it. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value} ${units[unit]}`;
}
