import { UsageError } from '../errors.js';

/** Reads a whole number in a range (decimal or 0x). @throws UsageError naming the argument */
export function integerArgument(
  text: string,
  what: string,
  least = 0,
  most = Number.MAX_SAFE_INTEGER,
): number {
  const value = /^(\d+|0x[0-9a-f]+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    throw new UsageError(`${what} "${text}" is not a whole number of ${range}`);
  }
  return value;
}

/** Reads permission bits in octal: `644`, `0755`, `0o1777`. @throws UsageError */
export function modeArgument(text: string, what = '-m MODE'): number {
  const digits = /^(?:0o)?([0-7]{1,5})$/.exec(text)?.[1];
  const mode = digits === undefined ? Number.NaN : Number.parseInt(digits, 8);
  if (!(mode <= 0o7777))
    throw new UsageError(`${what} "${text}" is not a mode: octal permission bits, 0644 or 755`);
  return mode;
}

/** Reads a user or group number. @throws UsageError */
export function idArgument(text: string, what: string): number {
  return integerArgument(text, what, 0, 0xffff_ffff);
}

/** Reads a pattern seed: 32 bits, not 0, which means "none" to famfs. @throws UsageError */
export function seedArgument(text: string, what = '-S SEED'): number {
  return integerArgument(text, what, 1, 0xffff_ffff);
}
