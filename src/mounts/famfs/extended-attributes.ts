import type { Fmap } from '../../famfs/index.js';
import { DaxError } from '../../libc/index.js';

const PREFIX = 'user.famfs.';

/** What the extended attributes of an inode describe: where its bytes are. Directories and files in the making have no fmap. */
export interface Described {
  readonly device: string;
  readonly uuid: string;
  readonly fmap: Fmap | null;
}

type Row = readonly [name: string, value: (described: Described) => string | null];

const interleaved = (fmap: Fmap | null) => (fmap?.type === 'interleaved' ? fmap : null);

/** One row an attribute. A value of null means that the inode does not have it. */
const ATTRIBUTES: readonly Row[] = [
  ['device', ({ device }) => device],
  ['uuid', ({ uuid }) => uuid],
  ['type', ({ fmap }) => fmap?.type ?? null],
  // devindex:offset+length, in file order (interleaved: in strip order), as numbers that C's strtoull reads.
  ['extents', ({ fmap }) => fmap?.extents.map(extentText).join(' ') ?? null],
  ['nstrips', ({ fmap }) => interleaved(fmap)?.nstrips.toString() ?? null],
  ['chunk_size', ({ fmap }) => interleaved(fmap)?.chunkSize.toString() ?? null],
];

function extentText({ devindex, offset, length }: Fmap['extents'][number]): string {
  return `${devindex}:0x${offset.toString(16)}+0x${length.toString(16)}`;
}

/** One error object for all calls: `ls -l` asks for the ACL of every file, and a stack trace would cost more than the answer. */
const NO_DATA = new DaxError('ENODATA', `there are no attributes here but some ${PREFIX}*`);

/** Checks that a name begins with `user.famfs.`, before anything is looked up. @throws DaxError ENODATA */
export function mustBeOurs(name: string): void {
  if (!name.startsWith(PREFIX)) throw NO_DATA;
}

/** The value of an extended attribute. @throws DaxError ENODATA the inode does not have it */
export function extendedAttribute(described: Described, name: string): Uint8Array {
  const row = ATTRIBUTES.find(([short]) => PREFIX + short === name);
  const value = row?.[1](described) ?? null;
  if (value === null) throw NO_DATA;
  return Buffer.from(value);
}

export function extendedAttributeNames(described: Described): string[] {
  return ATTRIBUTES.filter(([, value]) => value(described) !== null).map(([name]) => PREFIX + name);
}
