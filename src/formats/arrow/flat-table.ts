import { readU64 } from '../../libc/index.js';
import { viewOf } from '../cursor.js';
import { type ByteSource, damaged } from '../source.js';

/** A list of structs or offsets within the metadata. */
export interface FlatList {
  /** Where the first element is, from the start of the metadata. */
  readonly at: number;
  readonly length: number;
}

/** The metadata of one message (FlatBuffers), and how much of it was looked at. */
export class FlatMetadata {
  readonly view: DataView;
  readonly #source: ByteSource;
  readonly #start: number;
  readonly #bytes: Uint8Array;
  #tablesLeft: number;

  constructor(source: ByteSource, start: number, length: number) {
    this.#source = source;
    this.#start = start;
    this.#bytes = source.view(start, length);
    this.view = viewOf(this.#bytes);
    // Many offsets may lead to one table, and so on downwards: a small file would be a huge tree.
    this.#tablesLeft = 16 + length / 8;
  }

  root(): FlatTable {
    this.need(0, 4, 'the root');
    return this.table(this.view.getUint32(0, true), 'the root');
  }

  table(at: number, what: string): FlatTable {
    if (--this.#tablesLeft < 0) this.wrong(at, 'its tables share their parts');
    return new FlatTable(this, at, what);
  }

  /** @throws DaxError EBADMSG the bytes are not there */
  need(at: number, length: number, what: string): void {
    if (at < 0 || at + length > this.view.byteLength) {
      this.wrong(Math.max(0, at), `${what} lies outside the metadata of ${this.view.byteLength} bytes`);
    }
  }

  text(at: number, length: number): string {
    return Buffer.from(this.#bytes.subarray(at, at + length)).toString();
  }

  wrong(at: number, reason: string): never {
    return damaged(this.#source, this.#start + at, `metadata: ${reason}`);
  }
}

/** One table. Fields have slots by number; an absent field has its default. Every step is checked: the file may lie. */
export class FlatTable {
  readonly #metadata: FlatMetadata;
  readonly #at: number;
  readonly #what: string;
  readonly #slots: number;
  readonly #slotBytes: number;

  constructor(metadata: FlatMetadata, at: number, what: string) {
    const { view } = metadata;
    metadata.need(at, 4, what);
    const slots = at - view.getInt32(at, true);
    metadata.need(slots, 4, `the field list of ${what}`);
    const slotBytes = view.getUint16(slots, true);
    metadata.need(slots, Math.max(4, slotBytes), `the field list of ${what}`);
    this.#metadata = metadata;
    this.#at = at;
    this.#what = what;
    this.#slots = slots;
    this.#slotBytes = slotBytes;
  }

  u8(slot: number, otherwise = 0): number {
    const at = this.#field(slot, 1);
    return at === 0 ? otherwise : this.#metadata.view.getUint8(at);
  }

  i16(slot: number, otherwise = 0): number {
    const at = this.#field(slot, 2);
    return at === 0 ? otherwise : this.#metadata.view.getInt16(at, true);
  }

  i32(slot: number, otherwise = 0): number {
    const at = this.#field(slot, 4);
    return at === 0 ? otherwise : this.#metadata.view.getInt32(at, true);
  }

  /** A length or offset: negative ones are as wrong as those beyond 2^53. */
  u64(slot: number, name: string): number {
    const at = this.#field(slot, 8);
    return at === 0 ? 0 : u64At(this.#metadata, at, `${name} of ${this.#what}`);
  }

  /** A name for something, any 64 bits. */
  id(slot: number): bigint {
    const at = this.#field(slot, 8);
    return at === 0 ? 0n : this.#metadata.view.getBigInt64(at, true);
  }

  table(slot: number, what: string): FlatTable | undefined {
    const at = this.#field(slot, 4);
    return at === 0 ? undefined : this.#metadata.table(at + this.#metadata.view.getUint32(at, true), what);
  }

  text(slot: number): string | undefined {
    const list = this.#list(slot, 1);
    return list && this.#metadata.text(list.at, list.length);
  }

  list(slot: number, elementBytes: number): FlatList {
    return this.#list(slot, elementBytes) ?? { at: 0, length: 0 };
  }

  tables(slot: number, what: string): FlatTable[] {
    const { at, length } = this.list(slot, 4);
    const { view } = this.#metadata;
    const found: FlatTable[] = [];
    for (let place = at; place < at + length * 4; place += 4) {
      found.push(this.#metadata.table(place + view.getUint32(place, true), what));
    }
    return found;
  }

  wrong(reason: string): never {
    return this.#metadata.wrong(this.#at, `${this.#what}: ${reason}`);
  }

  get metadata(): FlatMetadata {
    return this.#metadata;
  }

  #list(slot: number, elementBytes: number): FlatList | undefined {
    const field = this.#field(slot, 4);
    if (field === 0) return undefined;
    const { view } = this.#metadata;
    const at = field + view.getUint32(field, true);
    this.#metadata.need(at, 4, `a list of ${this.#what}`);
    const length = view.getUint32(at, true);
    this.#metadata.need(at + 4, length * elementBytes, `a list of ${this.#what} with ${length} elements`);
    return { at: at + 4, length };
  }

  /** Where a field's bytes are; 0 when it is absent. */
  #field(slot: number, bytes: number): number {
    const place = 4 + 2 * slot;
    if (place + 2 > this.#slotBytes) return 0;
    const offset = this.#metadata.view.getUint16(this.#slots + place, true);
    if (offset === 0) return 0;
    this.#metadata.need(this.#at + offset, bytes, `a field of ${this.#what}`);
    return this.#at + offset;
  }
}

export function u64At(metadata: FlatMetadata, at: number, what: string): number {
  const value = readU64(metadata.view, at);
  if (!Number.isNaN(value)) return value;
  return metadata.wrong(at, `${what} is ${metadata.view.getBigInt64(at, true)}`);
}
