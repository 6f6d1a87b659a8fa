/**
 * On-media structs as tables: name -> (offset, type). All code that reads or writes media takes its offsets from such
 * a table. All numbers are little-endian. (The FUSE protocol has tables of another kind: see fuse/protocol/struct.ts.)
 */
import { fail, readU64, writeU64 } from '../../libc/index.js';
import type { Problem } from './problem.js';
import { formatUuid, parseUuid } from './uuid.js';

export type FieldType = 'u32' | 'u64' | 'uuid' | 'text' | 'struct';

export interface Field<T extends FieldType = FieldType> {
  readonly offset: number;
  readonly type: T;
  /** Bytes. */
  readonly size: number;
}

export const u32 = (offset: number): Field<'u32'> => ({ offset, type: 'u32', size: 4 });
export const u64 = (offset: number): Field<'u64'> => ({ offset, type: 'u64', size: 8 });
export const uuid = (offset: number): Field<'uuid'> => ({ offset, type: 'uuid', size: 16 });
/** NUL-padded text. A text as long as its field has no NUL. */
export const text = (offset: number, size: number): Field<'text'> => ({ offset, type: 'text', size });
/** A nested struct or an array of structs, which has its own table. */
export const nested = (offset: number, size: number): Field<'struct'> => ({ offset, type: 'struct', size });

export type Fields = Readonly<Record<string, Field>>;

export interface Struct<F extends Fields> {
  readonly name: string;
  /** sizeof, padding included. */
  readonly size: number;
  readonly fields: F;
}

export function struct<F extends Fields>(name: string, size: number, fields: F): Struct<F> {
  return { name, size, fields };
}

/** The decoded form of a struct: numbers and strings. Nested structs are left to their own tables. */
export type Values<S> =
  S extends Struct<infer F>
    ? {
        -readonly [K in keyof F as F[K]['type'] extends 'struct' ? never : K]: F[K]['type'] extends
          | 'u32'
          | 'u64'
          ? number
          : string;
      }
    : never;

/**
 * Reads a u64 as a number.
 * @param what names the field in the error
 * @param origin the device offset of the view's byte 0
 * @throws DaxError EBADMSG when it is not a safe integer (decision 1)
 */
export function checkedU64(view: DataView, at: number, what: string, origin = 0): number {
  const value = readU64(view, at);
  if (Number.isNaN(value)) {
    fail('EBADMSG', `${unsafeText(view, at, what, origin)}: the medium is damaged, fsck() tells more`, {
      hint: 'fsck',
    });
  }
  return value;
}

function unsafeText(view: DataView, at: number, what: string, origin: number): string {
  const found = view.getBigUint64(at, true).toString(16);
  return `${what} at byte ${origin + at} is 0x${found}, beyond the integers udax can hold (2^53)`;
}

/** Lists every u64 that readStruct would refuse, of a struct at byte 0 of the view. `origin` is the device offset of that byte. */
export function unsafeNumbers<F extends Fields>(
  layout: Struct<F>,
  view: DataView,
  code: string,
  origin = 0,
): Problem[] {
  const problems: Problem[] = [];
  for (const [name, { offset, type }] of Object.entries(layout.fields)) {
    if (type !== 'u64' || !Number.isNaN(readU64(view, offset))) continue;
    const message = unsafeText(view, offset, `${layout.name}.${name}`, origin);
    problems.push({ code, message, offset: origin + offset });
  }
  return problems;
}

/** Decodes every field of the struct at `at`, except nested ones. EBADMSG when a u64 is beyond 2^53. */
export function readStruct<F extends Fields>(
  layout: Struct<F>,
  view: DataView,
  at: number,
  origin = 0,
): Values<Struct<F>> {
  const values: Record<string, number | string> = {};
  for (const [name, field] of Object.entries(layout.fields)) {
    const value = readField(field, view, at + field.offset, `${layout.name}.${name}`, origin);
    if (value !== undefined) values[name] = value;
  }
  return values as Values<Struct<F>>;
}

function readField(
  field: Field,
  view: DataView,
  at: number,
  what: string,
  origin: number,
): number | string | undefined {
  if (field.type === 'u32') return view.getUint32(at, true);
  if (field.type === 'u64') return checkedU64(view, at, what, origin);
  if (field.type === 'struct') return undefined;
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, field.size);
  if (field.type === 'uuid') return formatUuid(bytes);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

/** Encodes the given fields of the struct at `at`. Other fields keep their bytes. A text or uuid is cut to its field. */
export function writeStruct<F extends Fields>(
  layout: Struct<F>,
  view: DataView,
  at: number,
  values: Partial<Values<Struct<F>>>,
): void {
  for (const [name, value] of Object.entries(values) as [string, number | string | undefined][]) {
    if (value === undefined) continue;
    const field = layout.fields[name]!;
    writeField(field, view, at + field.offset, value);
  }
}

function writeField(field: Field, view: DataView, at: number, value: number | string): void {
  if (field.type === 'u32') view.setUint32(at, value as number, true);
  else if (field.type === 'u64') writeU64(view, at, value as number);
  else {
    const target = new Uint8Array(view.buffer, view.byteOffset + at, field.size);
    target.fill(0);
    const source = field.type === 'uuid' ? parseUuid(value as string) : Buffer.from(value as string, 'utf8');
    target.set(source.subarray(0, field.size));
  }
}
