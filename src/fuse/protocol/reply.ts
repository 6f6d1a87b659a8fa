import { addressOf, storeU64, writeU64 } from '../../libc/index.js';
import { OutHeader } from './structs.js';

const IOVEC_BYTES = 16;
const MAX_PIECES = 1024; // UIO_MAXIOV: more is EINVAL
/** Smaller pieces are copied: they may lie on the JavaScript heap, where they move. */
const COPY_BELOW_BYTES = 4096;

/**
 * One reply, ready for writev: the header and what we encode in `view`, then pieces of memory where they lie.
 * One object serves all replies of a session; nothing is allocated on the way of a READ.
 */
export class Reply {
  /** Header, then body. */
  readonly view: DataView;
  readonly body = OutHeader.bytes;
  readonly bytes: Buffer;
  /** struct iovec[], for writev; `pieces` of them are in use. */
  readonly iovecAddress: number;
  readonly #iovecs: Uint32Array;
  /** Of `bytes`: when the reply is one piece, that piece. */
  readonly address: number;
  #pieceCount = 0;
  #inline = 0;
  #total = 0;
  /** Keeps what is being sent from being collected. */
  readonly #held: Uint8Array[] = [];

  constructor(readonly capacity: number) {
    const buffer = new ArrayBuffer(OutHeader.bytes + capacity);
    this.view = new DataView(buffer);
    this.bytes = Buffer.from(buffer);
    this.address = addressOf(buffer);
    const table = new ArrayBuffer(MAX_PIECES * IOVEC_BYTES);
    this.#iovecs = new Uint32Array(table);
    this.iovecAddress = addressOf(table);
  }

  /** How many iovecs the reply is; 0: there is none to send. */
  get pieces(): number {
    return this.#pieceCount;
  }

  /** All bytes, header included. */
  get length(): number {
    return this.#total;
  }

  /** Bytes of the reply that lie in `bytes`: header, and the body as far as it was written there. */
  get inlineBytes(): number {
    return this.#inline;
  }

  get error(): number {
    return this.#pieceCount === 0 ? 0 : this.view.getInt32(OutHeader.at.error, true);
  }

  /** No reply. */
  clear(): void {
    this.begin();
    this.#pieceCount = 0;
    this.#total = 0;
  }

  /** Starts an answer whose body is empty so far. */
  begin(): void {
    if (this.#held.length > 0) this.#held.length = 0; // setting it costs, even where it stays 0
    this.#pieceCount = 1;
    this.#inline = OutHeader.bytes;
    this.#total = OutHeader.bytes;
  }

  /** The body's first `length` bytes were written into `view` at `body`. */
  setBody(length: number): void {
    this.#inline = OutHeader.bytes + length;
    this.#total = this.#inline;
  }

  /** Appends memory as it lies. @returns false when there is no room for another piece */
  addMemory(address: number, length: number): boolean {
    if (this.#pieceCount >= MAX_PIECES) return false;
    this.#setIovec(this.#pieceCount, address, length);
    this.#pieceCount += 1;
    this.#total += length;
    return true;
  }

  addBytes(bytes: Uint8Array): boolean {
    if (bytes.byteLength === 0) return true;
    if (this.#pieceCount === 1 && bytes.byteLength < COPY_BELOW_BYTES && this.fits(bytes.byteLength)) {
      this.bytes.set(bytes, this.#inline);
      this.setBody(this.#inline - OutHeader.bytes + bytes.byteLength);
      return true;
    }
    // Asking for `buffer` moves a small array off the JavaScript heap, where its address would not last.
    this.#held.push(bytes);
    return this.addMemory(addressOf(bytes.buffer as ArrayBuffer) + bytes.byteOffset, bytes.byteLength);
  }

  fits(more: number): boolean {
    return this.#inline + more <= this.bytes.length;
  }

  /** Fills in the header: the request's `unique` comes as its two words. `error` is 0 or a negative errno. */
  finish(uniqueLow: number, uniqueHigh: number, error: number): void {
    if (error !== 0) this.begin();
    const { view } = this;
    view.setUint32(OutHeader.at.length, this.#total, true);
    view.setInt32(OutHeader.at.error, error, true);
    view.setUint32(OutHeader.at.unique, uniqueLow, true);
    view.setUint32(OutHeader.at.unique + 4, uniqueHigh, true);
    this.#setIovec(0, this.address, this.#inline);
  }

  u32(offset: number, value: number): void {
    this.view.setUint32(OutHeader.bytes + offset, value, true);
  }

  u64(offset: number, value: number): void {
    writeU64(this.view, OutHeader.bytes + offset, value);
  }

  #setIovec(index: number, address: number, length: number): void {
    const iovecs = this.#iovecs;
    storeU64(iovecs, index * 4, address);
    storeU64(iovecs, index * 4 + 2, length);
  }
}
