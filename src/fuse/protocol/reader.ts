import { fail, readU64, SHORT_BYTES, shortAscii } from '../../libc/index.js';
import type { Struct } from './struct.js';
import { InHeader } from './structs.js';

/**
 * Reads one request from front to back. It never reads beyond the message: short data, a name without its end, or a length that
 * contradicts the header is EINVAL.
 */
export class MessageReader {
  readonly view: DataView;
  readonly #bytes: Buffer;
  readonly #capacity: number;
  #position = 0;
  #end = 0;

  constructor(buffer: ArrayBuffer) {
    this.view = new DataView(buffer);
    this.#bytes = Buffer.from(buffer);
    this.#capacity = buffer.byteLength;
  }

  /**
   * Starts with the message in the first `length` bytes of the buffer. The position is then behind its header.
   * @throws DaxError EINVAL the header is short or states another length
   */
  start(length: number): void {
    this.#position = InHeader.bytes;
    this.#end = length;
    if (length < InHeader.bytes || length > this.#capacity) this.#short('a header', InHeader.bytes);
    if (this.view.getUint32(InHeader.at.length, true) !== length) {
      fail('EINVAL', `a FUSE request of ${length} bytes says it has ${this.view.getUint32(0, true)}`);
    }
    // Extensions lie at the very end and are no part of any tail. They are not negotiated, so normally there are none.
    this.#end -= this.view.getUint16(InHeader.at.extensionUnits, true) * 8;
    if (this.#end < this.#position) this.#short('extensions', 0);
  }

  get remaining(): number {
    return this.#end - this.#position;
  }

  /**
   * Takes the struct that comes next, and returns its byte in the view. Older kernels may send only its first `leastBytes`; the
   * rest then reads as zeroes.
   */
  take(struct: Struct, leastBytes = struct.bytes): number {
    const at = this.#position;
    const present = this.#end - at;
    if (present < leastBytes) this.#short(struct.name, leastBytes);
    if (present < struct.bytes) this.#bytes.fill(0, this.#end, at + struct.bytes);
    this.#position = Math.min(this.#end, at + struct.bytes);
    return at;
  }

  u32(at: number): number {
    return this.view.getUint32(at, true);
  }

  /** A 64-bit field; NaN when it is no safe integer. */
  u64(at: number): number {
    return readU64(this.view, at);
  }

  /**
   * Takes the name that comes next. Names of file systems here are UTF-8.
   * @throws DaxError `ifMalformed` the name is not UTF-8; EINVAL it has no end
   */
  name(ifMalformed: 'ENOENT' | 'EILSEQ' = 'ENOENT'): string {
    const bytes = this.#bytes;
    const end = this.#end;
    const start = this.#position;
    let zero = start;
    let all = 0;
    for (; zero < end && bytes[zero] !== 0; zero += 1) all |= bytes[zero]!;
    if (zero >= end) this.#short('a name with its end', 1);
    this.#position = zero + 1;
    // ASCII: nothing to check
    if (all < 0x80 && zero - start <= SHORT_BYTES) return shortAscii(bytes, start, zero)!;
    if (all < 0x80) return bytes.toString('latin1', start, zero);
    const text = bytes.toString('utf8', start, zero);
    if (text.includes('\ufffd') && !bytes.subarray(start, zero).equals(Buffer.from(text))) {
      fail(ifMalformed, `the name ${JSON.stringify(text)} is not UTF-8: names here are`);
    }
    return text;
  }

  /** Takes the next `length` bytes, as a view of the request's buffer. EINVAL when there are fewer. */
  takeBytes(length: number): Uint8Array {
    if (this.remaining < length) this.#short('data', length);
    const data = this.#bytes.subarray(this.#position, this.#position + length);
    this.#position += length;
    return data;
  }

  #short(what: string, needed: number): never {
    fail(
      'EINVAL',
      `a FUSE request is too short for ${what}: ${this.#end - this.#position} bytes of ${needed}`,
    );
  }
}
