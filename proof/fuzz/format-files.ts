/** Small writers of safetensors, GGUF, npy and zip files: for the fuzzer, and for tests that read what they wrote. */
import { crc32 } from 'node:zlib';

/** Bytes, and where the numbers are that say how long, how many and where. */
export interface Written {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly numbers: readonly { readonly at: number; readonly size: 2 | 4 | 8 }[];
}

/** Appends numbers and bytes, and notes where the numbers are. */
class Sink {
  readonly numbers: { at: number; size: 2 | 4 | 8 }[] = [];
  readonly #parts: Uint8Array[] = [];
  at = 0;

  bytes(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.at += bytes.length;
  }

  text(text: string): void {
    this.bytes(Buffer.from(text));
  }

  number(value: number | bigint, size: 2 | 4 | 8): void {
    this.numbers.push({ at: this.at, size });
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
    this.bytes(bytes.subarray(0, size));
  }

  pad(to: number, byte = 0): void {
    this.bytes(new Uint8Array(-this.at & (to - 1)).fill(byte));
  }

  end(): Written {
    const bytes = new Uint8Array(this.at);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return { bytes, numbers: this.numbers };
  }
}

export interface WrittenTensor {
  readonly name: string;
  /** As the format spells it; a number for GGUF. */
  readonly type: string | number;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

export function safetensorsHeader(
  tensors: readonly WrittenTensor[],
  metadata?: Readonly<Record<string, string>>,
): string {
  let at = 0;
  const entries = tensors.map(({ name, type, shape, bytes }) => {
    const offsets = `[${at},${at + bytes.length}]`;
    at += bytes.length;
    return `${JSON.stringify(name)}:{"dtype":"${type}","shape":${JSON.stringify(shape)},"data_offsets":${offsets}}`;
  });
  if (metadata) entries.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  return `{${entries.join(',')}}`;
}

/** @param align the data begins at a multiple of it, as the format's own library does with 8 */
export function writeSafetensors(header: string, data: readonly Uint8Array[], align = 8): Written {
  const text = Buffer.from(header);
  const padding = -(8 + text.length) & (align - 1);
  const sink = new Sink();
  sink.number(text.length + padding, 8);
  sink.bytes(text);
  sink.text(' '.repeat(padding));
  for (const bytes of data) sink.bytes(bytes);
  return sink.end();
}

export type WrittenValue = readonly [
  type: number,
  value: number | bigint | string | readonly WrittenValue[],
  of?: number,
];

function ggufValue(sink: Sink, [type, value, of = 0]: WrittenValue): void {
  if (typeof value === 'string') ggufText(sink, value);
  else if (Array.isArray(value)) {
    sink.number(of, 4);
    sink.number(value.length, 8);
    for (const each of value as readonly WrittenValue[]) ggufValue(sink, each);
  } else sink.bytes(ggufNumber(type, value as number | bigint));
}

function ggufNumber(type: number, value: number | bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  if (type === 6) view.setFloat32(0, Number(value), true);
  else if (type === 12) view.setFloat64(0, Number(value), true);
  else view.setBigUint64(0, BigInt.asUintN(64, BigInt(value)), true);
  const size = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8][type]!;
  return new Uint8Array(view.buffer, 0, size);
}

function ggufText(sink: Sink, text: string): void {
  const bytes = Buffer.from(text);
  sink.number(bytes.length, 8);
  sink.bytes(bytes);
}

export interface GgufParts {
  readonly version?: number;
  readonly alignment?: number;
  readonly values?: readonly (readonly [name: string, value: WrittenValue])[];
  readonly tensors: readonly WrittenTensor[];
}

/** Shapes are given with the slowest index first; the file has them the other way round. */
export function writeGguf({ version = 3, alignment = 32, values = [], tensors }: GgufParts): Written {
  const sink = new Sink();
  sink.text('GGUF');
  sink.number(version, 4);
  sink.number(tensors.length, 8);
  sink.number(values.length, 8);
  for (const [name, value] of values) {
    ggufText(sink, name);
    sink.number(value[0], 4);
    ggufValue(sink, value);
  }
  let offset = 0;
  for (const { name, type, shape, bytes } of tensors) {
    ggufText(sink, name);
    sink.number(shape.length, 4);
    for (const length of [...shape].reverse()) sink.number(length, 8);
    sink.number(Number(type), 4);
    sink.number(offset, 8);
    offset += Math.ceil(bytes.length / alignment) * alignment;
  }
  for (const { bytes } of tensors) {
    sink.pad(alignment);
    sink.bytes(bytes);
  }
  return sink.end();
}

/** @param header the dict in Python's words */
export function writeNpy(header: string, data: Uint8Array, version: 1 | 2 | 3 = 1): Written {
  const sink = new Sink();
  sink.bytes(Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0));
  const size = version === 1 ? 2 : 4;
  const text = Buffer.from(header);
  const padding = -(8 + size + text.length + 1) & 63;
  sink.number(text.length + padding + 1, size);
  sink.bytes(text);
  sink.text(`${' '.repeat(padding)}\n`);
  sink.bytes(data);
  return sink.end();
}

export const npyHeader = (descr: string, isColumnMajor: boolean, shape: readonly number[]): string =>
  `{'descr': ${descr}, 'fortran_order': ${isColumnMajor ? 'True' : 'False'}, 'shape': (${shape.map((length) => `${length}, `).join('')}), }`;

export interface ZipFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly method?: number;
}

/** A zip of stored files, with 64-bit numbers throughout where `is64`. */
export function writeZip(files: readonly ZipFile[], is64 = false): Written {
  const sink = new Sink();
  const places = files.map((file) => {
    const at = sink.at;
    zipHeader(sink, 0x04034b50, file, at, is64);
    sink.bytes(file.bytes);
    return at;
  });
  const start = sink.at;
  for (const [i, file] of files.entries()) zipHeader(sink, 0x02014b50, file, places[i]!, is64);
  const length = sink.at - start;
  if (is64) {
    const at = sink.at;
    sink.number(0x06064b50, 4);
    sink.number(44, 8);
    for (const value of [45, 45]) sink.number(value, 2);
    for (const value of [0, 0]) sink.number(value, 4);
    for (const value of [files.length, files.length, length, start]) sink.number(value, 8);
    sink.number(0x07064b50, 4);
    sink.number(0, 4);
    sink.number(at, 8);
    sink.number(1, 4);
  }
  sink.number(0x06054b50, 4);
  for (const value of [0, 0]) sink.number(value, 2);
  for (const value of [files.length, files.length]) sink.number(is64 ? 0xffff : value, 2);
  for (const value of [length, start]) sink.number(is64 ? 0xffffffff : value, 4);
  sink.number(0, 2);
  return sink.end();
}

/** The header of a file, before it (30 bytes) or in the directory (46 bytes). */
function zipHeader(sink: Sink, signature: number, file: ZipFile, at: number, is64: boolean): void {
  const isListed = signature === 0x02014b50;
  const name = Buffer.from(file.name);
  const { length } = file.bytes;
  sink.number(signature, 4);
  for (const value of isListed ? [45, 45] : [45]) sink.number(value, 2);
  for (const value of [0, file.method ?? 0, 0, 0]) sink.number(value, 2);
  sink.number(crc32(file.bytes), 4);
  for (const value of [length, length]) sink.number(is64 ? 0xffffffff : value, 4);
  sink.number(name.length, 2);
  sink.number(is64 ? (isListed ? 28 : 20) : 0, 2);
  if (isListed) {
    for (const value of [0, 0, 0]) sink.number(value, 2);
    sink.number(0, 4);
    sink.number(is64 ? 0xffffffff : at, 4);
  }
  sink.bytes(name);
  if (!is64) return;
  sink.number(1, 2);
  sink.number(isListed ? 24 : 16, 2);
  for (const value of isListed ? [length, length, at] : [length, length]) sink.number(value, 8);
}
