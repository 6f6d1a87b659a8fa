import { checkMethods, text } from '../libc/index.js';
import type { Cursor } from './cursor.js';
import { type ByteSource, damaged, shownName, unsupported } from './source.js';

/** A value of the metadata. 64-bit numbers are bigints; lists of numbers are typed arrays (copies). */
export type GgufValue =
  | number
  | bigint
  | boolean
  | string
  | readonly boolean[]
  | readonly string[]
  | readonly GgufValue[]
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

type NumberArray = { new (length: number): { [index: number]: number | bigint } };
interface Scalar {
  readonly name: string;
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint | boolean;
  /** Not for truth values. */
  readonly array?: NumberArray;
}

const scalars: ReadonlyMap<number, Scalar> = new Map([
  [0, { name: 'u8', bytes: 1, read: (view, at) => view.getUint8(at), array: Uint8Array }],
  [1, { name: 'i8', bytes: 1, read: (view, at) => view.getInt8(at), array: Int8Array }],
  [2, { name: 'u16', bytes: 2, read: (view, at) => view.getUint16(at, true), array: Uint16Array }],
  [3, { name: 'i16', bytes: 2, read: (view, at) => view.getInt16(at, true), array: Int16Array }],
  [4, { name: 'u32', bytes: 4, read: (view, at) => view.getUint32(at, true), array: Uint32Array }],
  [5, { name: 'i32', bytes: 4, read: (view, at) => view.getInt32(at, true), array: Int32Array }],
  [6, { name: 'f32', bytes: 4, read: (view, at) => view.getFloat32(at, true), array: Float32Array }],
  [7, { name: 'bool', bytes: 1, read: (view, at) => view.getUint8(at) !== 0 }],
  [10, { name: 'u64', bytes: 8, read: (view, at) => view.getBigUint64(at, true), array: BigUint64Array }],
  [11, { name: 'i64', bytes: 8, read: (view, at) => view.getBigInt64(at, true), array: BigInt64Array }],
  [12, { name: 'f64', bytes: 8, read: (view, at) => view.getFloat64(at, true), array: Float64Array }],
] as [number, Scalar][]);
const TEXT = 8;
const LIST = 9;
const MOST_DEPTH = 8;
/** Least bytes of an element: the length of a text; type and count of a list. */
const LEAST_TEXT_BYTES = 8;
const LEAST_LIST_BYTES = 12;

interface Place {
  readonly type: number;
  readonly at: number;
}

/**
 * The named values of a GGUF file, each decoded when it is asked for. A vocabulary of 150,000 texts costs nothing to a program that
 * wants the tensors.
 */
export class GgufMetadata {
  readonly #places: ReadonlyMap<string, Place>;
  readonly #source: ByteSource;
  readonly #cursor: Cursor;

  /** @internal */
  static read(source: ByteSource, cursor: Cursor, count: number): GgufMetadata {
    const places = new Map<string, Place>();
    for (let left = count; left > 0; left--) {
      const { at: start } = cursor;
      const name = cursor.text('the name of a value');
      if (places.has(name)) damaged(source, start, `the value ${shownName(name)} is there twice`);
      const type = cursor.u32(`the type of ${shownName(name)}`);
      places.set(name, { type, at: cursor.at });
      skipValue(source, cursor, type, `the value ${shownName(name)}`, 0);
    }
    return new GgufMetadata(source, cursor, places);
  }

  private constructor(source: ByteSource, cursor: Cursor, places: ReadonlyMap<string, Place>) {
    this.#source = source;
    this.#cursor = cursor;
    this.#places = places;
  }

  /** The number of keys. */
  get size(): number {
    return this.#places.size;
  }

  /** All keys, in the order of the file. */
  keys(): IterableIterator<string> {
    return this.#places.keys();
  }

  /** Whether there is such a key. */
  has(name: string): boolean {
    return this.#places.has(name);
  }

  /** Undefined where there is none. A list is decoded anew at each call. @throws DaxError EBADMSG a text is no UTF-8 */
  get(name: string): GgufValue | undefined {
    const place = this.#places.get(name);
    if (place === undefined) return undefined;
    this.#cursor.at = place.at;
    return readValue(this.#source, this.#cursor, place.type, `the value ${shownName(name)}`);
  }

  /** Names and values, all decoded on the way. */
  *[Symbol.iterator](): IterableIterator<[string, GgufValue]> {
    for (const name of this.#places.keys()) yield [name, this.get(name)!];
  }
}

checkMethods(GgufMetadata, { get: { name: text }, has: { name: text } });

function skipValue(source: ByteSource, cursor: Cursor, type: number, what: string, depth: number): void {
  const scalar = scalars.get(type);
  if (scalar) cursor.skip(scalar.bytes, what);
  else if (type === TEXT) cursor.skipText(what);
  else if (type === LIST) skipList(source, cursor, what, depth);
  else unsupported(source, `${what} at byte ${cursor.at} has type ${type}`, 'types 0 to 12 are known');
}

function skipList(source: ByteSource, cursor: Cursor, what: string, depth: number): void {
  if (depth >= MOST_DEPTH)
    damaged(source, cursor.at, `${what}: lists lie more than ${MOST_DEPTH} deep in each other`);
  const { at } = cursor;
  const type = cursor.u32(`the element type of ${what}`);
  const count = cursor.u64(`the length of ${what}`);
  const scalar = scalars.get(type);
  const least = scalar?.bytes ?? (type === TEXT ? LEAST_TEXT_BYTES : LEAST_LIST_BYTES);
  if (count * least > cursor.left) {
    damaged(source, at, `${what} has ${count} elements, more than the rest of the file can hold`);
  }
  if (scalar) cursor.skip(count * scalar.bytes, what);
  else for (let left = count; left > 0; left--) skipValue(source, cursor, type, what, depth + 1);
}

function readValue(source: ByteSource, cursor: Cursor, type: number, what: string): GgufValue {
  const scalar = scalars.get(type);
  if (scalar) return cursor.numberAt(cursor.skip(scalar.bytes, what), scalar.bytes, scalar.read);
  return type === TEXT ? cursor.text(what) : readList(source, cursor, what);
}

function readList(source: ByteSource, cursor: Cursor, what: string): GgufValue {
  const type = cursor.u32(what);
  const count = cursor.u64(what);
  const scalar = scalars.get(type);
  if (!scalar?.array) {
    const found: GgufValue[] = [];
    for (let left = count; left > 0; left--) found.push(readValue(source, cursor, type, what));
    return found;
  }
  const start = cursor.skip(count * scalar.bytes, what);
  const found = new scalar.array(count);
  for (let i = 0; i < count; i++) {
    found[i] = cursor.numberAt(start + i * scalar.bytes, scalar.bytes, scalar.read) as number | bigint;
  }
  return found as unknown as GgufValue;
}
