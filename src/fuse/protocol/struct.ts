import type { FlagTable } from './flags.js';

/**
 * The structs of FUSE messages as tables. All integers are little-endian: FUSE uses the host's order, and udax runs on
 * little-endian hosts only. Fields lie at natural alignment without gaps (a gap is a named padding field).
 * The tables of structs on media (famfs/media/struct.ts) are of another kind. There the offsets are the format and are stated one
 * by one, and whole structs are decoded and checked. Here the offsets follow from the order, and fast code reads single fields.
 */
export type Scalar = 'u16' | 'u32' | 'i32' | 'u64' | 'i64';

export interface FlagField {
  readonly scalar: 'u32' | 'u64';
  readonly flags: FlagTable;
}

export type FieldType = Scalar | FlagField | Struct;

export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly type: FieldType;
}

export interface Struct {
  /** The name of the C struct in the kernel's uapi header. */
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly Field[];
}

/** A struct whose field offsets are known by name: `ReadIn.at.offset`. */
export interface StructTable<Names extends string> extends Struct {
  readonly at: Readonly<Record<Names, number>>;
}

const scalarBytes: Record<Scalar, number> = { u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 };

/** Defines a struct from its fields in order. A misaligned field is a mistake in the table, and throws an Error. */
export function struct<const Fields extends Record<string, FieldType>>(
  name: string,
  types: Fields,
): StructTable<Extract<keyof Fields, string>> {
  const fields: Field[] = [];
  const at: Record<string, number> = {};
  let offset = 0;
  for (const [field, type] of Object.entries(types)) {
    const bytes = bytesOf(type);
    const alignment = typeof type === 'object' && 'fields' in type ? 8 : bytes;
    if (offset % alignment !== 0) throw new Error(`${name}.${field} at ${offset} is not aligned`);
    fields.push({ name: field, offset, type });
    at[field] = offset;
    offset += bytes;
  }
  return { name, bytes: offset, fields, at: at as Record<Extract<keyof Fields, string>, number> };
}

function bytesOf(type: FieldType): number {
  if (typeof type === 'string') return scalarBytes[type];
  return 'fields' in type ? type.bytes : scalarBytes[type.scalar];
}
