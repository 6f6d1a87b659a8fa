import { type ArchiveWriter, MEMBER_ALIGN, type NewMember } from './member.js';

const LOCAL = 0x04034b50;
const ENTRY = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const UTF_8 = 0x0800;
const FULL_32 = 0xffffffff;
const FULL_16 = 0xffff;
const VERSION_64 = 45;
const VERSION = 20;
const MADE_ON_UNIX = 3 << 8;
const EXTRA_64 = 0x0001;
const EXTRA_TIME = 0x5455;
const EXTRA_OWNER = 0x7875;
/** As zipalign pads: the alignment, and zeroes. */
const EXTRA_PADDING = 0xd935;
const PADDING_HEADER_BYTES = 6;
const MILLION = 1_000_000n;
const BILLION = 1_000_000_000n;
const TYPE_BITS = { file: 0o100000, directory: 0o040000, symlink: 0o120000, hardlink: 0o100000 } as const;

/** Headers of a zip archive whose members are stored. A padding field in each header lets the data begin at a whole page. */
export class ZipWriter implements ArchiveWriter {
  readonly needsCrc = true;
  readonly hasHardLinks = false;
  readonly #entries: Buffer[] = [];

  begin(member: NewMember, at: number): Uint8Array {
    const name = Buffer.from(member.type === 'directory' ? `${member.name}/` : member.name);
    const isLong = member.size >= FULL_32;
    const extras = [
      timeExtra(member),
      ownerExtra(member),
      ...(isLong ? [extra64([member.size, member.size])] : []),
    ];
    const known = extras.reduce((sum, { length }) => sum + length, 0);
    if (member.type === 'file' && member.size > 0)
      extras.push(padding(at + 30 + name.length + known + PADDING_HEADER_BYTES));
    const extra = Buffer.concat(extras);
    const fields = Buffer.alloc(30);
    fields.writeUInt32LE(LOCAL, 0);
    fields.writeUInt16LE(isLong ? VERSION_64 : VERSION, 4);
    common(fields, 6, member, name);
    fields.writeUInt16LE(extra.length, 28);
    this.#entries.push(entryOf(member, name, at));
    return Buffer.concat([fields, name, extra]);
  }

  after(): Uint8Array {
    return new Uint8Array(0);
  }

  finish(at: number): Uint8Array {
    const directory = Buffer.concat(this.#entries);
    const count = this.#entries.length;
    const isLong = count >= FULL_16 || directory.length >= FULL_32 || at >= FULL_32;
    const end = Buffer.alloc(22);
    end.writeUInt32LE(END, 0);
    end.writeUInt16LE(Math.min(count, FULL_16), 8);
    end.writeUInt16LE(Math.min(count, FULL_16), 10);
    end.writeUInt32LE(Math.min(directory.length, FULL_32), 12);
    end.writeUInt32LE(Math.min(at, FULL_32), 16);
    return Buffer.concat([directory, ...(isLong ? [end64(at, directory.length, count)] : []), end]);
  }
}

/** From the flags to the length of the name, which both headers have alike. */
function common(fields: Buffer, at: number, { size, crc32, modifiedNs }: NewMember, name: Buffer): void {
  const { date, time } = dosTime(new Date(Number(modifiedNs / MILLION)));
  fields.writeUInt16LE(name.some((byte) => byte > 127) ? UTF_8 : 0, at);
  fields.writeUInt16LE(time, at + 4);
  fields.writeUInt16LE(date, at + 6);
  fields.writeUInt32LE(crc32, at + 8);
  fields.writeUInt32LE(Math.min(size, FULL_32), at + 12);
  fields.writeUInt32LE(Math.min(size, FULL_32), at + 16);
  fields.writeUInt16LE(name.length, at + 20);
}

function entryOf(member: NewMember, name: Buffer, local: number): Buffer {
  const { size, type, mode } = member;
  const long = [...(size >= FULL_32 ? [size, size] : []), ...(local >= FULL_32 ? [local] : [])];
  const extra = Buffer.concat([
    timeExtra(member),
    ownerExtra(member),
    ...(long.length > 0 ? [extra64(long)] : []),
  ]);
  const fields = Buffer.alloc(46);
  fields.writeUInt32LE(ENTRY, 0);
  fields.writeUInt16LE(MADE_ON_UNIX | VERSION_64, 4);
  fields.writeUInt16LE(long.length > 0 ? VERSION_64 : VERSION, 6);
  common(fields, 8, member, name);
  fields.writeUInt16LE(extra.length, 30);
  const attributes = (TYPE_BITS[type] | (mode & 0o7777)) * 2 ** 16 + (type === 'directory' ? 0x10 : 0);
  fields.writeUInt32LE(attributes, 38);
  fields.writeUInt32LE(Math.min(local, FULL_32), 42);
  return Buffer.concat([fields, name, extra]);
}

function end64(at: number, length: number, count: number): Buffer {
  const end = Buffer.alloc(56 + 20);
  end.writeUInt32LE(END_64, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(MADE_ON_UNIX | VERSION_64, 12);
  end.writeUInt16LE(VERSION_64, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(length), 40);
  end.writeBigUInt64LE(BigInt(at), 48);
  end.writeUInt32LE(LOCATOR_64, 56);
  end.writeBigUInt64LE(BigInt(at + length), 64);
  end.writeUInt32LE(1, 72);
  return end;
}

function timeExtra({ modifiedNs }: NewMember): Buffer {
  const seconds = modifiedNs / BILLION;
  if (seconds < -(2n ** 31n) || seconds >= 2n ** 31n) return Buffer.alloc(0);
  const extra = extraOf(EXTRA_TIME, 5);
  extra.writeUInt8(1, 4);
  extra.writeInt32LE(Number(seconds), 5);
  return extra;
}

function ownerExtra({ uid, gid }: NewMember): Buffer {
  const extra = extraOf(EXTRA_OWNER, 11);
  extra.writeUInt8(1, 4);
  extra.writeUInt8(4, 5);
  extra.writeUInt32LE(uid, 6);
  extra.writeUInt8(4, 10);
  extra.writeUInt32LE(gid, 11);
  return extra;
}

function extra64(numbers: readonly number[]): Buffer {
  const extra = extraOf(EXTRA_64, 8 * numbers.length);
  for (const [i, number] of numbers.entries()) extra.writeBigUInt64LE(BigInt(number), 4 + 8 * i);
  return extra;
}

/** @param end where the data would begin behind an empty padding */
function padding(end: number): Buffer {
  const zeroes = (MEMBER_ALIGN - (end % MEMBER_ALIGN)) % MEMBER_ALIGN;
  const extra = extraOf(EXTRA_PADDING, 2 + zeroes);
  extra.writeUInt16LE(MEMBER_ALIGN, 4);
  return extra;
}

function extraOf(id: number, length: number): Buffer {
  const extra = Buffer.alloc(4 + length);
  extra.writeUInt16LE(id, 0);
  extra.writeUInt16LE(length, 2);
  return extra;
}

/** Local time in steps of 2 s, from 1980 to 2107. Readers that know of time fields take those. */
function dosTime(when: Date): { date: number; time: number } {
  const year = when.getFullYear();
  if (!(year >= 1980)) return { date: 0x21, time: 0 };
  if (year > 2107) return { date: 0xff9f, time: 0xbf7d };
  const date = ((year - 1980) << 9) | ((when.getMonth() + 1) << 5) | when.getDate();
  return { date, time: (when.getHours() << 11) | (when.getMinutes() << 5) | (when.getSeconds() >> 1) };
}
