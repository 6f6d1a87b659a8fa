import type { BusState, RegionState } from '../dax/index.js';
import { fail } from '../libc/index.js';
import type { BackingRecord } from './region-backing.js';

/** Version of machine.json's shape. Raised when an older udax could misread a newer file. */
export const SCHEMA_VERSION = 1;

export interface RegionDocument extends RegionState {
  /** Generation in which the region was made: tells it from an earlier region of the same id and place. */
  serial: number;
  backing: BackingRecord;
}

/** machine.json: what decision 6 lists. */
export interface MachineDocument extends BusState {
  schema: number;
  generation: number;
  regions: RegionDocument[];
}

/** A shape: a primitive's name, `T | null`, a list of one shape, or named fields. */
type Shape =
  | 'number'
  | 'string'
  | 'boolean'
  | 'string?'
  | readonly [Shape]
  | { readonly [field: string]: Shape };

const range = { start: 'number', end: 'number' } as const;
const device = {
  name: 'string',
  instance: 'number',
  minor: 'number',
  align: 'number',
  memmapOnMemory: 'boolean',
  ranges: [range],
  driver: 'string?',
  boundRanges: 'number',
} as const;
const backing = {
  path: 'string',
  kind: 'string',
  offset: 'number',
  granule: 'number',
  sparse: 'boolean',
  coherent: 'boolean',
  owned: 'boolean',
} as const;
const region = {
  id: 'number',
  type: 'string',
  isStatic: 'boolean',
  start: 'number',
  size: 'number',
  align: 'number',
  targetNode: 'number',
  numaNode: 'number',
  seed: 'string?',
  youngest: 'string?',
  devices: [device],
  serial: 'number',
  backing,
} as const;
const documentShape: Shape = {
  schema: 'number',
  generation: 'number',
  autoprobe: 'boolean',
  autoOnline: 'string',
  modules: [{ name: 'string', ids: ['string'] }],
  regions: [region],
  memoryBlocks: [{ id: 'number', state: 'string' }],
  stranded: [{ device: 'string', node: 'number', ...range }],
  poison: [{ pfn: 'number', pages: 'number' }],
};

/**
 * Reads machine.json.
 * @throws EIO naming the file and the place in it when it is damaged, EOPNOTSUPP when a newer udax wrote it
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
  const wrong = firstMismatch(value, documentShape, '');
  if (wrong !== undefined || schema !== SCHEMA_VERSION) {
    fail(
      'EIO',
      `${file} is damaged (${wrong ?? `schema ${schema}`}): restore it from a backup, or remove the state directory`,
      {
        path: file,
      },
    );
  }
  return value as MachineDocument;
}

export function documentText(document: MachineDocument): string {
  return `${JSON.stringify(document, null, 1)}\n`;
}

/** Where and how a value differs from its shape; undefined when it fits. Fields we do not know are let be. */
function firstMismatch(value: unknown, shape: Shape, at: string): string | undefined {
  if (typeof shape === 'string')
    return fits(value, shape) ? undefined : `${at} is not a ${shape.replace('?', ' or null')}`;
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return `${at} is not a list`;
    return firstOf(value, (item, index) => firstMismatch(item, shape[0] as Shape, `${at}[${index}]`));
  }
  if (typeof value !== 'object' || value === null) return `${at || 'the document'} is not an object`;
  return firstOf(Object.entries(shape), ([field, inner]) =>
    firstMismatch((value as Record<string, unknown>)[field], inner as Shape, at ? `${at}.${field}` : field),
  );
}

function fits(value: unknown, shape: string): boolean {
  if (shape === 'number') return Number.isSafeInteger(value);
  if (shape === 'string?') return value === null || typeof value === 'string';
  return typeof value === shape;
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
