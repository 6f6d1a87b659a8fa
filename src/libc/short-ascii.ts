/** Text of up to so many characters is put together without a detour. */
export const SHORT_BYTES = 12;

/** A short text from its bytes; null when it has other characters than those of ASCII. A call into Node takes five times as long. */
export function shortAscii(bytes: Uint8Array, start: number, end: number): string | null {
  let text = '';
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte > 127) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}
