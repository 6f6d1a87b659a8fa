/** Files that the formats' own tools made (test/formats/record.py), and what those tools say is in them. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ggufTypes } from '../../src/formats/gguf-types.js';
import {
  type Arrow,
  type ArrowVector,
  parseArrow,
  parseGguf,
  parseNpy,
  parseNpz,
  parseSafetensors,
  type TensorFile,
  toFloat32,
} from '../../src/formats/index.js';
import { hex, referenceBytes, referenceFolder, refused } from './support.js';

interface ExpectedTensor {
  type: string;
  shape: number[];
  hex: string;
  fortran?: boolean;
  offset?: number;
}
interface ExpectedColumn {
  type: string;
  nulls: number;
  rows: number;
  hex?: string;
  texts?: (string | null)[];
}
interface Expected {
  metadata?: Record<string, unknown>;
  sizes?: Record<string, [number, number]>;
  tensors: Record<string, ExpectedTensor>;
  batches?: Record<string, ExpectedColumn>[];
}

const { files } = JSON.parse(fs.readFileSync(path.join(referenceFolder, 'expected.json'), 'utf8')) as {
  files: Record<string, Expected>;
};
const expectedOf = (name: string) => files[name]!;

function compareTensors(name: string, file: TensorFile, given: Uint8Array): void {
  const { tensors } = expectedOf(name);
  expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
  for (const [tensorName, wanted] of Object.entries(tensors)) {
    const tensor = file.tensor(tensorName);
    expect(tensor.bytes.buffer, 'no copy').toBe(given.buffer);
    expect({
      type: tensor.type,
      shape: tensor.shape,
      hex: hex(tensor.bytes as unknown as Uint8Array),
    }).toEqual({
      type: wanted.type,
      shape: wanted.shape,
      hex: wanted.hex,
    });
    expect(tensor.isColumnMajor).toBe(wanted.fortran ?? false);
  }
}

describe('safetensors that its own library wrote', () => {
  const given = referenceBytes('all.safetensors');
  const file = parseSafetensors(given);

  it('has the same names, types, shapes, bytes and metadata, all of it views', () => {
    compareTensors('all.safetensors', file, given);
    expect(Object.fromEntries(file.metadata)).toEqual(expectedOf('all.safetensors').metadata);
  });

  it('gives the array that fits each type', () => {
    const data = (name: string) => file.tensor(name).data;
    expect(data('i64')).toEqual(BigInt64Array.of(-(2n ** 62n), 7n));
    expect(data('u64')).toEqual(BigUint64Array.of(2n ** 63n + 1n));
    expect(data('f64')).toEqual(Float64Array.of(3.25));
    expect(data('i16')).toEqual(Int16Array.of(-3, -2, -1, 0, 1, 2));
    expect(data('bool')).toEqual(Uint8Array.of(1, 0, 1));
    expect(data('c64')).toEqual(Float32Array.of(1, 2, -0, -3));
    expect(data('empty')).toEqual(new Float32Array(0));
    expect(data('bf16')).toBeInstanceOf(Uint16Array);
    expect(data('f8_e4m3')).toBeInstanceOf(Uint8Array);
    const half = file.tensor('f16').data;
    const Half = (globalThis as { Float16Array?: new () => object }).Float16Array ?? Uint16Array;
    expect(half).toBeInstanceOf(Half);
  });

  it('copies small floats to 32-bit ones when asked', () => {
    expect([...toFloat32(file.tensor('f16'))]).toEqual([0.5, -2, 65504]);
    expect([...toFloat32(file.tensor('bf16'))].map((value) => Math.fround(value))).toEqual([
      1.5,
      -0.25,
      expect.closeTo(3e38, -36),
    ]);
    expect([...toFloat32(file.tensor('f8_e4m3'))]).toEqual([1.5, -448, 0.001953125]);
    expect([...toFloat32(file.tensor('f8_e5m2'))]).toEqual([1.5, -57344, 2 ** -16]);
    expect([...toFloat32(file.tensor('i64'))]).toEqual([-(2 ** 62), 7]);
    refused(() => toFloat32(file.tensor('c64')), 'EINVAL', /C64.* no plain number/);
  });
});

describe('GGUF that its own library wrote', () => {
  const given = referenceBytes('all.gguf');
  const file = parseGguf(given);

  it('has the same names, types, shapes and bytes, all of it views on the alignment', () => {
    const { tensors } = expectedOf('all.gguf');
    expect([file.version, file.alignment]).toEqual([3, 64]);
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, wanted] of Object.entries(tensors)) {
      const { type, shape, bytes, byteOffset } = file.tensor(name);
      expect(bytes.buffer, 'no copy').toBe(given.buffer);
      expect({ type, shape, hex: hex(bytes as unknown as Uint8Array), byteOffset }).toEqual({
        type: wanted.type,
        shape: wanted.shape,
        hex: wanted.hex,
        byteOffset: wanted.offset,
      });
    }
  });

  it('tells block and shape of quantized tensors', () => {
    const tensor = file.tensor('q4_0');
    expect(tensor).toMatchObject({ dtype: 'quantized', type: 'Q4_0', block: { elements: 32, bytes: 18 } });
    expect(tensor.shape).toEqual([2, 256]);
    expect(tensor.data).toBeInstanceOf(Uint8Array);
    expect(tensor.byteLength).toBe((512 / 32) * 18);
  });

  it('has the values of all types', () => {
    for (const [name, wanted] of Object.entries(expectedOf('all.gguf').metadata!)) {
      const value = file.metadata.get(name);
      const plain = ArrayBuffer.isView(value) ? [...(value as Uint8Array)] : value;
      expect(typeof plain === 'bigint' ? String(plain) : plain, name).toEqual(wanted);
    }
    expect(file.metadata.get('nothing')).toBeUndefined();
    expect(file.metadata.has('test.text')).toBe(true);
  });

  it('knows every type that the library knows, with its size', () => {
    const ours = Object.fromEntries(
      [...ggufTypes.values()].map(({ name, block }) => [name, [block.elements, block.bytes]]),
    );
    expect(ours).toEqual(expectedOf('all.gguf').sizes);
  });
});

describe('npy and npz that NumPy wrote', () => {
  for (const name of Object.keys(files).filter((each) => each.endsWith('.npy'))) {
    it(`${name}: type, shape, order and bytes are the same, as a view`, () => {
      const given = referenceBytes(name);
      compareTensors(name, parseNpy(given), given);
    });
  }

  it('numbers of the other byte order are copied only when asked', () => {
    const given = referenceBytes('big.npy');
    refused(() => parseNpy(given).array.data, 'EINVAL', /big-endian.*allowCopy: true/);
    const { array } = parseNpy(given, { allowCopy: true });
    expect([array.isCopy, array.data]).toEqual([true, Float64Array.of(0, 1, 2, 3)]);
  });

  it('text, dates and records are told by type and size of an item', () => {
    expect(parseNpy(referenceBytes('text.npy')).array).toMatchObject({
      dtype: 'opaque',
      type: '<U2',
      block: { bytes: 8 },
    });
    expect(parseNpy(referenceBytes('date.npy')).array).toMatchObject({ dtype: 'i64', type: '<M8[D]' });
    expect(parseNpy(referenceBytes('record.npy')).array).toMatchObject({
      dtype: 'opaque',
      block: { bytes: 12 },
    });
  });

  it('Python objects are refused, since to read them would run code', () => {
    refused(() => parseNpy(referenceBytes('objects.npy')), 'EOPNOTSUPP', /pickle/);
  });

  it('stored entries of an npz are views; deflated ones are refused with the way out', () => {
    const given = referenceBytes('stored.npz');
    const { tensors } = expectedOf('stored.npz');
    const file = parseNpz(given, { allowCopy: true });
    for (const [name, wanted] of Object.entries(tensors)) {
      const tensor = file.tensor(name);
      expect(tensor.bytes.buffer).toBe(given.buffer);
      const { byteOffset, byteLength } = tensor;
      expect(hex(given.subarray(byteOffset, byteOffset + byteLength))).toBe(wanted.hex);
      expect(hex(tensor.bytes as unknown as Uint8Array)).toBe(wanted.hex);
      expect(hex(tensor.data as unknown as Uint8Array)).toBe(wanted.hex);
    }
    refused(() => parseNpz(referenceBytes('deflated.npz')), 'EOPNOTSUPP', /f4\.npy.*compressed.*savez\(\)/);
  });
});

describe('Arrow IPC that pyarrow wrote', () => {
  for (const name of ['all.arrow', 'all.arrows', 'delta.arrows', 'replaced.arrows', 'version4.arrows']) {
    it(`${name}: rows, nulls, numbers and texts are the same, as views`, () => {
      const given = referenceBytes(name);
      const { batches } = expectedOf(name);
      const file = parseArrow(given);
      expect(file.batches.length).toBe(batches!.length);
      expect(Object.fromEntries(file.schema.metadata)).toEqual(expectedOf(name).metadata);
      for (const [i, batch] of batches!.entries()) {
        for (const [column, wanted] of Object.entries(batch)) {
          compareColumn(file.column(column)[i]!, wanted, given);
        }
      }
    });
  }

  it('types are named, nested ones with their children', () => {
    const { schema } = parseArrow(referenceBytes('all.arrow'));
    const name = ({ type, children }: Arrow['schema']['fields'][number]): string =>
      children.length === 0 ? type.name : `${type.name}<${children.map(name).join(', ')}>`;
    const types = Object.fromEntries(schema.fields.map((field) => [field.name, name(field)]));
    expect(types).toMatchObject({
      i32: 'int32',
      u64: 'uint64',
      f16: 'float16',
      text: 'utf8',
      large: 'large_utf8',
      time: 'timestamp[us, UTC]',
      date: 'date32[day]',
      span: 'duration[ns]',
      money: 'decimal128(10, 2)',
      id: 'fixed_size_binary[4]',
      list: 'list<int16>',
      pair: 'fixed_size_list[2]<float32>',
      struct: 'struct<int64, utf8>',
      map: 'map<struct<utf8, int32>>',
      dense: 'dense_union<int64, utf8>',
      runs: 'run_end_encoded<int32, int8>',
      view: 'utf8_view',
      nested: 'list<list<utf8>>',
    });
    expect(schema.fields.find((field) => field.name === 'words')!.dictionary!.index.name).toBe('int32');
  });

  it('lists have offsets and children, views their buffers', () => {
    const file = parseArrow(referenceBytes('all.arrow'));
    const [list] = file.column('list');
    expect([...(list!.offsets!.data as unknown as Int32Array)]).toEqual([0, 2, 2, 2]);
    expect([...(list!.children[0]!.values!.data as unknown as Int16Array)]).toEqual([1, 2]);
    expect([list!.isNull(0), list!.isNull(1), list!.isNull(2)]).toEqual([false, true, false]);
    const [views] = file.column('view');
    expect([views!.values!.shape, views!.extra.length]).toEqual([[3, 16], 1]);
    expect(file.column('pair')[0]!.children[0]!.values!.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    expect(file.column('sparse')[0]!.typeIds!.data).toEqual(Int8Array.of(0, 1, 0));
    refused(() => list!.text(0), 'EINVAL', /"list" is of list, not of texts/);
    refused(() => list!.isNull(3), 'ERANGE', /row 3 of 3/);
    refused(() => file.column('none'), 'ENOENT', /no column "none".*"i32"/);
  });

  it('unions of metadata version 4 have a validity before their types', () => {
    const file = parseArrow(referenceBytes('version4.arrows'));
    expect(file.column('sparse')[0]!.typeIds!.data).toEqual(Int8Array.of(0, 1, 0));
    expect(file.column('dense')[0]!.offsets!.data).toEqual(Int32Array.of(0, 0, 1));
    expect(file.column('text')[0]!.text(2)).toBe('h\u00e9');
  });

  it('compressed buffers are refused with the codec', () => {
    refused(() => parseArrow(referenceBytes('lz4.arrow')), 'EOPNOTSUPP', /compressed \(LZ4\)/);
    refused(() => parseArrow(referenceBytes('zstd.arrow')), 'EOPNOTSUPP', /compressed \(ZSTD\)/);
  });
});

function compareColumn(vector: ArrowVector, wanted: ExpectedColumn, given: Uint8Array): void {
  expect(vector.length, vector.field.name).toBe(wanted.rows);
  // A union and a run have no nulls of their own.
  expect(vector.nullCount, vector.field.name).toBe(wanted.nulls);
  if (wanted.hex !== undefined && vector.values) {
    const { bytes } = vector.values;
    expect(bytes.buffer, 'no copy').toBe(given.buffer);
    // The whole column begins the buffer; a slice was written from its own start.
    if (wanted.rows === 3 && vector.values.dtype !== 'bit')
      expect(wanted.hex.startsWith(hex(bytes as unknown as Uint8Array))).toBe(true);
  }
  if (wanted.texts !== undefined) {
    expect(Array.from({ length: vector.length }, (_, row) => vector.text(row))).toEqual(wanted.texts);
  }
}
