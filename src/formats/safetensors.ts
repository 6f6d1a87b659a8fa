/** safetensors: eight bytes of header length, a JSON header, then the tensors one after another without a gap. */
import { checkArguments, readU64 } from '../libc/index.js';
import { viewOf } from './cursor.js';
import { blockOf, bytesOfElements, type DType, elementsIn } from './dtype.js';
import { type Json, JsonFault, parseJson } from './json.js';
import {
  type ByteSource,
  bufferSource,
  damaged,
  type FormatBytes,
  type FormatOptions,
  formatBytes,
  formatOptions,
  otherFormat,
  shownName,
  unsupported,
} from './source.js';
import { type AnyTensor, Tensor, TensorFile } from './tensor.js';

/** Most bytes of a header, as the format's own library has it. */
const MOST_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

const dtypes: ReadonlyMap<string, DType> = new Map([
  ['BOOL', 'bool'],
  ['U8', 'u8'],
  ['I8', 'i8'],
  ['U16', 'u16'],
  ['I16', 'i16'],
  ['U32', 'u32'],
  ['I32', 'i32'],
  ['U64', 'u64'],
  ['I64', 'i64'],
  ['F16', 'f16'],
  ['BF16', 'bf16'],
  ['F32', 'f32'],
  ['F64', 'f64'],
  ['F8_E4M3', 'f8_e4m3'],
  ['F8_E5M2', 'f8_e5m2'],
  ['F8_E8M0', 'f8_e8m0'],
  ['F8_E4M3FNUZ', 'f8_e4m3fnuz'],
  ['F8_E5M2FNUZ', 'f8_e5m2fnuz'],
  ['F6_E2M3', 'f6_e2m3'],
  ['F6_E3M2', 'f6_e3m2'],
  ['F4', 'f4'],
  ['C64', 'c64'],
]);

/** A safetensors file. */
export class Safetensors extends TensorFile {
  /** The texts of `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;

  /** @internal parseSafetensors() and openSafetensors() make them. */
  constructor(
    source: ByteSource,
    tensors: ReadonlyMap<string, AnyTensor>,
    metadata: ReadonlyMap<string, string>,
  ) {
    super(source, tensors);
    this.metadata = metadata;
  }
}

/**
 * Reads the header of a safetensors file. The tensors are views of the given bytes.
 * @throws DaxError EINVAL no safetensors; EBADMSG the header is wrong or does not fit the file (byte and reason named);
 *   EOPNOTSUPP an element type that is not known
 */
export function parseSafetensors(bytes: FormatBytes, options: FormatOptions = {}): Safetensors {
  checkArguments('parseSafetensors', [bytes, options], { bytes: formatBytes, options: formatOptions });
  return readSafetensors(bufferSource(bytes, options.name), options.allowCopy ?? false);
}

export function readSafetensors(source: ByteSource, allowCopy: boolean): Safetensors {
  const { header, headerBytes } = headerOf(source);
  const places = new Places(source, LENGTH_BYTES + headerBytes, allowCopy);
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of header) {
    if (name === '__metadata__') metadata = textsOf(source, value);
    else places.add(name, value);
  }
  places.checkNoGaps();
  return new Safetensors(source, places.tensors, metadata);
}

function headerOf(source: ByteSource): { header: Map<string, Json>; headerBytes: number } {
  if (source.size < LENGTH_BYTES + 2) otherFormat(source, 'safetensors', `it has ${source.size} bytes`);
  const start = source.view(0, LENGTH_BYTES + 1);
  const headerBytes = readU64(viewOf(start), 0);
  const first = start[LENGTH_BYTES]!;
  if (first !== 0x7b) {
    otherFormat(source, 'safetensors', 'byte 8 is not the brace that its header begins with');
  }
  if (!(headerBytes <= MOST_HEADER_BYTES)) {
    damaged(source, 0, `the header length is ${headerBytes}, more than ${MOST_HEADER_BYTES} bytes`);
  }
  if (headerBytes > source.size - LENGTH_BYTES) {
    damaged(source, 0, `the header of ${headerBytes} bytes ends beyond the file's ${source.size}`);
  }
  const text = textOf(source, source.view(LENGTH_BYTES, headerBytes));
  try {
    return { header: parseJson(text) as Map<string, Json>, headerBytes };
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const at = LENGTH_BYTES + Buffer.byteLength(text.slice(0, error.at));
    return damaged(source, at, `the header is wrong, ${error.message}`);
  }
}

function textOf(source: ByteSource, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return damaged(source, LENGTH_BYTES, 'the header is no UTF-8');
  }
}

function textsOf(source: ByteSource, value: Json): ReadonlyMap<string, string> {
  const isRight = value instanceof Map && [...value.values()].every((each) => typeof each === 'string');
  if (!isRight) damaged(source, LENGTH_BYTES, '__metadata__ is no object of texts');
  return value as Map<string, string>;
}

/** Collects the tensors of a header, each checked by itself; then how they lie together. */
class Places {
  readonly tensors = new Map<string, AnyTensor>();
  readonly #source: ByteSource;
  readonly #start: number;
  readonly #allowCopy: boolean;

  /** @param start where the tensors' bytes begin */
  constructor(source: ByteSource, start: number, allowCopy: boolean) {
    this.#source = source;
    this.#start = start;
    this.#allowCopy = allowCopy;
  }

  add(name: string, value: Json): void {
    const { type, shape, begin, end } = this.#entryOf(name, value);
    const dtype = dtypes.get(type) ?? this.#refuseType(name, type);
    const byteLength = bytesOfElements(elementsIn(shape), blockOf(dtype));
    if (byteLength !== end - begin) {
      this.#wrong(
        name,
        `a shape of [${shape.slice(0, 16)}] ${type} has ${byteLength} bytes, and its offsets say ${end - begin}`,
      );
    }
    if (this.#start + end > this.#source.size) {
      this.#wrong(name, `it ends at byte ${this.#start + end} of a file of ${this.#source.size}`);
    }
    const byteOffset = this.#start + begin;
    this.tensors.set(
      name,
      Tensor.at(this.#source, this.#allowCopy, { name, dtype, type, shape, byteOffset, byteLength }),
    );
  }

  #entryOf(name: string, value: Json) {
    if (!(value instanceof Map)) return this.#wrong(name, 'it is no object');
    const [type, shape, offsets] = ['dtype', 'shape', 'data_offsets'].map((field) => value.get(field));
    if (typeof type !== 'string') return this.#wrong(name, 'its dtype is no text');
    if (!Array.isArray(shape) || !shape.every(isCount)) {
      return this.#wrong(name, 'its shape is no list of whole numbers below 2^53');
    }
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
      return this.#wrong(name, 'its data_offsets are no pair of whole numbers below 2^53');
    }
    const [begin, end] = offsets as [number, number];
    if (begin > end) return this.#wrong(name, `it begins at ${begin} and ends at ${end}`);
    return { type, shape: Object.freeze(shape as number[]), begin, end };
  }

  /** The format wants every byte after the header to be of exactly one tensor. */
  checkNoGaps(): void {
    let end = this.#start;
    const inOrder = [...this.tensors.values()].sort(
      (a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength,
    );
    for (const { name, byteOffset, byteLength } of inOrder) {
      if (byteOffset < end) this.#wrong(name, `it begins at byte ${byteOffset}, within the tensor before it`);
      if (byteOffset > end)
        this.#wrong(name, `the bytes from ${end} to ${byteOffset} before it are of no tensor`);
      end = byteOffset + byteLength;
    }
    if (end !== this.#source.size) {
      damaged(this.#source, end, `the ${this.#source.size - end} bytes from here on are of no tensor`);
    }
  }

  #refuseType(name: string, type: string): never {
    return unsupported(
      this.#source,
      `tensor ${shownName(name)} has the element type ${shownName(type)}`,
      `known are ${[...dtypes.keys()].join(', ')}`,
    );
  }

  #wrong(name: string, reason: string): never {
    return damaged(this.#source, LENGTH_BYTES, `tensor ${shownName(name)} in the header: ${reason}`);
  }
}

const isCount = (value: Json): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
