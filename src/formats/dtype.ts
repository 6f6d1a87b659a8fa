/** Types of elements, the arrays that show them, and how many bytes a shape of them has. */
import type { ReadonlyUint8Array, ReadonlyView } from '../famfs/index.js';

/** An array of 16-bit floats: a Float16Array where this Node has it (24 on), else the bits in a Uint16Array. */
export type Float16Bits = ReadonlyView<Uint16Array<ArrayBuffer>>;

/** The array that `data` of a tensor is, by its `dtype`. */
export interface TensorArrays {
  /** One byte each, 0 or 1. */
  bool: ReadonlyUint8Array;
  /** Eight in a byte, the lowest bit first (Arrow). */
  bit: ReadonlyUint8Array;
  u8: ReadonlyUint8Array;
  i8: ReadonlyView<Int8Array<ArrayBuffer>>;
  u16: ReadonlyView<Uint16Array<ArrayBuffer>>;
  i16: ReadonlyView<Int16Array<ArrayBuffer>>;
  u32: ReadonlyView<Uint32Array<ArrayBuffer>>;
  i32: ReadonlyView<Int32Array<ArrayBuffer>>;
  u64: ReadonlyView<BigUint64Array<ArrayBuffer>>;
  i64: ReadonlyView<BigInt64Array<ArrayBuffer>>;
  f16: Float16Bits;
  /** The upper halves of 32-bit floats. */
  bf16: ReadonlyView<Uint16Array<ArrayBuffer>>;
  f32: ReadonlyView<Float32Array<ArrayBuffer>>;
  f64: ReadonlyView<Float64Array<ArrayBuffer>>;
  f8_e4m3: ReadonlyUint8Array;
  f8_e5m2: ReadonlyUint8Array;
  f8_e8m0: ReadonlyUint8Array;
  f8_e4m3fnuz: ReadonlyUint8Array;
  f8_e5m2fnuz: ReadonlyUint8Array;
  /** Four in three bytes. */
  f6_e2m3: ReadonlyUint8Array;
  f6_e3m2: ReadonlyUint8Array;
  /** Two in a byte. */
  f4: ReadonlyUint8Array;
  /** Real and imaginary part, one after the other. */
  c64: ReadonlyView<Float32Array<ArrayBuffer>>;
  c128: ReadonlyView<Float64Array<ArrayBuffer>>;
  /** Blocks of quantized numbers (GGUF); `type` and `block` of the tensor tell which. */
  quantized: ReadonlyUint8Array;
  /** Items of another kind (text, records, decimals); `type` and `block` of the tensor tell which. */
  opaque: ReadonlyUint8Array;
}

/** The element types of tensors, by the names that `data` has a typed array for. */
export type DType = keyof TensorArrays;

/** How elements lie: so many of them in so many bytes. */
export interface Block {
  readonly elements: number;
  readonly bytes: number;
}

type ArrayConstructor = {
  new (buffer: ArrayBuffer, byteOffset: number, length: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT: number;
};

interface Layout {
  readonly block: Block;
  readonly array: ArrayConstructor;
}

const float16 = (globalThis as { Float16Array?: ArrayConstructor }).Float16Array ?? Uint16Array;

const one = (array: ArrayConstructor, bytes = array.BYTES_PER_ELEMENT): Layout => ({
  block: { elements: 1, bytes },
  array,
});
const packed = (elements: number, bytes: number): Layout => ({
  block: { elements, bytes },
  array: Uint8Array,
});

const layouts: Readonly<Record<DType, Layout>> = {
  bool: one(Uint8Array),
  bit: packed(8, 1),
  u8: one(Uint8Array),
  i8: one(Int8Array),
  u16: one(Uint16Array),
  i16: one(Int16Array),
  u32: one(Uint32Array),
  i32: one(Int32Array),
  u64: one(BigUint64Array),
  i64: one(BigInt64Array),
  f16: one(float16),
  bf16: one(Uint16Array),
  f32: one(Float32Array),
  f64: one(Float64Array),
  f8_e4m3: one(Uint8Array),
  f8_e5m2: one(Uint8Array),
  f8_e8m0: one(Uint8Array),
  f8_e4m3fnuz: one(Uint8Array),
  f8_e5m2fnuz: one(Uint8Array),
  f6_e2m3: packed(4, 3),
  f6_e3m2: packed(4, 3),
  f4: packed(2, 1),
  c64: one(Float32Array, 8),
  c128: one(Float64Array, 16),
  quantized: one(Uint8Array),
  opaque: one(Uint8Array),
};

export const arrayOf = (dtype: DType): ArrayConstructor => layouts[dtype].array;
export const blockOf = (dtype: DType): Block => layouts[dtype].block;

/** Elements of a shape; NaN when a number of it, or the product, is no safe integer. */
export function elementsIn(shape: readonly number[]): number {
  let elements = 1;
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) return Number.NaN;
    elements *= length;
  }
  if (Number.isSafeInteger(elements)) return elements;
  return shape.includes(0) ? 0 : Number.NaN;
}

/** Bytes of so many elements; NaN when they are no whole blocks, or the number is not safe. */
export function bytesOfElements(elements: number, { elements: inBlock, bytes }: Block): number {
  const total = (elements / inBlock) * bytes;
  return elements % inBlock === 0 && Number.isSafeInteger(total) ? total : Number.NaN;
}
