/**
 * Reads a Range header (RFC 9110, 14): one range of bytes.
 * @returns {null | 'none of it' | { start: number, end: number }} null: the whole file is wanted, also where the header has another
 *   form or several ranges, which a server may ignore; `end` is behind the last byte
 */
export function readRange(header, size) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'none of it' : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  if (start >= size) return 'none of it';
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) };
}
