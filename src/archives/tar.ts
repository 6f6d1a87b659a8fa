/** The headers of a tar archive: ustar, pax and GNU. */
import type { ArchiveMember } from './member.js';
import { type ArchiveSource, damaged, shownName } from './source.js';

const BLOCK = 512;
const NAME = { at: 0, length: 100 };
const MODE = { at: 100, length: 8 };
const SIZE = { at: 124, length: 12 };
const MODIFIED = { at: 136, length: 12 };
const CHECKSUM = { at: 148, length: 8 };
const TYPE = 156;
const LINK = { at: 157, length: 100 };
const MAGIC = { at: 257, length: 5 };
const PREFIX = { at: 345, length: 155 };
/** Names and records are short; more is no archive that anybody made. */
const MOST_EXTENSION_BYTES = 2 ** 20;
const decoder = new TextDecoder('utf-8');

interface Field {
  readonly at: number;
  readonly length: number;
}

/** Whether bytes begin with a header of tar. */
export function isTar(head: Uint8Array): boolean {
  return head.length >= BLOCK && text(head, MAGIC) === 'ustar' && hasChecksum(head);
}

/** What comes before a header and is about it. */
interface About {
  records: Map<string, string>;
  name?: string;
  link?: string;
}

/**
 * The members, in the order of the archive. Of several with one name the last counts, as when they are unpacked.
 * @throws DaxError EBADMSG
 */
export function tarMembers(source: ArchiveSource): Map<string, ArchiveMember> {
  const members = new Map<string, ArchiveMember>();
  const forAll = new Map<string, string>();
  let about: About = { records: new Map() };
  for (let at = 0; at + BLOCK <= source.size; ) {
    const header = source.view(at, BLOCK);
    if (header.every((byte) => byte === 0)) return members;
    if (!hasChecksum(header)) damaged(source, at, 'the checksum of a header is wrong');
    const type = String.fromCharCode(header[TYPE]!);
    const size = sizeOf(source, header, about, at);
    const data = at + BLOCK;
    if (data + size > source.size) damaged(source, at, `a member of ${size} bytes ends beyond the archive`);
    if ('xgLK'.includes(type)) extend(source, type, data, size, about, forAll);
    else {
      const member = memberOf(source, header, about, forAll, { at, data, size, type }, members);
      members.delete(member.name);
      members.set(member.name, member);
      about = { records: new Map() };
    }
    at = data + Math.ceil(size / BLOCK) * BLOCK;
  }
  return members;
}

/** Takes in a header that is about the next one, or (g) about all that follow. */
function extend(
  source: ArchiveSource,
  type: string,
  data: number,
  size: number,
  about: About,
  forAll: Map<string, string>,
): void {
  if (size > MOST_EXTENSION_BYTES) damaged(source, data, `a header has ${size} bytes of text`);
  const bytes = source.view(data, size);
  if (type === 'L') about.name = text(bytes, { at: 0, length: size });
  else if (type === 'K') about.link = text(bytes, { at: 0, length: size });
  else readRecords(source, bytes, data, type === 'g' ? forAll : about.records);
}

/** Records of pax: `LENGTH KEY=VALUE\n`, the length with itself. */
function readRecords(
  source: ArchiveSource,
  bytes: Uint8Array,
  start: number,
  into: Map<string, string>,
): void {
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 || space - at > 8 ? '' : decoder.decode(bytes.subarray(at, space));
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (length === 0 || end > bytes.length || equals < 0 || equals >= end || bytes[end - 1] !== 0x0a) {
      damaged(source, start + at, 'a record of a header is no record');
    }
    const key = decoder.decode(bytes.subarray(space + 1, equals));
    into.set(key, decoder.decode(bytes.subarray(equals + 1, end - 1)));
    at = end;
  }
}

interface Place {
  at: number;
  data: number;
  size: number;
  type: string;
}

function memberOf(
  source: ArchiveSource,
  header: Uint8Array,
  about: About,
  forAll: ReadonlyMap<string, string>,
  { at, data, size, type }: Place,
  members: ReadonlyMap<string, ArchiveMember>,
): ArchiveMember {
  const record = (key: string): string | undefined => about.records.get(key) ?? forAll.get(key);
  const prefix = text(header, MAGIC) === 'ustar' && header[MAGIC.at + 5] === 0 ? text(header, PREFIX) : '';
  const short = text(header, NAME);
  const given = record('path') ?? about.name ?? (prefix === '' ? short : `${prefix}/${short}`);
  const name = given.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '') || '.';
  if (given === '' || given.includes('\0')) damaged(source, at, 'a member has no name');
  const target = record('linkpath') ?? about.link ?? text(header, LINK);
  const seconds = Number(record('mtime') ?? numberIn(header, MODIFIED));
  const isSparse = type === 'S' || [...about.records.keys()].some((key) => key.startsWith('GNU.sparse.'));
  const common = {
    name,
    mode: numberIn(header, MODE) & 0o7777,
    modifiedMs: Number.isFinite(seconds) ? Math.round(seconds * 1000) : null,
    crc32: null,
    byteOffset: data,
    isStored: !isSparse,
  };
  if (type === '1') {
    const first = members.get(target.replace(/^(?:\.\/)+/, ''));
    if (first === undefined || first.type !== 'file')
      return damaged(
        source,
        at,
        `${shownName(name)} is a link to ${shownName(target)}, which is not before it`,
      );
    return { ...first, name };
  }
  if (type === '2') return { ...common, type: 'symlink', size: 0, target };
  if (type === '5' || (given.endsWith('/') && type === '0')) return { ...common, type: 'directory', size: 0 };
  return { ...common, type: '07\0S'.includes(type) ? 'file' : 'other', size };
}

function sizeOf(source: ArchiveSource, header: Uint8Array, { records }: About, at: number): number {
  const type = header[TYPE]!;
  // Links and directories have no data, whatever their headers say.
  if ('123456'.includes(String.fromCharCode(type))) return 0;
  const isAboutNext = 'xgLK'.includes(String.fromCharCode(type));
  const record = isAboutNext ? undefined : records.get('size');
  const size = record === undefined ? numberIn(header, SIZE) : Number(record);
  if (Number.isSafeInteger(size) && size >= 0) return size;
  return damaged(source, at + SIZE.at, `the size of a member is ${record ?? 'no number'}`);
}

/** An octal number, or a binary one where the first bit is set (GNU). NaN when it is neither. */
function numberIn(header: Uint8Array, { at, length }: Field): number {
  const first = header[at]!;
  if (first === 0x80) {
    let value = 0;
    for (let i = 1; i < length; i++) value = value * 256 + header[at + i]!;
    return value;
  }
  const digits = text(header, { at, length }).trim();
  if (digits === '') return 0;
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** The sum of the header's bytes, with blanks for the sum itself. Old writers took the bytes as signed. */
function hasChecksum(header: Uint8Array): boolean {
  let unsigned = 0;
  let signed = 0;
  for (const [i, byte] of header.entries()) {
    const value = i >= CHECKSUM.at && i < CHECKSUM.at + CHECKSUM.length ? 0x20 : byte;
    unsigned += value;
    signed += value > 127 ? value - 256 : value;
  }
  const wanted = numberIn(header, CHECKSUM);
  return wanted === unsigned || wanted === signed;
}

function text(bytes: Uint8Array, { at, length }: Field): string {
  const field = bytes.subarray(at, at + length);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}
