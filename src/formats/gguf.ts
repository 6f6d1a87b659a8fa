/** GGUF, versions 2 and 3: counts, named values, descriptions of the tensors, then the tensors, each on its alignment. */
import { checkArguments } from '../libc/index.js';
import { Cursor } from './cursor.js';
import { bytesOfElements, elementsIn } from './dtype.js';
import { GgufMetadata } from './gguf-metadata.js';
import { type GgufType, ggufTypes } from './gguf-types.js';
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

const MAGIC = 0x46554747; // GGUF
const DEFAULT_ALIGNMENT = 32;
const MOST_DIMENSIONS = 4;
/** Least bytes of a named value, and of a tensor's description. */
const LEAST_VALUE_BYTES = 13;
const LEAST_TENSOR_BYTES = 24;

/** A GGUF file. */
export class Gguf extends TensorFile {
  readonly version: number;
  /** Each tensor lies at a multiple of it, bytes. */
  readonly alignment: number;
  readonly metadata: GgufMetadata;

  /** @internal parseGguf() and openGguf() make them. */
  constructor(
    source: ByteSource,
    tensors: ReadonlyMap<string, AnyTensor>,
    version: number,
    alignment: number,
    metadata: GgufMetadata,
  ) {
    super(source, tensors);
    this.version = version;
    this.alignment = alignment;
    this.metadata = metadata;
  }
}

/**
 * Reads the header of a GGUF file. The tensors are views of the given bytes; quantized ones are Uint8Arrays of blocks.
 * Shapes have the slowest index first, the other way round than the file has them.
 * @throws DaxError EINVAL no GGUF; EBADMSG the header is wrong or does not fit the file (byte and reason named);
 *   EOPNOTSUPP another version, byte order or element type
 */
export function parseGguf(bytes: FormatBytes, options: FormatOptions = {}): Gguf {
  checkArguments('parseGguf', [bytes, options], { bytes: formatBytes, options: formatOptions });
  return readGguf(bufferSource(bytes, options.name), options.allowCopy ?? false);
}

export function readGguf(source: ByteSource, allowCopy: boolean): Gguf {
  const cursor = new Cursor(source);
  if (source.size < 8 || cursor.u32('the magic') !== MAGIC) {
    otherFormat(source, 'GGUF', 'it does not begin with the bytes GGUF');
  }
  const version = cursor.u32('the version');
  checkVersion(source, version);
  const tensorCount = count(source, cursor, 'tensors', LEAST_TENSOR_BYTES);
  const valueCount = count(source, cursor, 'values', LEAST_VALUE_BYTES);
  const metadata = GgufMetadata.read(source, cursor, valueCount);
  const end = cursor.at;
  const alignment = alignmentOf(source, metadata);
  cursor.at = end;
  const infos: Info[] = [];
  for (let left = tensorCount; left > 0; left--) infos.push(readInfo(source, cursor, alignment));
  const start = Math.ceil(cursor.at / alignment) * alignment;
  return new Gguf(source, placed(source, allowCopy, start, infos), version, alignment, metadata);
}

function checkVersion(source: ByteSource, version: number): void {
  if (version === 2 || version === 3) return;
  const isSwapped = version % 65536 === 0 && version !== 0;
  unsupported(
    source,
    isSwapped ? 'it is in big-endian byte order' : `it is of GGUF version ${version}`,
    'convert it to little-endian version 3',
  );
}

function count(source: ByteSource, cursor: Cursor, what: string, leastBytes: number): number {
  const { at } = cursor;
  const value = cursor.u64(`the number of ${what}`);
  if (value * leastBytes > cursor.left) {
    damaged(source, at, `it says it has ${value} ${what}, more than its ${source.size} bytes can hold`);
  }
  return value;
}

function alignmentOf(source: ByteSource, metadata: GgufMetadata): number {
  const given = metadata.get('general.alignment') ?? DEFAULT_ALIGNMENT;
  const isPowerOf2 = typeof given === 'number' && given > 0 && Number.isInteger(Math.log2(given));
  if (isPowerOf2) return given;
  return damaged(source, 0, `general.alignment is ${String(given).slice(0, 50)}, no power of two`);
}

interface Info {
  readonly at: number;
  readonly name: string;
  readonly type: GgufType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

function readInfo(source: ByteSource, cursor: Cursor, alignment: number): Info {
  const { at } = cursor;
  const name = cursor.text('the name of a tensor');
  const wrong = (reason: string): never => damaged(source, at, `tensor ${shownName(name)}: ${reason}`);
  const dimensions = cursor.u32(`the number of dimensions of ${shownName(name)}`);
  if (dimensions > MOST_DIMENSIONS) wrong(`it has ${dimensions} dimensions, more than ${MOST_DIMENSIONS}`);
  const lengths: number[] = [];
  for (let left = dimensions; left > 0; left--) lengths.push(cursor.u64(`a length of ${shownName(name)}`));
  const number = cursor.u32(`the type of ${shownName(name)}`);
  const offset = cursor.u64(`the offset of ${shownName(name)}`);
  const type = ggufTypes.get(number);
  if (type === undefined) {
    return unsupported(
      source,
      `tensor ${shownName(name)} has the type ${number}`,
      'convert it to a known one',
    );
  }
  const elements = elementsIn(lengths);
  if (Number.isNaN(elements)) wrong(`the shape [${lengths}] has 2^53 elements or more`);
  const rows = lengths[0] ?? 1;
  if (rows % type.block.elements !== 0) {
    wrong(`a row of ${rows} is not made of whole ${type.name} blocks of ${type.block.elements}`);
  }
  const byteLength = bytesOfElements(elements, type.block);
  if (Number.isNaN(byteLength)) wrong(`the shape [${lengths}] of ${type.name} has 2^53 bytes or more`);
  if (offset % alignment !== 0)
    wrong(`its offset ${offset} is no multiple of the file's alignment ${alignment}`);
  return { at, name, type, shape: Object.freeze(lengths.reverse()), offset, byteLength };
}

/** Checks how the tensors lie in the file and to each other. */
function placed(
  source: ByteSource,
  allowCopy: boolean,
  start: number,
  infos: readonly Info[],
): ReadonlyMap<string, AnyTensor> {
  const tensors = new Map<string, AnyTensor>();
  for (const { at, name, type, shape, offset, byteLength } of infos) {
    const byteOffset = start + offset;
    if (tensors.has(name)) damaged(source, at, `the tensor ${shownName(name)} is there twice`);
    if (byteOffset + byteLength > source.size) {
      damaged(
        source,
        at,
        `tensor ${shownName(name)} ends at byte ${byteOffset + byteLength} of a file of ${source.size}`,
      );
    }
    const { dtype, block } = type;
    const place = { name, dtype, type: type.name, shape, byteOffset, byteLength, block };
    tensors.set(name, Tensor.at(source, allowCopy, place));
  }
  const inOrder = infos.filter(({ byteLength }) => byteLength > 0).sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < inOrder.length; i++) {
    const [before, info] = [inOrder[i - 1]!, inOrder[i]!];
    if (before.offset + before.byteLength > info.offset) {
      damaged(source, info.at, `the tensors ${shownName(before.name)} and ${shownName(info.name)} overlap`);
    }
  }
  return tensors;
}
