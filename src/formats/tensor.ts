import type { ReadonlyUint8Array, VolumeFile } from '../famfs/index.js';
import { checkMethods, fail, text } from '../libc/index.js';
import { arrayOf, type Block, blockOf, type DType, elementsIn, type TensorArrays } from './dtype.js';
import { type ByteSource, pathOf, shownName } from './source.js';

interface TensorPlace {
  readonly name: string;
  readonly dtype: DType;
  /** As the format spells it. */
  readonly type: string;
  readonly shape: readonly number[];
  /** From the start of the source. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /** Default: that of the dtype. */
  readonly block?: Block;
  readonly isColumnMajor?: boolean;
  readonly isBigEndian?: boolean;
}

/**
 * An array in a file. `bytes` and `data` are views of the file's own memory, made when they are first asked for: a file with a
 * hundred thousand tensors costs no more than its header.
 */
export class Tensor<D extends DType = DType> {
  readonly name: string;
  /** What an element is. */
  readonly dtype: D;
  /** The same in the words of the format: `BF16`, `Q4_K`, `<f4`, `timestamp[us]`. */
  readonly type: string;
  /** Lengths, the one that varies slowest first (unless isColumnMajor). */
  readonly shape: readonly number[];
  /** True for an array in Fortran order (npy): the first index varies fastest. */
  readonly isColumnMajor: boolean;
  /** Where it lies in the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
  /** So many elements in so many bytes: `{ elements: 32, bytes: 18 }` for Q4_0. */
  readonly block: Block;
  readonly #at: number;
  readonly #isSwapped: boolean;
  readonly #source: ByteSource;
  readonly #allowCopy: boolean;
  #bytes: Uint8Array | undefined;
  #data: ArrayBufferView | undefined;

  /** @internal The parsers make them, after they have checked the place. */
  static at(source: ByteSource, allowCopy: boolean, place: TensorPlace): AnyTensor {
    return new Tensor(source, allowCopy, place) as AnyTensor;
  }

  private constructor(source: ByteSource, allowCopy: boolean, place: TensorPlace) {
    this.name = place.name;
    this.dtype = place.dtype as D;
    this.type = place.type;
    this.shape = place.shape;
    this.isColumnMajor = place.isColumnMajor ?? false;
    this.#at = place.byteOffset;
    this.byteOffset = (source.start ?? 0) + place.byteOffset;
    this.byteLength = place.byteLength;
    this.block = place.block ?? blockOf(place.dtype);
    this.#isSwapped = (place.isBigEndian ?? false) && arrayOf(place.dtype).BYTES_PER_ELEMENT > 1;
    this.#source = source;
    this.#allowCopy = allowCopy;
  }

  /** Elements. */
  get length(): number {
    return elementsIn(this.shape);
  }

  /** True when `data` is a copy, or would be: its place or byte order fits no view. */
  get isCopy(): boolean {
    return this.#isSwapped || this.bytes.byteOffset % arrayOf(this.dtype).BYTES_PER_ELEMENT !== 0;
  }

  /** The bytes as they lie in the file; never a copy. @throws DaxError EBADF the file was closed, EIO, ENXIO, ERANGE over 4 GiB */
  get bytes(): ReadonlyUint8Array {
    if (!this.#bytes || (this.#bytes.byteLength === 0 && this.byteLength > 0)) {
      this.#bytes = this.#source.view(this.#at, this.byteLength);
    }
    return this.#bytes as unknown as ReadonlyUint8Array;
  }

  /**
   * The elements: the same array each time, as long as the file is open.
   * @throws DaxError EINVAL it would have to be a copy, and `allowCopy` was not given; as `bytes`
   */
  get data(): TensorArrays[D] {
    const known = this.#data;
    if (known && (known.byteLength > 0 || this.byteLength === 0)) return known as TensorArrays[D];
    const array = arrayOf(this.dtype);
    let { bytes } = this as { bytes: Pick<Uint8Array, 'buffer' | 'byteOffset' | 'slice'> };
    if (this.isCopy) {
      this.#checkCopy(array.BYTES_PER_ELEMENT);
      bytes = bytes.slice();
      if (this.#isSwapped) swap(bytes.buffer as ArrayBuffer, array.BYTES_PER_ELEMENT);
    }
    const length = this.byteLength / array.BYTES_PER_ELEMENT;
    this.#data = new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, length);
    return this.#data as TensorArrays[D];
  }

  #checkCopy(elementBytes: number): void {
    if (this.#allowCopy) return;
    const why = this.#isSwapped
      ? 'is in big-endian byte order'
      : `lies at byte ${this.byteOffset}, which is no multiple of its ${elementBytes} bytes an element`;
    fail(
      'EINVAL',
      `${this.#source.name}: ${this.name === '' ? 'the array' : this.name} (${this.type}) ${why}: ask for a copy with ` +
        '{ allowCopy: true }, or use its bytes',
      pathOf(this.#source),
    );
  }
}

/** A tensor whose `dtype` tells TypeScript what its `data` is. */
export type AnyTensor = { [D in DType]: Tensor<D> }[DType];

function swap(buffer: ArrayBuffer, elementBytes: number): void {
  const bytes = Buffer.from(buffer);
  if (elementBytes === 2) bytes.swap16();
  else if (elementBytes === 4) bytes.swap32();
  else bytes.swap64();
}

/** Tensors by name, and the file that they are in. */
export abstract class TensorFile {
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, AnyTensor>;
  readonly #source: ByteSource;

  /** @internal */
  constructor(source: ByteSource, tensors: ReadonlyMap<string, AnyTensor>) {
    this.#source = source;
    this.tensors = tensors;
  }

  /** The open file, for pin(), lost and onLost(); undefined when bytes were parsed. */
  get file(): VolumeFile | undefined {
    return this.#source.file;
  }

  /** @throws DaxError ENOENT none of that name */
  tensor(name: string): AnyTensor {
    const found = this.tensors.get(name);
    if (found) return found;
    const some = [...this.tensors.keys()].slice(0, 3).map((each) => shownName(each));
    return fail(
      'ENOENT',
      `${this.#source.name} has no tensor ${shownName(name)}: it has ${this.tensors.size}` +
        (some.length === 0 ? '' : `, ${some.join(', ')}${this.tensors.size > some.length ? ' ...' : ''}`),
      pathOf(this.#source),
    );
  }

  /** Closes the file that open...() opened: its views get length 0, as with close() of a VolumeFile. Idempotent. */
  close(): void {
    this.#source.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

checkMethods(TensorFile, { tensor: { name: text } });
