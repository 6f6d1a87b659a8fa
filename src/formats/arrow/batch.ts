/** Record batches: the buffers of the columns, in the order that the schema gives. */
import { type Block, blockOf, bytesOfElements, type DType, elementsIn } from '../dtype.js';
import { type ByteSource, damaged, shownName, unsupported } from '../source.js';
import { type AnyTensor, Tensor } from '../tensor.js';
import { type FlatList, type FlatMetadata, type FlatTable, u64At } from './flat-table.js';
import type { ArrowField, ArrowType } from './schema.js';
import { ArrowVector } from './vector.js';

const STRUCT_BYTES = 16;
const CODECS = ['LZ4', 'ZSTD'];

export type Dictionaries = ReadonlyMap<bigint, readonly ArrowVector[]>;

/** Where the bytes of a message lie. */
export interface Body {
  readonly source: ByteSource;
  readonly start: number;
  readonly length: number;
  readonly allowCopy: boolean;
  /** Metadata of version 4: unions have a validity. */
  readonly isVersion4: boolean;
}

export interface BatchColumns {
  readonly rows: number;
  readonly columns: readonly ArrowVector[];
}

export function batchOf(
  table: FlatTable,
  fields: readonly ArrowField[],
  body: Body,
  dictionaries: Dictionaries,
): BatchColumns {
  const compression = table.table(3, 'the compression');
  if (compression) {
    const codec = CODECS[compression.u8(0)] ?? `codec ${compression.u8(0)}`;
    unsupported(
      body.source,
      `its buffers are compressed (${codec})`,
      'write it without compression, since no view can show them',
    );
  }
  const rows = table.u64(0, 'the length');
  const reader = new BatchReader(table, body, dictionaries);
  const columns = fields.map((field) => reader.column(field));
  for (const { field, length } of columns) {
    if (length !== rows) table.wrong(`the column ${shownName(field.name)} has ${length} of ${rows} rows`);
  }
  reader.end();
  return { rows, columns };
}

class BatchReader {
  readonly #table: FlatTable;
  readonly #metadata: FlatMetadata;
  readonly #body: Body;
  readonly #dictionaries: Dictionaries;
  readonly #nodes: FlatList;
  readonly #buffers: FlatList;
  readonly #variadic: FlatList;
  #node = 0;
  #buffer = 0;
  #view = 0;

  constructor(table: FlatTable, body: Body, dictionaries: Dictionaries) {
    this.#table = table;
    this.#metadata = table.metadata;
    this.#body = body;
    this.#dictionaries = dictionaries;
    this.#nodes = table.list(1, STRUCT_BYTES);
    this.#buffers = table.list(2, STRUCT_BYTES);
    this.#variadic = table.list(4, 8);
  }

  end(): void {
    if (this.#node < this.#nodes.length || this.#buffer < this.#buffers.length) {
      this.#table.wrong('it has more columns or buffers than the schema');
    }
  }

  column(field: ArrowField): ArrowVector {
    if (this.#node >= this.#nodes.length) this.#table.wrong('it has fewer columns than the schema');
    const at = this.#nodes.at + STRUCT_BYTES * this.#node++;
    const length = u64At(this.#metadata, at, 'the length of a column');
    const nullCount = u64At(this.#metadata, at + 8, 'the number of nulls');
    const rows = { field, length, nullCount };
    if (field.dictionary) {
      const dictionary = this.#dictionaries.get(field.dictionary.id);
      if (!dictionary) return this.#table.wrong(`its dictionary ${field.dictionary.id} comes later or never`);
      const validity = this.#validity(length, nullCount);
      const values = this.#fixed(field.dictionary.index, length);
      return new ArrowVector({ ...rows, ...validity, values, children: [], dictionary });
    }
    const parts = this.#partsOf(field, length, nullCount);
    const children = field.children.map((child) => this.column(child));
    return new ArrowVector({ ...rows, ...parts, children });
  }

  #partsOf({ type }: ArrowField, length: number, nullCount: number) {
    const { shape } = type;
    switch (shape.kind) {
      case 'null':
      case 'run_end_encoded':
        return {};
      case 'sparse_union':
        if (this.#body.isVersion4) this.#nextBuffer();
        return { typeIds: this.#take('i8', type.name, [length]) as Tensor<'i8'> };
      case 'dense_union':
        if (this.#body.isVersion4) this.#nextBuffer();
        return {
          typeIds: this.#take('i8', type.name, [length]) as Tensor<'i8'>,
          offsets: this.#take('i32', type.name, [length]) as Tensor<'i32'>,
        };
      default:
    }
    const validity = this.#validity(length, nullCount);
    switch (shape.kind) {
      case 'fixed':
        return { ...validity, values: this.#fixed(type, length) };
      case 'binary':
        return { ...validity, offsets: this.#offsets(type, shape.offsets, length), values: this.#rest(type) };
      case 'list':
        return { ...validity, offsets: this.#offsets(type, shape.offsets, length) };
      case 'list_view':
        return {
          ...validity,
          offsets: this.#take(shape.offsets, type.name, [length]) as Tensor<'i32'>,
          sizes: this.#take(shape.offsets, type.name, [length]) as Tensor<'i32'>,
        };
      case 'view':
        return { ...validity, values: this.#take('u8', type.name, [length, 16]), extra: this.#extra(type) };
      default:
        return validity;
    }
  }

  #validity(length: number, nullCount: number): { validity?: Tensor<'bit'> } {
    const { byteOffset, byteLength } = this.#nextBuffer();
    if (byteLength === 0) {
      if (nullCount > 0) this.#table.wrong(`a column with ${nullCount} nulls does not say which`);
      return {};
    }
    const tensor = this.#tensor('bit', 'validity', [length], byteOffset, byteLength);
    return { validity: tensor as Tensor<'bit'> };
  }

  #fixed({ name, shape }: ArrowType, length: number): AnyTensor {
    if (shape.kind !== 'fixed') return this.#table.wrong(`${name} is no type of indices`);
    const { dtype, per, block } = shape;
    return this.#take(dtype, name, per === undefined ? [length] : [length, per], block);
  }

  /** One more than there are rows; none at all for an empty column. */
  #offsets({ name }: ArrowType, dtype: 'i32' | 'i64', length: number): Tensor<'i32'> {
    const { byteOffset, byteLength } = this.#nextBuffer();
    const count = length === 0 && byteLength === 0 ? 0 : length + 1;
    return this.#tensor(dtype, name, [count], byteOffset, byteLength) as Tensor<'i32'>;
  }

  /** All bytes of a buffer. */
  #rest({ name }: ArrowType): AnyTensor {
    const { byteOffset, byteLength } = this.#nextBuffer();
    return this.#tensor('u8', name, [byteLength], byteOffset, byteLength);
  }

  #extra(type: ArrowType): Tensor<'u8'>[] {
    if (this.#view >= this.#variadic.length)
      this.#table.wrong('a column of views does not count its buffers');
    const count = u64At(this.#metadata, this.#variadic.at + 8 * this.#view++, 'the number of buffers');
    const found: Tensor<'u8'>[] = [];
    for (let left = count; left > 0; left--) found.push(this.#rest(type) as Tensor<'u8'>);
    return found;
  }

  #take(dtype: DType, type: string, shape: readonly number[], block?: Block): AnyTensor {
    const { byteOffset, byteLength } = this.#nextBuffer();
    return this.#tensor(dtype, type, shape, byteOffset, byteLength, block);
  }

  #nextBuffer(): { byteOffset: number; byteLength: number } {
    if (this.#buffer >= this.#buffers.length) this.#table.wrong('it has fewer buffers than the schema needs');
    const at = this.#buffers.at + STRUCT_BYTES * this.#buffer++;
    const offset = u64At(this.#metadata, at, 'the offset of a buffer');
    const byteLength = u64At(this.#metadata, at + 8, 'the length of a buffer');
    if (offset + byteLength > this.#body.length) {
      this.#metadata.wrong(
        at,
        `a buffer of ${byteLength} bytes at ${offset} ends beyond its message of ${this.#body.length}`,
      );
    }
    return { byteOffset: this.#body.start + offset, byteLength };
  }

  /** A tensor over the start of a buffer, which may be longer (padding). */
  #tensor(
    dtype: DType,
    type: string,
    shape: readonly number[],
    byteOffset: number,
    given: number,
    block = blockOf(dtype),
  ): AnyTensor {
    const elements = elementsIn(shape);
    const byteLength = bytesOfElements(Math.ceil(elements / block.elements) * block.elements, block);
    const { source, allowCopy } = this.#body;
    if (!(byteLength <= given)) {
      return damaged(source, byteOffset, `a buffer of ${given} bytes holds no [${shape}] ${shownName(type)}`);
    }
    return Tensor.at(source, allowCopy, { name: type, dtype, type, shape, byteOffset, byteLength, block });
  }
}
