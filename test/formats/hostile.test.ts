/**
 * Headers that lie. Right: an error that names file, byte and reason; no crash, no memory beyond the header's own size, no tensor
 * that reaches outside its file or into another one.
 */
import { describe, expect, it } from 'vitest';
import {
  npyHeader,
  safetensorsHeader,
  type WrittenValue,
  writeGguf,
  writeNpy,
  writeSafetensors,
  writeZip,
} from '../../proof/fuzz/format-files.js';
import { parseGguf, parseNpy, parseNpz, parseSafetensors } from '../../src/formats/index.js';
import { referenceBytes, refused } from './support.js';

const bytes = (length: number) => new Uint8Array(length);
const f32 = (name: string, shape: readonly number[], length: number) => ({
  name,
  type: 'F32',
  shape,
  bytes: bytes(length),
});
const setU64 = (file: Uint8Array, at: number, value: bigint) =>
  new DataView(file.buffer as ArrayBuffer, file.byteOffset).setBigUint64(at, value, true);
const setU32 = (file: Uint8Array, at: number, value: number) =>
  new DataView(file.buffer as ArrayBuffer, file.byteOffset).setUint32(at, value, true);

describe('a hostile safetensors file', () => {
  const parse =
    (header: string, dataBytes = 8) =>
    () =>
      parseSafetensors(writeSafetensors(header, [bytes(dataBytes)]).bytes, { name: 'model.safetensors' });
  const entry = (fields: string) => `{"a":{${fields}}}`;

  const cases: [what: string, header: string, code: string, message: RegExp][] = [
    [
      'a name twice',
      '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
      'EBADMSG',
      /model\.safetensors, byte 61: .*"a" is there twice/,
    ],
    [
      'two tensors on the same bytes',
      '{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
      'EBADMSG',
      /tensor "b".*within the tensor before it/,
    ],
    [
      'bytes of no tensor between',
      '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}',
      'EBADMSG',
      /of no tensor/,
    ],
    [
      'bytes of no tensor at the end',
      entry('"dtype":"U8","shape":[4],"data_offsets":[0,4]'),
      'EBADMSG',
      /the 4 bytes from here on are of no tensor/,
    ],
    [
      'an end beyond the file',
      entry('"dtype":"U8","shape":[9],"data_offsets":[0,9]'),
      'EBADMSG',
      /ends at byte \d+ of a file of/,
    ],
    [
      'an end before the beginning',
      entry('"dtype":"U8","shape":[0],"data_offsets":[8,0]'),
      'EBADMSG',
      /begins at 8 and ends at 0/,
    ],
    [
      'a shape whose product is beyond 2^53',
      entry('"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8]'),
      'EBADMSG',
      /has NaN bytes/,
    ],
    [
      'a shape that overflows to the right number of 64 bits',
      entry('"dtype":"U8","shape":[9223372036854775808,2,8],"data_offsets":[0,8]'),
      'EBADMSG',
      /below 2\^53/,
    ],
    [
      'offsets beyond 2^53',
      entry('"dtype":"U8","shape":[8],"data_offsets":[0,18446744073709551615]'),
      'EBADMSG',
      /below 2\^53/,
    ],
    ['a negative length', entry('"dtype":"U8","shape":[-8],"data_offsets":[0,8]'), 'EBADMSG', /its shape/],
    ['a fraction', entry('"dtype":"U8","shape":[8.5],"data_offsets":[0,8]'), 'EBADMSG', /its shape/],
    [
      'a type that is none',
      entry('"dtype":"Q4","shape":[8],"data_offsets":[0,8]'),
      'EOPNOTSUPP',
      /"Q4": known are BOOL, U8/,
    ],
    ['half bytes', entry('"dtype":"F4","shape":[15],"data_offsets":[0,8]'), 'EBADMSG', /has NaN bytes/],
    ['no offsets', entry('"dtype":"U8","shape":[8]'), 'EBADMSG', /data_offsets/],
    [
      'metadata that is no text',
      '{"__metadata__":{"a":1},"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}',
      'EBADMSG',
      /__metadata__/,
    ],
    ['a header that ends early', '{"a":', 'EBADMSG', /a value should be here/],
    ['text after the header', '{}{}', 'EBADMSG', /more text/],
    ['objects a thousand deep', `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`, 'EBADMSG', /64 deep/],
    ['a name with control characters', '{"a\u0001":{}}', 'EBADMSG', /control characters/],
  ];
  for (const [what, header, code, message] of cases) {
    it(`${what}: ${code}`, () => refused(parse(header), code, message));
  }

  it('a length of the header beyond the file, or beyond all sense: EBADMSG', () => {
    const file = writeSafetensors(safetensorsHeader([f32('a', [2], 8)]), [bytes(8)]).bytes;
    for (const [length, message] of [
      [BigInt(file.length), /ends beyond the file/],
      [100_000_001n, /more than 100000000/],
      [2n ** 63n, /header length is NaN/],
    ] as const) {
      setU64(file, 0, length);
      refused(() => parseSafetensors(file), 'EBADMSG', message);
    }
  });

  it('names that JavaScript objects have are names like others', () => {
    const names = ['__proto__', 'constructor', 'toString'];
    const tensors = names.map((name) => f32(name, [1], 4));
    const file = parseSafetensors(
      writeSafetensors(
        safetensorsHeader(tensors),
        tensors.map((each) => each.bytes),
      ).bytes,
    );
    expect([...file.tensors.keys()]).toEqual(names);
    refused(() => file.tensor('valueOf'), 'ENOENT', /no tensor "valueOf": it has 3, "__proto__"/);
  });

  it('another format is EINVAL, not damage', () => {
    refused(() => parseSafetensors(referenceBytes('all.gguf')), 'EINVAL', /no safetensors file/);
    refused(() => parseSafetensors(bytes(3)), 'EINVAL', /it has 3 bytes/);
  });
});

describe('a hostile GGUF file', () => {
  const tensor = (name: string, shape: readonly number[], length: number, type = 0) => ({
    name,
    type,
    shape,
    bytes: bytes(length),
  });
  const write = (...tensors: ReturnType<typeof tensor>[]) => writeGguf({ tensors }).bytes;

  it('counts beyond the file: EBADMSG at once, without room for them', () => {
    for (const at of [8, 16]) {
      for (const count of [1000n, 2n ** 40n, 2n ** 64n - 1n]) {
        const file = write(tensor('a', [2], 8));
        setU64(file, at, count);
        refused(() => parseGguf(file), 'EBADMSG', /the file|can hold|18446744073709551615/);
      }
    }
  });

  it('lists longer than the file, and lists in lists in lists: EBADMSG', () => {
    const listOf = (value: WrittenValue, of: number): WrittenValue => [9, [value], of];
    let deep: WrittenValue = [9, [], 0];
    for (let i = 0; i < 50; i++) deep = listOf(deep, 9);
    refused(() => parseGguf(writeGguf({ values: [['deep', deep]], tensors: [] }).bytes), 'EBADMSG', /8 deep/);
    const file = writeGguf({ values: [['list', [9, [[0, 1]], 0]]], tensors: [] }).bytes;
    const countAt = 24 + 8 + 4 + 4 + 4;
    for (const count of [100n, 2n ** 50n, 2n ** 63n]) {
      setU64(file, countAt, count);
      refused(() => parseGguf(file), 'EBADMSG', /the value "list"/);
    }
  });

  it('a tensor or value twice, tensors on the same bytes, or beyond the file: EBADMSG', () => {
    refused(
      () => parseGguf(write(tensor('a', [2], 8), tensor('a', [2], 8))),
      'EBADMSG',
      /"a" is there twice/,
    );
    const values = [
      ['x', [4, 1]],
      ['x', [4, 1]],
    ] as const;
    refused(() => parseGguf(writeGguf({ values, tensors: [] }).bytes), 'EBADMSG', /"x" is there twice/);
    const both = write(tensor('a', [16], 64), tensor('b', [16], 64));
    const offsetOfSecond = 24 + 2 * (8 + 1 + 4 + 8 + 4 + 8) - 8;
    setU64(both, offsetOfSecond, 32n);
    refused(() => parseGguf(both), 'EBADMSG', /"a" and "b" overlap/);
    setU64(both, offsetOfSecond, 96n);
    refused(() => parseGguf(both), 'EBADMSG', /"b" ends at byte/);
    setU64(both, offsetOfSecond, 65n);
    refused(() => parseGguf(both), 'EBADMSG', /no multiple of the file's alignment 32/);
  });

  it('shapes that overflow, too many dimensions, rows of broken blocks, unknown types', () => {
    const file = write(tensor('a', [2, 2], 16));
    const shapeAt = 24 + 8 + 1 + 4;
    setU64(file, shapeAt, 2n ** 52n);
    refused(() => parseGguf(file), 'EBADMSG', /2\^53 elements/);
    refused(() => parseGguf(write(tensor('a', [1, 1, 1, 1, 1], 4))), 'EBADMSG', /5 dimensions/);
    refused(() => parseGguf(write(tensor('a', [4, 33], 18, 2))), 'EBADMSG', /row of 33.*Q4_0 blocks of 32/);
    refused(() => parseGguf(write(tensor('a', [4], 4, 99))), 'EOPNOTSUPP', /type 99/);
  });

  it('an alignment that is no power of two; other versions and byte orders', () => {
    const aligned = (value: WrittenValue) =>
      writeGguf({ values: [['general.alignment', value]], tensors: [] }).bytes;
    for (const value of [
      [4, 0],
      [4, 48],
      [8, 'x'],
    ] as const) {
      refused(() => parseGguf(aligned(value)), 'EBADMSG', /general\.alignment/);
    }
    const file = write();
    setU32(file, 4, 1);
    refused(() => parseGguf(file), 'EOPNOTSUPP', /version 1/);
    setU32(file, 4, 0x03000000);
    refused(() => parseGguf(file), 'EOPNOTSUPP', /big-endian/);
  });
});

describe('a hostile npy or npz file', () => {
  const parse =
    (header: string, length = 24) =>
    () =>
      parseNpy(writeNpy(header, bytes(length)).bytes);

  it('shapes beyond the file or 2^53, negative ones, types that are none', () => {
    refused(parse(npyHeader("'<f8'", false, [4])), 'EBADMSG', /has 32 bytes, and the file has 24/);
    refused(parse(npyHeader("'<f8'", false, [2 ** 40, 2 ** 40])), 'EBADMSG', /has NaN bytes/);
    refused(parse(npyHeader("'<f8'", false, [-3])), 'EBADMSG', /shape/);
    refused(parse(npyHeader("'<f5'", false, [3])), 'EBADMSG', /no type of NumPy/);
    refused(
      parse(npyHeader('[("a", "<f4", (9999999999, 9999999999))]', false, [1])),
      'EBADMSG',
      /no type of NumPy/,
    );
    refused(parse(npyHeader('[("a", "|O")]', false, [1])), 'EOPNOTSUPP', /pickle/);
  });

  it('headers that are no dict, code, deep, or longer than the file', () => {
    refused(parse('__import__("os").system("true")'), 'EBADMSG', /a value should be here/);
    refused(parse(`${'('.repeat(500)}${')'.repeat(500)}`), 'EBADMSG', /32 deep/);
    refused(parse("{'descr': '<f8', 'descr': '<f4'}"), 'EBADMSG', /"descr" is there twice/);
    refused(parse("{'descr': '<f8'}"), 'EBADMSG', /no descr, fortran_order or shape/);
    const file = writeNpy(npyHeader("'<f8'", false, [3]), bytes(24)).bytes;
    new DataView(file.buffer).setUint16(8, 65535, true);
    refused(() => parseNpy(file), 'EBADMSG', /header of 65535 bytes ends beyond/);
  });

  const npy = writeNpy(npyHeader("'<f8'", false, [3]), bytes(24)).bytes;
  it('an archive whose entries share bytes, lie about their place or have one name', () => {
    const two = [
      { name: 'a.npy', bytes: npy },
      { name: 'b.npy', bytes: npy },
    ];
    for (const is64 of [false, true]) {
      expect([...parseNpz(writeZip(two, is64).bytes).tensors.keys()]).toEqual(['a', 'b']);
    }
    refused(() => parseNpz(writeZip([two[0]!, two[0]!]).bytes), 'EBADMSG', /"a\.npy" is there twice/);
    const file = writeZip(two).bytes;
    const directory = 2 * (30 + 5 + npy.length);
    setU32(file, directory + 46 + 5 + 42, 0); // the second entry is where the first one is
    refused(() => parseNpz(file), 'EBADMSG', /"b\.npy" is not where the directory has it/);
    const long = writeZip(two).bytes;
    setU32(long, directory + 20, npy.length + 10);
    refused(() => parseNpz(long), 'EBADMSG', /"a\.npy" is stored, of \d+ bytes in \d+/);
    setU32(long, directory + 24, npy.length + 10);
    refused(() => parseNpz(long), 'EBADMSG', /"a\.npy" and "b\.npy" overlap/);
    refused(() => parseNpz(bytes(100)), 'EINVAL', /no directory at its end/);
    const counted = writeZip(two).bytes;
    new DataView(counted.buffer).setUint16(counted.length - 12, 60000, true);
    refused(() => parseNpz(counted), 'EBADMSG', /cannot have 60000 entries/);
  });
});
