import { DaxError } from '../../libc/index.js';
import { parseSize } from '../../machine/index.js';
import { UsageError } from '../errors.js';

/**
 * Reads a size of the command line (`4096`, `2M`, `1GiB`, `0x200000`) as bytes. `what` is the argument as the usage
 * shows it (`-s SIZE`).
 * @throws UsageError naming the argument
 */
export function sizeArgument(text: string, what: string): number {
  try {
    return parseSize(text, what);
  } catch (error) {
    if (error instanceof DaxError && error.code === 'EINVAL') throw new UsageError(error.message);
    throw error;
  }
}

/** Like sizeArgument, for sizes that cannot be 0. */
export function positiveSizeArgument(text: string, what: string): number {
  const bytes = sizeArgument(text, what);
  if (bytes === 0) throw new UsageError(`${what} is 0: it must be at least 1 byte`);
  return bytes;
}
