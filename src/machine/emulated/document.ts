import path from 'node:path';
import type { BusState, RegionState } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { isRamName } from './ram-memory.js';
import type { BackingRecord } from './region-backing.js';

/** Version of machine.json's shape. Raised when an older udax could misread a newer file. */
export const SCHEMA_VERSION = 2;

export interface RegionDocument extends RegionState {
  /** Generation in which the region was made. It distinguishes the region from an earlier one of the same id and place. */
  serial: number;
  backing: BackingRecord;
}

/** The content of machine.json, as decision 6 lists it. */
export interface MachineDocument extends BusState {
  schema: number;
  generation: number;
  regions: RegionDocument[];
}

/** Returns what is wrong with a value; undefined when nothing is. */
type Check = (value: unknown) => string | undefined;
type Fields = { readonly [field: string]: Shape };
/** A check of one value, a list of one shape, or named fields. */
type Shape = Check | readonly [Shape] | Fields;

const PAGE_BYTES = 4096;

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
const integer =
  (least: number, unit = 1): Check =>
  (value) =>
    isWhole(value) && value >= least && value % unit === 0
      ? undefined
      : `is not a whole number of at least ${least}${unit === 1 ? '' : `, a multiple of ${unit}`}`;
/** For the sizes of mappings and allocations. */
const powerOfTwo: Check = (value) =>
  isWhole(value) && value >= PAGE_BYTES && Number.isInteger(Math.log2(value))
    ? undefined
    : `is not a power of two from ${PAGE_BYTES} on`;
const text: Check = (value) => (typeof value === 'string' ? undefined : 'is not a string');
const textOrNull: Check = (value) => (value === null ? undefined : text(value));
const flag: Check = (value) => (typeof value === 'boolean' ? undefined : 'is not a boolean');
const oneOf =
  (...words: unknown[]): Check =>
  (value) =>
    words.includes(value) ? undefined : `is not one of ${words.map(String).join(', ')}`;

const modules = ['device_dax', 'fsdev_dax', 'kmem', 'hwpoison_inject'] as const;
const policy = oneOf('offline', 'online', 'online_kernel', 'online_movable');
const address = integer(0, PAGE_BYTES);
/** The address of a range's last byte. */
const end: Check = (value) =>
  isWhole(value) && value > 0 && (value + 1) % PAGE_BYTES === 0
    ? undefined
    : 'is not the last byte of a page';
const range = { start: address, end };
const device = {
  name: text,
  instance: integer(0),
  minor: integer(0),
  align: powerOfTwo,
  memmapOnMemory: flag,
  ranges: [range],
  driver: oneOf(null, 'device_dax', 'fsdev_dax', 'kmem'),
  boundRanges: integer(0),
} as const;
const backing = {
  path: text,
  kind: oneOf('file', 'tmpfs', 'hugetlbfs', 'devdax', 'memfd'),
  offset: address,
  granule: powerOfTwo,
  sparse: flag,
  coherent: flag,
  owned: flag,
} as const;
const region = {
  id: integer(0),
  type: oneOf('device', 'kmem'),
  isStatic: flag,
  start: address,
  size: integer(PAGE_BYTES, PAGE_BYTES),
  align: powerOfTwo,
  targetNode: integer(-1),
  numaNode: integer(-1),
  seed: textOrNull,
  youngest: textOrNull,
  devices: [device],
  serial: integer(0),
  backing,
} as const;
const documentShape: Fields = {
  schema: oneOf(1, SCHEMA_VERSION),
  generation: integer(0),
  autoprobe: flag,
  autoOnline: policy,
  modules: [{ name: oneOf(...modules), ids: [text] }],
  regions: [region],
  memoryBlocks: [{ id: integer(0), state: policy }],
  stranded: [{ device: text, node: integer(0), ...range }],
  poison: [{ pfn: integer(0), pages: integer(1) }],
};

/**
 * Reads machine.json.
 * @throws DaxError EIO naming the file and the place in it when it is damaged, EOPNOTSUPP when a newer udax wrote it
 */
export function parseDocument(text: string, file: string): MachineDocument {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    fail(
      'EIO',
      `${file} is damaged (${(cause as Error).message}): restore it from a backup, or remove the state directory`,
      {
        path: file,
        cause,
      },
    );
  }
  const schema = (value as { schema?: unknown } | null)?.schema;
  if (typeof schema === 'number' && schema > SCHEMA_VERSION) {
    fail(
      'EOPNOTSUPP',
      `${file} was written by a newer udax (schema ${schema}, this one knows ${SCHEMA_VERSION}): update udax`,
      {
        path: file,
      },
    );
  }
  const wrong = firstMismatch(value, documentShape, '') ?? firstContradiction(value as MachineDocument);
  if (wrong !== undefined) {
    fail('EIO', `${file} is damaged (${wrong}): restore it from a backup, or remove the state directory`, {
      path: file,
    });
  }
  return migrated(value as MachineDocument);
}

export function documentText(document: MachineDocument): string {
  return `${JSON.stringify(document, null, 1)}\n`;
}

/** The names of the memory that is the directory's own. */
export function ownNames({ regions }: MachineDocument): string[] {
  return regions.filter(({ backing }) => backing.owned).map(({ backing }) => backing.path);
}

export function sameButForGeneration(before: MachineDocument, after: MachineDocument): boolean {
  return documentText({ ...after, generation: before.generation }) === documentText(before);
}

/**
 * Converts schema 1, which named own memory by its absolute path. That path may lead elsewhere now; the memory of this machine is
 * the file of that name in its regions/.
 */
function migrated(document: MachineDocument): MachineDocument {
  if (document.schema === SCHEMA_VERSION) return document;
  const regions = document.regions.map((found) =>
    found.backing.owned
      ? { ...found, backing: { ...found.backing, path: `regions/${path.basename(found.backing.path)}` } }
      : found,
  );
  return { ...document, schema: SCHEMA_VERSION, regions };
}

/** Where and how a value differs from its shape; undefined when it fits. Unknown fields are allowed. */
function firstMismatch(value: unknown, shape: Shape, at: string): string | undefined {
  if (typeof shape === 'function') {
    const wrong = shape(value);
    return wrong === undefined ? undefined : `${at} ${wrong}`;
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return `${at} is not a list`;
    return firstOf(value, (item, index) => firstMismatch(item, shape[0] as Shape, `${at}[${index}]`));
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return `${at || 'the document'} is not an object`;
  return firstOf(Object.entries(shape), ([field, inner]) =>
    firstMismatch((value as Record<string, unknown>)[field], inner as Shape, at ? `${at}.${field}` : field),
  );
}

/** Finds values that are valid one by one but contradict each other. */
function firstContradiction({ regions, poison }: MachineDocument): string | undefined {
  const paths = new Set<string>();
  const names = new Set<string>();
  return (
    firstOf(regions, (found, index) => {
      const at = `regions[${index}]`;
      const { id, start, size, backing: memory } = found;
      if (!isWhole(start + size)) return `${at}.size ends beyond what can be addressed`;
      if (!isWhole(memory.offset + size)) return `${at}.backing.offset is beyond what can be addressed`;
      if (memory.owned && schemaOwnName(memory.path) === undefined)
        return `${at}.backing.path is no memory of this directory`;
      if (!memory.owned && !path.isAbsolute(memory.path)) return `${at}.backing.path is not absolute`;
      if (memory.ram !== undefined && (memory.ram !== true || !isRamName(memory.path)))
        return `${at}.backing.ram is not of a file that a machine makes in /dev/shm`;
      const key = memory.owned ? path.basename(memory.path) : '';
      if (memory.owned && paths.has(key)) return `${at}.backing.path is that of another region`;
      paths.add(key);
      return firstOf(found.devices, (member, place) => {
        const here = `${at}.devices[${place}]`;
        if (member.name !== `dax${id}.${member.instance}`)
          return `${here}.name is not dax${id}.${member.instance}`;
        if (names.has(member.name)) return `${here}.name is that of another device`;
        names.add(member.name);
        if (member.boundRanges > member.ranges.length) return `${here}.boundRanges is more than it has`;
        return firstOf(member.ranges, (piece, number) =>
          piece.start < start || piece.end >= start + size || piece.end <= piece.start
            ? `${here}.ranges[${number}] is not within its region`
            : undefined,
        );
      });
    }) ??
    firstOf(poison, ({ pfn, pages }, index) =>
      isWhole((pfn + pages) * PAGE_BYTES) ? undefined : `poison[${index}] is beyond what can be addressed`,
    )
  );
}

/** `0.mem` of `regions/0.mem`, and also of the absolute path that schema 1 kept. */
function schemaOwnName(name: string): string | undefined {
  return /(?:^|\/)regions\/(\d+\.mem)$/.exec(name)?.[1];
}

function firstOf<T>(
  items: readonly T[],
  check: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const found = check(item, index);
    if (found !== undefined) return found;
  }
  return undefined;
}
