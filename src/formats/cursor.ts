import { viewOf } from '../archives/index.js';
import { readU64 } from '../libc/index.js';
import { type ByteSource, damaged } from './source.js';

export { viewOf };

const FIRST_WINDOW_BYTES = 2 ** 20;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a header number by number (little-endian). Every step is checked against the end of the source, so that no count in a
 * header is believed further than there are bytes.
 */
export class Cursor {
  /** Where the next number is. */
  at = 0;
  readonly #source: ByteSource;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#bytes = source.view(0, Math.min(source.size, FIRST_WINDOW_BYTES));
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes to the end. */
  get left(): number {
    return this.#source.size - this.at;
  }

  u8(what: string): number {
    const at = this.#take(1, what);
    return this.#view.getUint8(at);
  }

  u16(what: string): number {
    const at = this.#take(2, what);
    return this.#view.getUint16(at, true);
  }

  u32(what: string): number {
    const at = this.#take(4, what);
    return this.#view.getUint32(at, true);
  }

  /** @throws DaxError EBADMSG beyond the end, or beyond 2^53 */
  u64(what: string): number {
    const at = this.#take(8, what);
    const value = readU64(this.#view, at);
    if (Number.isNaN(value)) damaged(this.#source, at, `${what} is ${this.#view.getBigUint64(at, true)}`);
    return value;
  }

  /** Steps over a text with its length before it. @returns where the text is */
  skipText(what: string): { at: number; length: number } {
    const length = this.u64(`the length of ${what}`);
    return { at: this.skip(length, what), length };
  }

  text(what: string): string {
    const { at, length } = this.skipText(what);
    this.#see(at + length);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + length));
    } catch {
      return damaged(this.#source, at, `${what} is no UTF-8, or too long a text`);
    }
  }

  /** Steps over bytes without a look at them. @returns where they start @throws DaxError EBADMSG beyond the end */
  skip(length: number, what: string): number {
    const { at } = this;
    const end = at + length;
    if (end > this.#source.size) {
      damaged(this.#source, at, `${what} of ${length} bytes ends beyond the file's ${this.#source.size}`);
    }
    this.at = end;
    return at;
  }

  /** Reads so many bytes at a place that was stepped over, as a number of another kind. */
  numberAt(
    at: number,
    bytes: number,
    read: (view: DataView, at: number) => number | bigint | boolean,
  ): number | bigint | boolean {
    this.#see(at + bytes);
    return read(this.#view, at);
  }

  #take(length: number, what: string): number {
    const at = this.skip(length, what);
    this.#see(at + length);
    return at;
  }

  /** Makes the window reach so far. */
  #see(end: number): void {
    if (end <= this.#bytes.byteLength) return;
    const length = Math.min(this.#source.size, Math.max(end, 2 * this.#bytes.byteLength));
    this.#bytes = this.#source.view(0, length);
    this.#view = viewOf(this.#bytes);
  }
}
