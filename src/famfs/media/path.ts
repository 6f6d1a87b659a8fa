/**
 * Converts names between bytes on media and strings. Bytes that are not UTF-8 become lone surrogates
 * U+DC80..U+DCFF, and back. So every file has a string that names it.
 */
import { fail, SHORT_BYTES, shortAscii } from '../../libc/index.js';
import { FAMFS_PATH_FIELD } from './layout.js';

const ESCAPED_BYTE = /[\udc80-\udcff]/;
/** A lone surrogate that is not one of the escapes. It has no UTF-8 form, so it would become another name on media. */
const HALF_CHARACTER = /[\ud800-\udc7f\udd00-\udfff]/u;
const NOT_UTF8 = '\ufffd';
const SLASH = 0x2f;
const DOT = 0x2e;

/** Converts the bytes of a name or path to text. */
export function decodeName(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const short = end - start <= SHORT_BYTES ? shortAscii(bytes, start, end) : null;
  return short ?? decodeUtf8(bytes.subarray(start, end));
}

function decodeUtf8(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = buffer.toString('utf8');
  if (!text.includes(NOT_UTF8) || Buffer.from(text, 'utf8').equals(buffer)) return text;
  return decodeEscaped(buffer);
}

/** Keeps valid sequences, and escapes each byte that starts no valid sequence. */
function decodeEscaped(buffer: Buffer): string {
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    if (length === 0) text += String.fromCharCode(0xdc00 + buffer[at]!);
    else text += buffer.toString('utf8', at, at + length);
    at += length || 1;
  }
  return text;
}

function sequenceLength(buffer: Buffer, at: number): number {
  const first = buffer[at]!;
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const sequence = buffer.subarray(at, at + length);
  const roundTrip = Buffer.from(sequence.toString('utf8'), 'utf8');
  return roundTrip.equals(sequence) ? length : 0;
}

/** Converts the text of a name or path to the bytes on media. */
export function encodeName(text: string): Uint8Array {
  if (!ESCAPED_BYTE.test(text)) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const character of text) {
    const code = character.charCodeAt(0);
    const isEscaped = character.length === 1 && code >= 0xdc80 && code <= 0xdcff;
    parts.push(isEscaped ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** Bytes of a name, without making them. */
export function encodedLength(text: string): number {
  if (isAscii(text)) return text.length;
  return ESCAPED_BYTE.test(text) ? encodeName(text).length : Buffer.byteLength(text);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

const LONGEST_QUICK_NAME = 256;
const MOST_NAME_BYTES = 255;
const MOST_PATH_BYTES = 4095;

/** {@link encodeName} for lookups. Short ASCII names, which most names are, go into one reused buffer. */
export class NameEncoder {
  /** The first `length` of these bytes are the last encoded name. */
  bytes: Uint8Array;
  length = 0;
  readonly #quick = new Uint8Array(LONGEST_QUICK_NAME);

  constructor() {
    this.bytes = this.#quick;
  }

  encode(text: string): void {
    const { length } = text;
    const quick = this.#quick;
    this.bytes = quick;
    this.length = length;
    let codes = 0;
    for (let i = 0; i < length && i < LONGEST_QUICK_NAME; i++) {
      const code = text.charCodeAt(i);
      codes |= code;
      quick[i] = code;
    }
    if (length > LONGEST_QUICK_NAME || codes >= 0x80) this.#encodeAnew(text);
  }

  #encodeAnew(text: string): void {
    this.bytes = encodeName(text);
    this.length = this.bytes.length;
  }
}

/**
 * As toTreePath(), for a path that is to be logged.
 * @throws DaxError as toTreePath(); ENAMETOOLONG it does not fit the 79 bytes of a log entry
 */
export function toLogPath(path: string): string {
  const logPath = toTreePath(path);
  checkLogPathLength(logPath, encodeName(logPath).length);
  return logPath;
}

/**
 * Converts a path that a caller gives to its form in a tree, relative to the root. `/a//b/` becomes `a/b`; the root becomes ''.
 * @throws DaxError EINVAL the path holds a NUL, `.` or `..`, or half a surrogate pair, or is no string; ENAMETOOLONG a name in it
 * has more than 255 bytes, or all of it more than 4095
 */
export function toTreePath(path: string): string {
  if (typeof path !== 'string') fail('EINVAL', `a path is text, not ${typeof path}`);
  if (isPlain(path)) return path.charCodeAt(0) === SLASH ? path.slice(1) : path;
  if (path.includes('\0')) fail('EINVAL', 'a path cannot hold a NUL character', { path });
  if (HALF_CHARACTER.test(path)) {
    fail('EINVAL', `'${path}' has half a surrogate pair: that is no character`, { path });
  }
  const components = path.split('/').filter((component) => component !== '');
  for (const component of components) {
    if (component === '.' || component === '..') {
      fail('EINVAL', `'${path}' has a '${component}' component: give the plain path from the volume's root`, {
        path,
      });
    }
  }
  checkLengths(path, components);
  return components.join('/');
}

function checkLengths(path: string, components: readonly string[]): void {
  if (path.length <= MOST_NAME_BYTES / 3) return; // no character takes more than three bytes a unit
  let total = -1;
  for (const component of components) {
    const { length } = encodeName(component);
    total += length + 1;
    if (length > MOST_NAME_BYTES)
      fail('ENAMETOOLONG', `'${component}' is ${length} bytes long, a name has at most ${MOST_NAME_BYTES}`, {
        path,
      });
  }
  if (total > MOST_PATH_BYTES)
    fail('ENAMETOOLONG', `a path of ${total} bytes is too long, it has at most ${MOST_PATH_BYTES}`, { path });
}

/** Tells whether a path is short ASCII that needs no change and breaks no rule. Most paths are. */
function isPlain(path: string): boolean {
  const { length } = path;
  if (length >= FAMFS_PATH_FIELD) return false;
  let before = SLASH;
  for (let i = path.charCodeAt(0) === SLASH ? 1 : 0; i < length; i++) {
    const code = path.charCodeAt(i);
    if (code === 0 || code >= 0x80) return false;
    if (before === SLASH && (code === SLASH || code === DOT)) return false;
    before = code;
  }
  return before !== SLASH;
}

/** ENAMETOOLONG when a path does not fit a log entry: 79 bytes and a NUL. C cuts such a path silently. */
export function checkLogPathLength(path: string, lengthBytes: number): void {
  if (lengthBytes >= FAMFS_PATH_FIELD) {
    fail(
      'ENAMETOOLONG',
      `'${path}' is ${lengthBytes} bytes long, a famfs path from the root holds at most ${FAMFS_PATH_FIELD - 1}`,
      { path },
    );
  }
}
