import type { Fmap } from '../../famfs/index.js';
import { DaxError } from '../../libc/index.js';

const PREFIX = 'user.famfs.';

/** What `getfattr -d` shows of a file: where its bytes are. Directories and files in the making know only their device. */
export interface Described {
  readonly device: string;
  readonly uuid: string;
  readonly fmap: Fmap | null;
}

type Row = readonly [name: string, value: (described: Described) => string | null];

const interleaved = (fmap: Fmap | null) => (fmap?.type === 'interleaved' ? fmap : null);

/** One row an attribute; null: this inode has none. */
const ATTRIBUTES: readonly Row[] = [
  ['device', ({ device }) => device],
  ['uuid', ({ uuid }) => uuid],
  ['type', ({ fmap }) => fmap?.type ?? null],
  // devindex:offset+length, in file order (interleaved: in strip order), as numbers that C's strtoull takes.
  ['extents', ({ fmap }) => fmap?.extents.map(extentText).join(' ') ?? null],
  ['nstrips', ({ fmap }) => interleaved(fmap)?.nstrips.toString() ?? null],
  ['chunk_size', ({ fmap }) => interleaved(fmap)?.chunkSize.toString() ?? null],
];

function extentText({ devindex, offset, length }: Fmap['extents'][number]): string {
  return `${devindex}:0x${offset.toString(16)}+0x${length.toString(16)}`;
}

/** One for all: `ls -l` asks every file for an ACL, and a stack trace costs more than the answer. */
const NO_DATA = new DaxError('ENODATA', `there are no attributes here but some ${PREFIX}*`);

/** Asked before anything is looked up. @throws DaxError ENODATA */
export function mustBeOurs(name: string): void {
  if (!name.startsWith(PREFIX)) throw NO_DATA;
}

/** @throws DaxError ENODATA */
export function extendedAttribute(described: Described, name: string): Uint8Array {
  const row = ATTRIBUTES.find(([short]) => PREFIX + short === name);
  const value = row?.[1](described) ?? null;
  if (value === null) throw NO_DATA;
  return Buffer.from(value);
}

export function extendedAttributeNames(described: Described): string[] {
  return ATTRIBUTES.filter(([, value]) => value(described) !== null).map(([name]) => PREFIX + name);
}
