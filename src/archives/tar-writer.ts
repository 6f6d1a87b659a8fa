import { type ArchiveWriter, MEMBER_ALIGN, type NewMember } from './member.js';

const BLOCK = 512;
const NAME_BYTES = 100;
/** tar pads archives to records of 20 blocks. */
const RECORD_BYTES = 20 * BLOCK;
const MOST_OCTAL_SIZE = 8 ** 11;
const MOST_OCTAL_ID = 8 ** 7;
const BILLION = 1_000_000_000n;
/** A comment record has at least so many bytes. */
const LEAST_COMMENT_BYTES = 16;
const TYPES = { file: '0', hardlink: '1', symlink: '2', directory: '5' } as const;

/**
 * Headers of a pax archive. What a header of ustar cannot say is in a header of pax before it. A comment in that header, which all
 * readers skip, makes it as long as it must be for the data to begin at a whole page.
 */
export class TarWriter implements ArchiveWriter {
  readonly needsCrc = false;
  readonly hasHardLinks = true;

  begin(member: NewMember, at: number): Uint8Array {
    const records = recordsOf(member);
    const name = member.type === 'directory' ? `${member.name}/` : member.name;
    const ustar = headerOf(shortOf(name), TYPES[member.type], member, sizeOf(member));
    const isAligned = member.type === 'file' && member.size > 0;
    if (records.length === 0 && !isAligned) return ustar;
    const text = isAligned ? padded(records, at) : records;
    const data = Buffer.alloc(Math.ceil(text.length / BLOCK) * BLOCK);
    data.set(text);
    const pax = { ...member, mode: 0o644, target: '' };
    const paxName = shortOf(`PaxHeaders/${member.name.slice(member.name.lastIndexOf('/') + 1)}`);
    return Buffer.concat([headerOf(paxName, 'x', pax, text.length), data, ustar]);
  }

  after(size: number): Uint8Array {
    return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
  }

  finish(at: number): Uint8Array {
    const end = at + 2 * BLOCK;
    return new Uint8Array(Math.ceil(end / RECORD_BYTES) * RECORD_BYTES - at);
  }
}

function sizeOf({ type, size }: NewMember): number {
  return type === 'file' ? size : 0;
}

/** What ustar cannot say. */
function recordsOf(member: NewMember): Buffer {
  const { type, name, target, uid, gid, size, modifiedNs } = member;
  const path = type === 'directory' ? `${name}/` : name;
  const records: Buffer[] = [];
  if (!isPlain(path)) records.push(record('path', path));
  if (target !== undefined && !isPlain(target)) records.push(record('linkpath', target));
  if (type === 'file' && size >= MOST_OCTAL_SIZE) records.push(record('size', String(size)));
  if (uid >= MOST_OCTAL_ID) records.push(record('uid', String(uid)));
  if (gid >= MOST_OCTAL_ID) records.push(record('gid', String(gid)));
  if (modifiedNs < 0n || modifiedNs % BILLION !== 0n || modifiedNs / BILLION >= BigInt(MOST_OCTAL_SIZE))
    records.push(record('mtime', seconds(modifiedNs)));
  return Buffer.concat(records);
}

/** A text that a field of ustar has room for, and that means the same in all character sets. */
function isPlain(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly ASCII
  return text.length <= NAME_BYTES && /^[\x01-\x7f]*$/.test(text);
}

function seconds(ns: bigint): string {
  const whole = ns / BILLION - (ns % BILLION < 0n ? 1n : 0n);
  const rest = ns - whole * BILLION;
  if (whole < 0n && rest > 0n) return `-${-(whole + 1n)}.${String(BILLION - rest).padStart(9, '0')}`;
  return rest === 0n ? String(whole) : `${whole}.${String(rest).padStart(9, '0')}`;
}

/** `LENGTH KEY=VALUE\n`, the length with itself. */
function record(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length + rest !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** The records with a comment behind them, so that the data behind both headers begins at a whole page. */
function padded(records: Buffer, at: number): Buffer {
  for (let blocks = Math.max(1, Math.ceil(records.length / BLOCK)); ; blocks++) {
    const missing = blocks * BLOCK - records.length;
    const isAligned = (at + (2 + blocks) * BLOCK) % MEMBER_ALIGN === 0;
    if (!isAligned || (missing > 0 && missing < LEAST_COMMENT_BYTES)) continue;
    if (missing === 0) return records;
    const around = `${missing} comment=\n`.length;
    return Buffer.concat([records, Buffer.from(`${missing} comment=${' '.repeat(missing - around)}\n`)]);
  }
}

/** The end of a name that the field has no room for; the record of pax has all of it. */
function shortOf(name: string): string {
  const bytes = Buffer.from(name);
  return bytes.length <= NAME_BYTES ? name : bytes.subarray(bytes.length - NAME_BYTES).toString('latin1');
}

function headerOf(name: string, type: string, member: Omit<NewMember, 'name'>, size: number): Buffer {
  const { mode, uid, gid, modifiedNs, target = '' } = member;
  const header = Buffer.alloc(BLOCK);
  const put = (at: number, length: number, text: string) => header.write(text, at, length, 'utf8');
  const octal = (at: number, length: number, value: number) =>
    put(at, length, value.toString(8).padStart(length - 1, '0'));
  const mtime = Number(modifiedNs / BILLION);
  put(0, NAME_BYTES, name);
  octal(100, 8, mode & 0o7777);
  octal(108, 8, uid < MOST_OCTAL_ID ? uid : 0);
  octal(116, 8, gid < MOST_OCTAL_ID ? gid : 0);
  octal(124, 12, size < MOST_OCTAL_SIZE ? size : 0);
  octal(136, 12, mtime >= 0 && mtime < MOST_OCTAL_SIZE ? mtime : 0);
  put(148, 8, ' '.repeat(8));
  put(156, 1, type);
  put(157, NAME_BYTES, shortOf(target));
  put(257, 8, 'ustar\x0000');
  octal(329, 8, 0);
  octal(337, 8, 0);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, 8, `${sum.toString(8).padStart(6, '0')}\0 `);
  return header;
}
