/** The types of NumPy as npy headers write them: `<f4`, `|S10`, lists of the fields of a record. */
import { type Block, blockOf, type DType, elementsIn } from './dtype.js';
import type { PythonValue } from './python-literal.js';

export interface NpyType {
  readonly dtype: DType;
  readonly type: string;
  readonly block: Block;
  readonly isBigEndian: boolean;
}

const dtypes: Readonly<Record<string, DType>> = {
  '?': 'bool',
  b1: 'bool',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u2: 'u16',
  u4: 'u32',
  u8: 'u64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
  c8: 'c64',
  c16: 'c128',
  // Dates and spans of time; the unit stays in the type's own text.
  M8: 'i64',
  m8: 'i64',
};

/** @returns undefined for what is no type; 'objects' where Python objects are in it */
export function npyType(descr: PythonValue): NpyType | undefined | 'objects' {
  if (typeof descr === 'string') return plainType(descr);
  if (!Array.isArray(descr)) return undefined;
  const bytes = recordBytes(descr);
  if (typeof bytes !== 'number') return bytes;
  return { dtype: 'opaque', type: JSON.stringify(descr), block: { elements: 1, bytes }, isBigEndian: false };
}

function plainType(type: string): NpyType | undefined | 'objects' {
  const match = /^([<>|=]?)([?a-zA-Z])(\d{0,10})(?:\[[\w/]{1,20}\])?$/.exec(type);
  if (!match) return undefined;
  const [, order, kind, digits] = match as unknown as [string, string, string, string];
  if (kind === 'O') return 'objects';
  const isBigEndian = order === '>';
  const dtype = Object.hasOwn(dtypes, kind + digits) ? dtypes[kind + digits] : undefined;
  if (dtype !== undefined) return { dtype, type, block: blockOf(dtype), isBigEndian };
  const bytes = Number(digits) * (kind === 'U' ? 4 : 1);
  // Text, raw bytes, and floats that this machine's views do not have.
  const isKnown = 'SaUV'.includes(kind) || type.endsWith('f16') || type.endsWith('c32');
  if (!isKnown || digits === '') return undefined;
  return { dtype: 'opaque', type, block: { elements: 1, bytes }, isBigEndian: false };
}

/** Bytes of a record: the sum of its fields, each (name, type) or (name, type, shape). */
function recordBytes(fields: readonly PythonValue[]): number | undefined | 'objects' {
  let total = 0;
  for (const field of fields) {
    if (!Array.isArray(field) || field.length < 2 || field.length > 3) return undefined;
    const type = npyType(field[1]!);
    if (type === undefined || type === 'objects') return type;
    const shape = field[2] ?? [];
    const count = elementsIn((Array.isArray(shape) ? shape : [shape]) as number[]);
    total += count * type.block.bytes;
    if (!Number.isSafeInteger(total)) return undefined;
  }
  return total;
}
