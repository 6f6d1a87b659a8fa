import { fail, isBytes } from '../../libc/index.js';

/** Checks that a message is a Uint8Array of at most `most` bytes. @throws DaxError EINVAL */
export function checkMessage(path: string, message: unknown, most: number): void {
  if (!isBytes(message)) {
    fail(
      'EINVAL',
      `a message of ${path} is a Uint8Array: encode text, and wrap the buffer of other arrays in one`,
      { path },
    );
  }
  if (message.length > most) {
    fail('EINVAL', `a message of ${message.length} bytes does not fit: ${path} holds ${most}`, { path });
  }
}
