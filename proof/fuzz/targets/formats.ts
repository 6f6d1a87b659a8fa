/** Models and tables: safetensors, GGUF, npy, npz and Arrow IPC. */
import fs from 'node:fs';
import path from 'node:path';
import {
  type AnyTensor,
  type Arrow,
  type ArrowVector,
  parseArrow,
  parseGguf,
  parseNpy,
  parseNpz,
  parseSafetensors,
  TensorFile,
} from '../../../src/formats/index.js';
import {
  npyHeader,
  safetensorsHeader,
  type Written,
  type WrittenTensor,
  writeGguf,
  writeNpy,
  writeSafetensors,
  writeZip,
} from '../format-files.js';
import { nasty, nastyName, nastyText, Random } from '../random.js';
import { answered, assert, type Target } from '../target.js';

const FOLDER = path.resolve('conformance/formats');
/** Bytes of others before and after the file. */
const MARGIN = 4096;
const MOST_ROWS = 64;

type Parser = (bytes: Uint8Array, options: { allowCopy: boolean }) => TensorFile | Arrow;
interface Case {
  readonly parse: Parser;
  readonly file: Written;
}

const some = (random: Random, bytes: number) => new Uint8Array(bytes).fill(random.below(256));
const names = (random: Random, count: number) =>
  Array.from({ length: count }, (_, i) => (random.once(3) ? nastyName(random).toString() : `layer.${i}`));

function tensorsOf(random: Random, types: readonly [string | number, number][]): WrittenTensor[] {
  return names(random, random.below(6)).map((name) => {
    const [type, bytes] = random.pick(types);
    const shape = Array.from({ length: random.below(4) }, () => random.below(5));
    const elements = shape.reduce((product, length) => product * length, 1);
    return { name, type, shape, bytes: some(random, elements * bytes) };
  });
}

/** Writes a valid file; `lie` changes texts of its header before their lengths are written. */
const makers: readonly ((random: Random, lie: (text: string) => string) => Case)[] = [
  (random, lie) => {
    const tensors = tensorsOf(random, [
      ['F32', 4],
      ['BF16', 2],
      ['U8', 1],
      ['I64', 8],
    ]);
    const header = safetensorsHeader(tensors, random.once(2) ? { format: 'pt' } : undefined);
    const data = tensors.map(({ bytes }) => bytes);
    return { parse: parseSafetensors, file: writeSafetensors(lie(header), data, random.pick([1, 8])) };
  },
  (random) => {
    const tensors = tensorsOf(random, [
      [0, 4],
      [1, 2],
      [24, 1],
      [27, 8],
    ]);
    const values = [
      ['general.architecture', [8, 'llama']],
      ['general.alignment', [4, random.pick([8, 32, 64])]],
      [
        'list',
        [
          9,
          [
            [
              9,
              [
                [5, 1],
                [5, -1],
              ],
              5,
            ],
            [9, [], 8],
          ],
          9,
        ],
      ],
      [
        'texts',
        [
          9,
          [
            [8, 'a'],
            [8, 'b'],
          ],
          8,
        ],
      ],
      [nastyName(random).toString(), [10, 2n ** 63n]],
    ] as const;
    const alignment = values[1][1][1];
    return {
      parse: parseGguf,
      file: writeGguf({ version: random.pick([2, 3]), alignment, values, tensors }),
    };
  },
  (random, lie) => ({ parse: parseNpy, file: npyFile(random, lie) }),
  (random, lie) => {
    const files = names(random, 1 + random.below(4)).map((name) => ({
      name: random.once(5) ? name : `${name}.npy`,
      bytes: npyFile(random, lie).bytes,
    }));
    return { parse: parseNpz, file: writeZip(files, random.once(2)) };
  },
  (random) => ({ parse: parseArrow, file: random.pick(arrowFiles) }),
];

function npyFile(random: Random, lie: (text: string) => string): Written {
  const [descr, bytes] = random.pick([
    ["'<f4'", 4],
    ["'>i8'", 8],
    ["'|S5'", 5],
    ["[('a', '<i4'), ('b', '<f8', (2,))]", 20],
  ] as const);
  const shape = Array.from({ length: random.below(4) }, () => random.below(5));
  const elements = shape.reduce((product, length) => product * length, 1);
  const version = random.pick([1, 2, 3] as const);
  return writeNpy(lie(npyHeader(descr, random.once(2), shape)), some(random, elements * bytes), version);
}

let arrowFiles: Written[] = [];

/** Every four bytes of metadata may be an offset, a length or a type. */
function arrowFile(name: string): Written {
  const bytes = new Uint8Array(fs.readFileSync(path.join(FOLDER, name)));
  const numbers: { at: number; size: 2 | 4 | 8 }[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += 2) {
    numbers.push({ at, size: 2 });
    if (at % 4 === 0) numbers.push({ at, size: 4 });
    if (at % 8 === 0) numbers.push({ at, size: 8 });
  }
  return { bytes, numbers };
}

function change(bytes: Uint8Array, { numbers }: Written, random: Random): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (random.below(10)) {
    case 0:
      return bytes.slice(0, random.below(bytes.length + 1));
    case 1: {
      const longer = new Uint8Array(bytes.length + random.below(64));
      longer.set(bytes);
      return longer;
    }
    case 2:
      if (bytes.length > 0) bytes[random.below(bytes.length)] = random.u32();
      return bytes;
    case 3: {
      const from = random.below(bytes.length + 1);
      bytes.copyWithin(random.below(bytes.length + 1), from, from + random.below(64));
      return bytes;
    }
    default: {
      const number = numbers.length === 0 ? undefined : random.pick(numbers);
      if (!number || number.at + number.size > bytes.length) return bytes;
      const { at, size } = number;
      if (size === 8) view.setBigUint64(at, nasty(random, view.getBigUint64(at, true)), true);
      else if (size === 4)
        view.setUint32(at, Number(nasty(random, BigInt(view.getUint32(at, true))) & 0xffffffffn), true);
      else view.setUint16(at, Number(nasty(random, BigInt(view.getUint16(at, true))) & 0xffffn), true);
      return bytes;
    }
  }
}

/** The file in the middle of a buffer whose other bytes are somebody else's. */
function amongOthers(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 2 * MARGIN).fill(0xa5);
  all.set(bytes, MARGIN);
  return all.subarray(MARGIN, MARGIN + bytes.length);
}

function checkTensor(tensor: AnyTensor, file: Uint8Array): void {
  const { bytes, name } = tensor;
  const isWithin =
    bytes.buffer === file.buffer &&
    bytes.byteOffset >= file.byteOffset &&
    bytes.byteOffset + bytes.byteLength <= file.byteOffset + file.byteLength;
  assert(isWithin, `${JSON.stringify(name)} is outside its file`);
  assert(bytes.byteLength === tensor.byteLength, `${JSON.stringify(name)} has other bytes than it says`);
  const { data } = tensor as { data: ArrayBufferView };
  assert(data.byteLength === tensor.byteLength, `the data of ${JSON.stringify(name)} are not its bytes`);
  assert(tensor.isCopy !== (data.buffer === file.buffer), `${JSON.stringify(name)} was copied silently`);
}

function checkApart(tensors: readonly AnyTensor[]): void {
  const inOrder = tensors
    .filter(({ byteLength }) => byteLength > 0)
    .sort((a, b) => a.bytes.byteOffset - b.bytes.byteOffset);
  for (let i = 1; i < inOrder.length; i++) {
    const [before, tensor] = [inOrder[i - 1]!, inOrder[i]!];
    assert(before.bytes.byteOffset + before.byteLength <= tensor.bytes.byteOffset, 'two tensors share bytes');
  }
}

function walkVector(vector: ArrowVector, file: Uint8Array): void {
  const { validity, offsets, sizes, typeIds, values, extra } = vector;
  for (const tensor of [validity, offsets, sizes, typeIds, values, ...extra])
    if (tensor) checkTensor(tensor as AnyTensor, file);
  for (let row = 0; row < Math.min(vector.length, MOST_ROWS); row++) {
    answered(() => vector.isNull(row));
    answered(() => vector.text(row));
  }
  for (const child of vector.children) walkVector(child, file);
}

function walk(found: TensorFile | Arrow, file: Uint8Array): void {
  if (!(found instanceof TensorFile)) {
    for (const { columns } of found.batches) for (const column of columns) walkVector(column, file);
    return;
  }
  const tensors = [...found.tensors.values()];
  for (const tensor of tensors) checkTensor(tensor, file);
  checkApart(tensors);
  if ('metadata' in found) {
    const { metadata } = found as { metadata: Iterable<[string, unknown]> };
    answered(() => [...metadata]);
  }
}

export const formatsTarget: Target = {
  name: 'formats',
  share: 60,
  open() {
    if (arrowFiles.length > 0) return;
    arrowFiles = ['all.arrow', 'all.arrows', 'delta.arrows', 'zstd.arrow'].map(arrowFile);
  },
  run(recipe) {
    const random = new Random(recipe[0] ?? 0);
    const isTextChanged = random.once(2);
    const lie = (text: string) => (isTextChanged ? nastyText(random, text) : text);
    const { parse, file } = random.pick(makers)(random, lie);
    let bytes: Uint8Array = file.bytes.slice();
    // Without a change the header's text is the only lie, or the file is right.
    for (const seed of recipe.slice(1)) bytes = change(bytes, file, new Random(seed + 3));
    const given = amongOthers(bytes);
    const found = answered(() => parse(given, { allowCopy: true }));
    if (found) walk(found, given);
    assert(Buffer.from(given).equals(bytes), 'a file that was only read was written');
  },
  close() {},
};
