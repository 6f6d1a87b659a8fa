import type { FlagTable } from './flags.js';

/**
 * Structs of the wire as tables. All integers are little-endian: FUSE uses the host's order, and udax runs on
 * little-endian hosts only. Fields lie at natural alignment without gaps (a gap is a named padding field).
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
  /** The name people search for: that of the C struct in the kernel's uapi header. */
  readonly name: string;
  readonly bytes: number;
  readonly fields: readonly Field[];
}

/** A struct whose field offsets are known by name: `ReadIn.at.offset`. */
export interface StructTable<Names extends string> extends Struct {
  readonly at: Readonly<Record<Names, number>>;
}

const scalarBytes: Record<Scalar, number> = { u16: 2, u32: 4, i32: 4, u64: 8, i64: 8 };

/** Defines a struct from its fields in order; a misaligned field is a mistake in the table and throws. */
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

/** A 64-bit field as a number; NaN when it is above 2^53 - 1 (then callers say what that means for them). */
export function readU64(view: DataView, offset: number): number {
  const high = view.getUint32(offset + 4, true);
  if (high === 0) return view.getUint32(offset, true);
  return high < 0x200000 ? high * 2 ** 32 + view.getUint32(offset, true) : Number.NaN;
}

/** A 64-bit signed field as a number, rounded beyond 2^53 (timestamps never are). */
export function readI64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

/** Writes a whole number, negative ones in two's complement. */
export function writeU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value, true);
  const fitsLowWord = value >= 0 && value < 2 ** 32; // most do, and a division costs
  view.setUint32(offset + 4, fitsLowWord ? 0 : Math.floor(value / 2 ** 32), true);
}
