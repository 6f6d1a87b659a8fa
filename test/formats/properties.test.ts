/** What a small writer wrote is read again: same names, shapes and bytes, and every byte a view of the buffer given. */
import fc from 'fast-check';
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
import { type AnyTensor, parseGguf, parseNpy, parseNpz, parseSafetensors } from '../../src/formats/index.js';
import { Tally } from '../support/tally.js';
import { hex, refused } from './support.js';

const name = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => text !== '__metadata__');
const shape = fc.array(fc.nat({ max: 6 }), { maxLength: 4 });

/** Tensors of types with so many bytes an element. */
function tensors(types: Readonly<Record<string, number>>) {
  const one = fc.record({ name, type: fc.constantFrom(...Object.keys(types)), shape, seed: fc.nat() });
  return fc.uniqueArray(one, { selector: (each) => each.name, maxLength: 8 }).map((all) =>
    all.map(({ seed, ...each }) => {
      const length = each.shape.reduce((product, next) => product * next, types[each.type]!);
      return { ...each, bytes: Uint8Array.from({ length }, (_, i) => (seed + 7 * i) & 255) };
    }),
  );
}

type Made = { name: string; type: string | number; shape: readonly number[]; bytes: Uint8Array };

/** @returns how many tensors could be seen as they are */
function compare(found: ReadonlyMap<string, AnyTensor>, made: readonly Made[], given: Uint8Array): number {
  expect([...found.keys()]).toEqual(made.map((each) => each.name));
  let seen = 0;
  for (const { name, shape, bytes } of made) {
    const tensor = found.get(name)!;
    expect(tensor.shape).toEqual(shape);
    expect(tensor.length).toBe(shape.reduce((product, next) => product * next, 1));
    expect(tensor.bytes.buffer).toBe(given.buffer);
    expect(hex(tensor.bytes as unknown as Uint8Array)).toBe(hex(bytes));
    if (tensor.isCopy) refused(() => tensor.data, 'EINVAL', /allowCopy/);
    else {
      seen++;
      expect(tensor.data.buffer).toBe(given.buffer);
      expect(hex(tensor.data as unknown as Uint8Array)).toBe(hex(bytes));
    }
  }
  return seen;
}

/** The file at some address, which may fit no array. */
function placed(file: Uint8Array, shift: number): Uint8Array {
  const all = new Uint8Array(file.length + 16);
  all.set(file, shift);
  return all.subarray(shift, shift + file.length);
}

describe('what was written is read again', () => {
  it('safetensors, aligned or not', () => {
    const tally = new Tally();
    const types = { BOOL: 1, U8: 1, I16: 2, BF16: 2, F16: 2, F32: 4, I64: 8, F64: 8, C64: 8 };
    fc.assert(
      fc.property(
        tensors(types),
        fc.dictionary(name, fc.string({ unit: 'grapheme' })),
        fc.nat({ max: 15 }),
        (made, metadata, shift) => {
          const { bytes } = writeSafetensors(
            safetensorsHeader(made, metadata),
            made.map((each) => each.bytes),
          );
          const given = placed(bytes, shift);
          const file = parseSafetensors(given);
          expect(Object.fromEntries(file.metadata)).toEqual({ ...metadata });
          const seen = compare(file.tensors, made, given);
          tally.count('seen as they are', seen > 0);
          tally.count('not to be seen as they are', seen < made.length);
        },
      ),
    );
    tally.mustReach({ 'seen as they are': 0.3, 'not to be seen as they are': 0.1 });
  });

  it('GGUF with values of all types', () => {
    const value: fc.Arbitrary<[WrittenValue, unknown]> = fc.oneof(
      fc.nat({ max: 255 }).map((n): [WrittenValue, unknown] => [[0, n], n]),
      fc.integer({ min: -128, max: 127 }).map((n): [WrittenValue, unknown] => [[1, n], n]),
      fc.integer().map((n): [WrittenValue, unknown] => [[5, n], n]),
      fc.float().map((n): [WrittenValue, unknown] => [[6, n], n]),
      fc.boolean().map((b): [WrittenValue, unknown] => [[7, Number(b)], b]),
      name.map((text): [WrittenValue, unknown] => [[8, text], text]),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((n): [WrittenValue, unknown] => [[10, n], n]),
      fc.double().map((n): [WrittenValue, unknown] => [[12, n], n]),
      fc
        .array(name)
        .map((all): [WrittenValue, unknown] => [[9, all.map((each) => [8, each] as const), 8], all]),
      fc
        .array(fc.integer({ min: -32768, max: 32767 }))
        .map((all): [WrittenValue, unknown] => [
          [9, all.map((each) => [3, each] as const), 3],
          Int16Array.from(all),
        ]),
    );
    const values = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 8 });
    const alignment = fc.constantFrom(8, 32, 128);
    fc.assert(
      fc.property(
        tensors({ 0: 4, 1: 2, 24: 1, 27: 8, 30: 2 }),
        values,
        alignment,
        fc.constantFrom(2, 3),
        (made, list, align, version) => {
          const all = [
            ['general.alignment', [4, align]] as const,
            ...list.map(([key, [wanted]]) => [key, wanted] as const),
          ];
          const given = writeGguf({ version, alignment: align, values: all, tensors: made }).bytes;
          const file = parseGguf(given);
          expect(compare(file.tensors, made, given)).toBe(made.length);
          expect([...file.metadata.keys()]).toEqual(all.map(([key]) => key));
          for (const [key, [, wanted]] of list) expect(file.metadata.get(key)).toEqual(wanted);
          for (const tensor of file.tensors.values()) expect(tensor.byteOffset % align).toBe(0);
        },
      ),
    );
  });

  it('npy, in both orders, alone and in archives of both kinds', () => {
    const types = { "'<f4'": 4, "'|u1'": 1, "'<i8'": 8, "'|S3'": 3, "'<c16'": 16 };
    fc.assert(
      fc.property(
        tensors(types),
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(1 as const, 2 as const, 3 as const),
        (made, isColumnMajor, is64, version) => {
          const files = made.map(
            ({ type, shape, bytes }) => writeNpy(npyHeader(type, isColumnMajor, shape), bytes, version).bytes,
          );
          for (const [i, given] of files.entries()) {
            const { array } = parseNpy(given);
            expect(array.isColumnMajor).toBe(isColumnMajor);
            expect(compare(new Map([[made[i]!.name, array]]), [made[i]!], given)).toBe(1);
          }
          const entries = files.map((bytes, i) => ({ name: `${made[i]!.name}.npy`, bytes }));
          const given = writeZip([...entries, { name: 'notes.txt', bytes: new Uint8Array(3) }], is64).bytes;
          const archive = parseNpz(given);
          expect(archive.otherEntries).toEqual(['notes.txt']);
          compare(archive.tensors, made, given);
        },
      ),
    );
  });
});
