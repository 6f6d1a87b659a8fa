/** npy: one NumPy array with a header in Python's own words. */
import { checkArguments } from '../libc/index.js';
import { Cursor } from './cursor.js';
import { bytesOfElements, elementsIn } from './dtype.js';
import { type NpyType, npyType } from './npy-type.js';
import { PythonFault, type PythonValue, parsePython } from './python-literal.js';
import {
  type ByteSource,
  bufferSource,
  damaged,
  type FormatBytes,
  type FormatOptions,
  formatBytes,
  formatOptions,
  otherFormat,
  unsupported,
} from './source.js';
import { type AnyTensor, Tensor, TensorFile } from './tensor.js';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
/** NumPy itself refuses longer ones unless it is told to trust the file. */
const MOST_HEADER_BYTES = 2 ** 20;
/** NumPy has no array with more. */
const MOST_DIMENSIONS = 64;

/** An npy file. Its array is also its only tensor, with the name ''. */
export class Npy extends TensorFile {
  readonly array: AnyTensor;

  /** @internal parseNpy() and openNpy() make them. */
  constructor(source: ByteSource, array: AnyTensor) {
    super(source, new Map([[array.name, array]]));
    this.array = array;
  }
}

/**
 * Reads the header of an npy file (versions 1 to 3). The array is a view of the given bytes.
 * @throws DaxError EINVAL no npy; EBADMSG the header is wrong or does not fit the file (byte and reason named);
 *   EOPNOTSUPP another version, or Python objects
 */
export function parseNpy(bytes: FormatBytes, options: FormatOptions = {}): Npy {
  checkArguments('parseNpy', [bytes, options], { bytes: formatBytes, options: formatOptions });
  return readNpy(bufferSource(bytes, options.name), options.allowCopy ?? false);
}

export function readNpy(source: ByteSource, allowCopy: boolean): Npy {
  return new Npy(source, readArray(source, '', allowCopy));
}

/** The array of a source that is an npy file, alone or within an archive. */
export function readArray(source: ByteSource, name: string, allowCopy: boolean): AnyTensor {
  const { header, byteOffset } = headerOf(source);
  const [descr, isColumnMajor, shape] = ['descr', 'fortran_order', 'shape'].map((key) => header.get(key));
  if (descr === undefined || typeof isColumnMajor !== 'boolean' || !Array.isArray(shape)) {
    return damaged(source, 10, 'the header has no descr, fortran_order or shape that is one');
  }
  const lengths = lengthsOf(source, shape);
  const { dtype, type, block, isBigEndian } = typeOf(source, descr);
  const byteLength = bytesOfElements(elementsIn(lengths), block);
  if (!(byteLength <= source.size - byteOffset)) {
    damaged(
      source,
      byteOffset,
      `an array of [${lengths.slice(0, 16)}] ${type.slice(0, 100)} has ${byteLength} bytes, and the file has ` +
        `${source.size - byteOffset} from here on`,
    );
  }
  return Tensor.at(source, allowCopy, {
    name,
    dtype,
    type,
    shape: lengths,
    byteOffset,
    byteLength,
    block,
    isColumnMajor,
    isBigEndian,
  });
}

function headerOf(source: ByteSource): { header: Map<string, PythonValue>; byteOffset: number } {
  const cursor = new Cursor(source);
  if (source.size < 10 || MAGIC.some((byte) => cursor.u8('the magic') !== byte)) {
    return otherFormat(source, 'npy', 'it does not begin with the bytes of NumPy');
  }
  const version = cursor.u8('the version');
  const minor = cursor.u8('the version');
  if (version < 1 || version > 3 || minor !== 0) {
    return unsupported(source, `it is of npy version ${version}.${minor}`, 'versions 1.0 to 3.0 are read');
  }
  const length = version === 1 ? cursor.u16('the header length') : cursor.u32('the header length');
  if (length > MOST_HEADER_BYTES) damaged(source, 8, `the header length is ${length}`);
  const start = cursor.skip(length, 'the header');
  const bytes = Buffer.from(source.view(start, length));
  const text = bytes.toString(version === 3 ? 'utf8' : 'latin1');
  try {
    const header = parsePython(text);
    if (!(header instanceof Map)) return damaged(source, start, 'the header is no dict');
    return { header, byteOffset: start + length };
  } catch (error) {
    if (!(error instanceof PythonFault)) throw error;
    return damaged(source, start + error.at, `the header is wrong, ${error.message}`);
  }
}

function lengthsOf(source: ByteSource, shape: readonly PythonValue[]): readonly number[] {
  const lengths = shape as readonly number[];
  if (lengths.length > MOST_DIMENSIONS) damaged(source, 10, `it has ${lengths.length} dimensions`);
  // A product that is too large shows later, as bytes that are not there.
  if (lengths.every((length) => Number.isSafeInteger(length) && length >= 0)) return Object.freeze(lengths);
  return damaged(source, 10, 'the shape is no tuple of whole numbers below 2^53');
}

function typeOf(source: ByteSource, descr: PythonValue): NpyType {
  const type = npyType(descr);
  if (type === 'objects') {
    return unsupported(
      source,
      'its elements are Python objects (pickle), which would run code',
      'save it with a plain dtype',
    );
  }
  return type ?? damaged(source, 10, `the descr ${JSON.stringify(descr)?.slice(0, 200)} is no type of NumPy`);
}
