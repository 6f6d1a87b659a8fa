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
import { parseArrow, parseGguf, parseNpy, parseNpz, parseSafetensors } from '../../src/formats/index.js';
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
    refused(() => parseNpz(long), 'EBADMSG', /"a\.npy" and "b\.npy" overlap/);
    refused(() => parseNpz(bytes(100)), 'EINVAL', /no directory at its end/);
    const counted = writeZip(two).bytes;
    new DataView(counted.buffer).setUint16(counted.length - 12, 60000, true);
    refused(() => parseNpz(counted), 'EBADMSG', /cannot have 60000 entries/);
  });
});

describe('a hostile Arrow file', () => {
  it('cut anywhere: an answer or a proper error, never anything else', () => {
    for (const name of ['all.arrow', 'all.arrows']) {
      const whole = referenceBytes(name);
      for (let length = 0; length < whole.length; length += 13) {
        let code: unknown;
        try {
          parseArrow(whole.slice(0, length));
        } catch (error) {
          code = (error as { code?: unknown }).code;
        }
        expect(['EBADMSG', 'EINVAL', undefined], `${name} cut to ${length}`).toContain(code);
      }
    }
  });

  it('a footer or message longer than the file: EBADMSG', () => {
    const file = referenceBytes('all.arrow');
    setU32(file, file.length - 10, file.length);
    refused(() => parseArrow(file), 'EBADMSG', /footer length/);
    const stream = referenceBytes('all.arrows');
    setU32(stream, 4, 2 ** 31 - 1);
    refused(() => parseArrow(stream), 'EBADMSG', /bytes of metadata/);
  });

  // What went wrong: a message of no length, which ends a stream, ended parseArrow() of a file with a TypeError.
  it('a message of the footer that is only the mark of an end: EBADMSG', () => {
    const file = referenceBytes('all.arrow');
    const at = Buffer.from(file.buffer).indexOf(Uint8Array.of(255, 255, 255, 255), 64);
    const view = new DataView(file.buffer);
    // The batches come after the schema and the dictionary: every message but the first loses its length.
    for (let next = at; next > 0; ) {
      if (next % 8 === 0) view.setUint32(next + 4, 0, true);
      next = Buffer.from(file.buffer).indexOf(Uint8Array.of(255, 255, 255, 255), next + 1);
    }
    refused(() => parseArrow(file), 'EBADMSG', /a message of the footer is not there/);
  });

  it('a buffer beyond its message: EBADMSG', () => {
    const stream = referenceBytes('delta.arrows');
    const whole = parseArrow(stream);
    const { byteOffset, byteLength } = whole.batches[0]!.columns[0]!.values!;
    // A buffer is (offset, length): each number that equals the length may be it.
    const errors: string[] = [];
    for (let at = 0; at + 16 <= byteOffset; at += 8) {
      const view = new DataView(stream.slice().buffer);
      if (Number(view.getBigUint64(at, true)) !== byteLength) continue;
      view.setBigUint64(at, 4096n, true);
      try {
        parseArrow(view);
      } catch (error) {
        errors.push((error as Error).message);
      }
    }
    expect(errors).toContainEqual(
      expect.stringMatching(/a buffer of 4096 bytes at \d+ ends beyond its message/),
    );
  });

  // What went wrong: each batch kept a list of its own of all pieces so far.
  it('a dictionary in thousands of pieces is one list, not one for each batch', () => {
    const stream = referenceBytes('delta.arrows');
    const starts: number[] = [];
    for (let at = 0; at < stream.length; at += 8) {
      if (new DataView(stream.buffer).getUint32(at, true) === 0xffffffff) starts.push(at);
    }
    // Schema, dictionary, batch, delta, batch, end.
    expect(starts.length).toBe(6);
    const again = Array.from({ length: 3000 }, () => stream.subarray(starts[3], starts[5]));
    const file = parseArrow(Buffer.concat([stream.subarray(0, starts[5]), ...again]));
    expect(file.batches.length).toBe(3002);
    const dictionaries = new Set(file.column('words').map(({ dictionary }) => dictionary));
    expect(dictionaries.size).toBe(1);
    expect([...dictionaries][0]!.length).toBe(3002);
    expect(file.column('words')[1]!.text(0)).toBe('c');
  });

  it('a few tables that lead to each other again and again are no tree of millions', () => {
    // Each field lists the next one 64 times: 64 ^ 12 fields if every path were walked.
    refused(
      () => parseArrow(schemaOfSharedChildren(12, 64)),
      'EBADMSG',
      /its tables share their parts|outside/,
    );
  });
});

/** A stream whose schema has fields of structs that share their children. Tables lie before what they lead to. */
function schemaOfSharedChildren(levels: number, times: number): Uint8Array {
  const metadata = new Uint8Array(64 + levels * (64 + 4 * times) + 64);
  const view = new DataView(metadata.buffer);
  let at = 4;
  /** A table whose fields are 4 bytes each, by slot. @returns where each field is */
  const table = (slots: Record<number, number>): { table: number; fields: Record<number, number> } => {
    const count = Math.max(...Object.keys(slots).map(Number)) + 1;
    const vtable = at;
    view.setUint16(vtable, 4 + 2 * count, true);
    const start = (vtable + 4 + 2 * count + 3) & ~3;
    view.setInt32(start, start - vtable, true);
    const fields: Record<number, number> = {};
    let next = start + 4;
    for (const [slot, value] of Object.entries(slots)) {
      view.setUint16(vtable + 4 + 2 * Number(slot), next - start, true);
      view.setUint32(next, value, true);
      fields[Number(slot)] = next;
      next += 4;
    }
    view.setUint16(vtable + 2, next - start, true);
    at = next;
    return { table: start, fields };
  };
  const lead = (from: number, to: number) => view.setUint32(from, to - from, true);
  const message = table({ 0: 4, 1: 1, 2: 0 });
  lead(0, message.table);
  const schema = table({ 1: 0 });
  lead(message.fields[2]!, schema.table);
  let list = schema.fields[1]!;
  for (let level = 0; level < levels; level++) {
    lead(list, at);
    view.setUint32(at, times, true);
    const elements = at + 4;
    at = elements + 4 * times;
    const field = table({ 2: 13, 3: 0, 5: 0 }); // struct
    for (let i = 0; i < times; i++) lead(elements + 4 * i, field.table);
    const type = table({ 0: 0 });
    lead(field.fields[3]!, type.table);
    list = field.fields[5]!;
  }
  lead(list, at);
  const stream = new Uint8Array(8 + metadata.length);
  new DataView(stream.buffer).setUint32(0, 0xffffffff, true);
  new DataView(stream.buffer).setUint32(4, metadata.length, true);
  stream.set(metadata, 8);
  return stream;
}
