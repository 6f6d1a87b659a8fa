import { checkMethods, fail, integer } from '../../libc/index.js';
import { shownName } from '../source.js';
import type { AnyTensor, Tensor } from '../tensor.js';
import type { ArrowField } from './schema.js';

/** The buffers of one column in one record batch. */
export interface VectorParts {
  readonly field: ArrowField;
  readonly length: number;
  readonly nullCount: number;
  readonly validity?: Tensor<'bit'>;
  readonly offsets?: Tensor<'i32'> | Tensor<'i64'>;
  readonly sizes?: Tensor<'i32'> | Tensor<'i64'>;
  readonly typeIds?: Tensor<'i8'>;
  readonly values?: AnyTensor;
  readonly extra?: readonly Tensor<'u8'>[];
  readonly children: readonly ArrowVector[];
  readonly dictionary?: readonly ArrowVector[];
}

/** A column, or a part of one, in one record batch: the buffers as Arrow lays them out, each a tensor. */
export class ArrowVector {
  readonly field: ArrowField;
  /** Rows. */
  readonly length: number;
  readonly nullCount: number;
  /** A bit a row, 1 where there is a value; absent where no row is null. */
  readonly validity: Tensor<'bit'> | undefined;
  /** Where the values of a row begin and end: of texts, bytes, lists, maps, dense unions. */
  readonly offsets: Tensor<'i32'> | Tensor<'i64'> | undefined;
  /** Of a list view: how many values a row has. */
  readonly sizes: Tensor<'i32'> | Tensor<'i64'> | undefined;
  /** Of a union: which child has the row. */
  readonly typeIds: Tensor<'i8'> | undefined;
  /** Numbers; bytes of texts; 16-byte views; with a dictionary, the indices into it. */
  readonly values: AnyTensor | undefined;
  /** Of a utf8_view or binary_view: the buffers that its views lead to. */
  readonly extra: readonly Tensor<'u8'>[];
  /** Of lists, structs, unions and maps. */
  readonly children: readonly ArrowVector[];
  /** The values that the indices mean, in the pieces that the file has them in; absent without a dictionary. */
  readonly dictionary: readonly ArrowVector[] | undefined;

  /** @internal */
  constructor(parts: VectorParts) {
    this.field = parts.field;
    this.length = parts.length;
    this.nullCount = parts.nullCount;
    this.validity = parts.validity;
    this.offsets = parts.offsets;
    this.sizes = parts.sizes;
    this.typeIds = parts.typeIds;
    this.values = parts.values;
    this.extra = parts.extra ?? [];
    this.children = parts.children;
    this.dictionary = parts.dictionary;
  }

  /** @throws DaxError ERANGE no such row */
  isNull(row: number): boolean {
    this.#checkRow(row);
    if (!this.validity) return this.field.type.name === 'null';
    return ((this.validity.data[row >> 3]! >> (row & 7)) & 1) === 0;
  }

  /**
   * The text of a row (utf8, large_utf8, or a dictionary of those), decoded, so a copy; null where there is none.
   * @throws DaxError EINVAL no column of texts; ERANGE no such row; EBADMSG its offsets lead out of the column
   */
  text(row: number): string | null {
    if (this.isNull(row)) return null;
    if (this.dictionary) return this.#textOfDictionary(row);
    const { shape, name } = this.field.type;
    if (shape.kind !== 'binary' || !shape.isText) {
      return fail('EINVAL', `the column ${shownName(this.field.name)} is of ${name}, not of texts`);
    }
    const bytes = this.values!.bytes;
    const [from, to] = [Number(this.offsets!.data[row]), Number(this.offsets!.data[row + 1])];
    if (!(from >= 0 && from <= to && to <= bytes.length)) {
      return this.#wrong(row, `its text is from ${from} to ${to} of ${bytes.length} bytes`);
    }
    return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString();
  }

  #textOfDictionary(row: number): string | null {
    let index = Number((this.values as Tensor<'i32'>).data[row]);
    for (const piece of index >= 0 ? this.dictionary! : []) {
      if (index < piece.length) return piece.text(index);
      index -= piece.length;
    }
    return this.#wrong(row, 'its index is in no piece of the dictionary');
  }

  #wrong(row: number, reason: string): never {
    return fail(
      'EBADMSG',
      `row ${row} of the column ${shownName(this.field.name)}: ${reason}: the file is damaged, make it again`,
    );
  }

  #checkRow(row: number): void {
    if (row < this.length) return;
    fail('ERANGE', `row ${row} of ${this.length} of the column ${shownName(this.field.name)} is not there`);
  }
}

checkMethods(ArrowVector, { isNull: { row: integer() }, text: { row: integer() } });
