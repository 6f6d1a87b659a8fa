/** Schemas: names and types of columns. */
import type { Block, DType } from '../dtype.js';
import type { FlatTable } from './flat-table.js';

/** How a type lies in a record batch, or undefined for types whose parts are children. */
type Shape =
  | {
      readonly kind:
        | 'null'
        | 'struct'
        | 'fixed_size_list'
        | 'run_end_encoded'
        | 'sparse_union'
        | 'dense_union';
    }
  | { readonly kind: 'fixed'; readonly dtype: DType; readonly block?: Block; readonly per?: number }
  | {
      readonly kind: 'binary' | 'list' | 'list_view';
      readonly offsets: 'i32' | 'i64';
      readonly isText?: boolean;
    }
  | { readonly kind: 'view'; readonly isText: boolean };

/** The type of the values of a column. */
export interface ArrowType {
  /** `int32`, `utf8`, `timestamp[us, UTC]`, `list`, `decimal128(10, 2)` ... */
  readonly name: string;
  /** Elements of a fixed-size list. */
  readonly listSize?: number;
  /** @internal How it lies in a record batch. */
  readonly shape: Shape;
}

/** A column, or a child of one. */
export interface ArrowField {
  readonly name: string;
  readonly isNullable: boolean;
  readonly type: ArrowType;
  /** Of a list, struct, union or map. */
  readonly children: readonly ArrowField[];
  /** The column holds indices into the dictionary of this id; `type` is that of the dictionary's values. */
  readonly dictionary?: { readonly id: bigint; readonly index: ArrowType; readonly isOrdered: boolean };
  readonly metadata: ReadonlyMap<string, string>;
}

/** The columns of a file. */
export interface ArrowSchema {
  readonly fields: readonly ArrowField[];
  readonly metadata: ReadonlyMap<string, string>;
}

const MOST_DEPTH = 64;

export function schemaOf(table: FlatTable): ArrowSchema {
  if (table.i16(0) !== 0) table.wrong('its data is in big-endian byte order, which is not read here');
  const fields = table.tables(1, 'a field').map((field) => fieldOf(field, 0));
  return { fields, metadata: textsOf(table, 2) };
}

function fieldOf(table: FlatTable, depth: number): ArrowField {
  if (depth > MOST_DEPTH) table.wrong(`types lie more than ${MOST_DEPTH} deep in each other`);
  const children = table.tables(5, 'a field').map((child) => fieldOf(child, depth + 1));
  const type = typeOf(table);
  const wanted = childrenOf(type.shape.kind, type.name);
  if (wanted !== undefined && children.length !== wanted) {
    table.wrong(`a ${type.name} has ${children.length} children instead of ${wanted}`);
  }
  const encoding = table.table(4, 'a dictionary encoding');
  const base = {
    name: table.text(0) ?? '',
    isNullable: table.u8(1) !== 0,
    type,
    children,
    metadata: textsOf(table, 6),
  };
  if (!encoding) return base;
  const given = encoding.table(1, 'an index type');
  const index = given ? intType(given) : intOf(32, true);
  if (index === undefined) return encoding.wrong('its indices are no whole numbers');
  return { ...base, dictionary: { id: encoding.id(0), index, isOrdered: encoding.u8(2) !== 0 } };
}

function childrenOf(kind: Shape['kind'], name: string): number | undefined {
  if (kind === 'list' || kind === 'list_view' || kind === 'fixed_size_list' || name === 'map') return 1;
  if (kind === 'run_end_encoded') return 2;
  return kind === 'struct' || kind === 'sparse_union' || kind === 'dense_union' ? undefined : 0;
}

function textsOf(table: FlatTable, slot: number): ReadonlyMap<string, string> {
  return new Map(table.tables(slot, 'a note').map((each) => [each.text(0) ?? '', each.text(1) ?? '']));
}

const fixed = (name: string, dtype: DType, bytes?: number): ArrowType => ({
  name,
  shape: { kind: 'fixed', dtype, ...(bytes !== undefined && { block: { elements: 1, bytes } }) },
});
const binary = (name: string, offsets: 'i32' | 'i64', isText: boolean): ArrowType => ({
  name,
  shape: { kind: 'binary', offsets, isText },
});
const nested = (name: string, shape: Shape): ArrowType => ({ name, shape });

const UNITS = ['s', 'ms', 'us', 'ns'];
const unitOf = (table: FlatTable, otherwise: number): string =>
  UNITS[table.i16(0, otherwise)] ?? table.wrong('its unit of time is unknown');

/** What the union `type` of a field says. @throws DaxError EBADMSG */
function typeOf(field: FlatTable): ArrowType {
  const kind = field.u8(2);
  const table = field.table(3, 'a type');
  if (table === undefined) return field.wrong('it has no type');
  const read = types[kind];
  const type = read?.(table);
  return type ?? field.wrong(`its type (kind ${kind}) is none that is known`);
}

/** By their number in the union. */
const types: readonly (((table: FlatTable) => ArrowType | undefined) | undefined)[] = [
  undefined,
  () => nested('null', { kind: 'null' }),
  intType,
  (table) => [fixed('float16', 'f16'), fixed('float32', 'f32'), fixed('float64', 'f64')][table.i16(0)],
  () => binary('binary', 'i32', false),
  () => binary('utf8', 'i32', true),
  () => fixed('bool', 'bit'),
  decimalType,
  (table) => [fixed('date32[day]', 'i32'), fixed('date64[ms]', 'i64')][table.i16(0, 1)],
  (table) => {
    const bits = table.i32(1, 32);
    const dtype = ({ 32: 'i32', 64: 'i64' } as const)[bits];
    return dtype && fixed(`time${bits}[${unitOf(table, 1)}]`, dtype);
  },
  (table) => {
    const zone = table.text(1);
    return fixed(`timestamp[${unitOf(table, 0)}${zone === undefined ? '' : `, ${zone}`}]`, 'i64');
  },
  (table) =>
    [
      fixed('interval[months]', 'i32'),
      nested('interval[days, ms]', { kind: 'fixed', dtype: 'i32', per: 2 }),
      fixed('interval[months, days, ns]', 'opaque', 16),
    ][table.i16(0)],
  () => nested('list', { kind: 'list', offsets: 'i32' }),
  () => nested('struct', { kind: 'struct' }),
  (table) =>
    [nested('sparse_union', { kind: 'sparse_union' }), nested('dense_union', { kind: 'dense_union' })][
      table.i16(0)
    ],
  (table) => {
    const per = table.i32(0);
    return per < 0 ? undefined : nested(`fixed_size_binary[${per}]`, { kind: 'fixed', dtype: 'u8', per });
  },
  (table) => {
    const listSize = table.i32(0);
    if (listSize < 0) return undefined;
    return { ...nested(`fixed_size_list[${listSize}]`, { kind: 'fixed_size_list' }), listSize };
  },
  () => nested('map', { kind: 'list', offsets: 'i32' }),
  (table) => fixed(`duration[${unitOf(table, 1)}]`, 'i64'),
  () => binary('large_binary', 'i64', false),
  () => binary('large_utf8', 'i64', true),
  () => nested('large_list', { kind: 'list', offsets: 'i64' }),
  () => nested('run_end_encoded', { kind: 'run_end_encoded' }),
  () => nested('binary_view', { kind: 'view', isText: false }),
  () => nested('utf8_view', { kind: 'view', isText: true }),
  () => nested('list_view', { kind: 'list_view', offsets: 'i32' }),
  () => nested('large_list_view', { kind: 'list_view', offsets: 'i64' }),
];

function intType(table: FlatTable): ArrowType | undefined {
  return intOf(table.i32(0), table.u8(1) !== 0);
}

function intOf(bits: number, isSigned: boolean): ArrowType | undefined {
  const dtype = ({ 8: 'i8', 16: 'i16', 32: 'i32', 64: 'i64' } as const)[bits];
  if (dtype === undefined) return undefined;
  const name = `${isSigned ? '' : 'u'}int${bits}`;
  return fixed(name, isSigned ? dtype : (dtype.replace('i', 'u') as DType));
}

function decimalType(table: FlatTable): ArrowType | undefined {
  const bits = table.i32(2, 128);
  const name = `decimal${bits}(${table.i32(0)}, ${table.i32(1)})`;
  if (bits === 32 || bits === 64) return fixed(name, bits === 32 ? 'i32' : 'i64');
  return bits === 128 || bits === 256 ? fixed(name, 'opaque', bits / 8) : undefined;
}
