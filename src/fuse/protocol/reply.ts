import { addressOf, storeU64, writeU64 } from '../../libc/index.js';
import { OutHeader } from './structs.js';

const IOVEC_BYTES = 16;
const MAX_PIECES = 1024; // UIO_MAXIOV: more is EINVAL
/** Smaller pieces are copied: they may lie on the JavaScript heap, which moves them. */
const COPY_BELOW_BYTES = 4096;

/**
 * One reply, ready for writev: the header and encoded bytes in `view`, then pieces of memory, which are not copied.
 * One object serves all replies of a session. Answering a READ with memory allocates nothing.
 */
export class Reply {
  /** The reply's own buffer: header, then body. */
  readonly view: DataView;
  /** `view` as 32-bit words. */
  readonly words: Uint32Array;
  readonly body = OutHeader.bytes;
  readonly bytes: Buffer;
  /** Address of the struct iovec[] for writev. `pieces` of them are in use. */
  readonly iovecAddress: number;
  readonly #iovecs: Uint32Array;
  /** Address of `bytes`. When the reply has one piece, it starts here. */
  readonly address: number;
  #pieceCount = 0;
  #inline = 0;
  #total = 0;
  /** References to arrays whose memory is being sent, so that they are not collected. */
  readonly #held: Uint8Array[] = [];

  constructor(readonly capacity: number) {
    const buffer = new ArrayBuffer(OutHeader.bytes + capacity);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer, 0, Math.floor(buffer.byteLength / 4));
    this.bytes = Buffer.from(buffer);
    this.address = addressOf(buffer);
    const table = new ArrayBuffer(MAX_PIECES * IOVEC_BYTES);
    this.#iovecs = new Uint32Array(table);
    this.iovecAddress = addressOf(table);
  }

  /** The number of iovecs of the reply; 0 when there is no reply to send. */
  get pieces(): number {
    return this.#pieceCount;
  }

  /** Length of the reply in bytes, header included. */
  get length(): number {
    return this.#total;
  }

  /** How many bytes of the reply lie in `bytes`: the header, and the part of the body that was written there. */
  get inlineBytes(): number {
    return this.#inline;
  }

  get error(): number {
    return this.#pieceCount === 0 ? 0 : this.view.getInt32(OutHeader.at.error, true);
  }

  /** Makes it no reply: nothing is sent. */
  clear(): void {
    this.begin();
    this.#pieceCount = 0;
    this.#total = 0;
  }

  /** Starts a reply with an empty body. */
  begin(): void {
    if (this.#held.length > 0) this.#held.length = 0; // setting the length costs time, even when it is 0 already
    this.#pieceCount = 1;
    this.#inline = OutHeader.bytes;
    this.#total = OutHeader.bytes;
  }

  /** Sets the length of the body: the caller has written `length` bytes into `view` at `body`. */
  setBody(length: number): void {
    this.#inline = OutHeader.bytes + length;
    this.#total = this.#inline;
  }

  /** Appends memory without a copy. @returns false when the reply cannot take another piece */
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
    // Reading `buffer` moves a small array off the JavaScript heap, where its address would not be stable.
    this.#held.push(bytes);
    return this.addMemory(addressOf(bytes.buffer as ArrayBuffer) + bytes.byteOffset, bytes.byteLength);
  }

  fits(more: number): boolean {
    return this.#inline + more <= this.bytes.length;
  }

  /** Fills in the header. The request's `unique` is given as two words. `error` is 0 or a negative errno. */
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
