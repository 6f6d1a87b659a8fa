import { fail } from '../../libc/index.js';

export const NIL_UUID = '00000000-0000-0000-0000-000000000000';

const UUID_TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Converts 16 raw bytes to lower-case text. The bytes are in the order of the text; nothing is byte-swapped. */
export function formatUuid(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function isUuid(text: string): boolean {
  return UUID_TEXT.test(text);
}

/** The 16 bytes of a uuid's text. EINVAL when the text is no uuid. */
export function parseUuid(text: string): Uint8Array {
  if (!isUuid(text)) {
    fail('EINVAL', `'${text}' is not a uuid: want 32 hex digits as 8-4-4-4-12`);
  }
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}
