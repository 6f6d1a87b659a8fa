/** Images of famfs: valid ones, and what a recipe makes of them. They have superblock and log only, no data. */
import fs from 'node:fs';
import path from 'node:path';
import { crc32, gunzipSync } from 'node:zlib';
import {
  addDaxdevLayout,
  bufferMedia,
  extentLayout,
  fileMetaLayout,
  fmapLayout,
  formatMedia,
  interleavedLayout,
  Log,
  LogAppender,
  logEntryLayout,
  logHeaderLayout,
  mkdirMetaLayout,
  readSuperblock,
  slotOffset,
  superblockLayout,
} from '../../src/famfs/index.js';
import { nasty, nastyName, Random } from './random.js';

const MIB = 2 ** 20;
export const HOST = '11111111-2222-4333-8444-555555555555';
export const OTHER_HOST = '99999999-2222-4333-8444-555555555555';
/** Size of superblock area and log. */
export const METADATA_BYTES = 10 * MIB;
export const DEVICE_BYTES = 64 * MIB;
const LOG_AT = 2 * MIB;
/** Most entries of a case. */
const ENTRIES = 48;
const SUPERBLOCK_BYTES = 4096;
/** Where the log begins in a head. */
const LOG = SUPERBLOCK_BYTES;
const LOG_BYTES = slotOffset(ENTRIES);

/** The start of the superblock area and the start of the log, one after the other. Everything else is zero. */
export type Head = Uint8Array<ArrayBuffer>;

/** The parts of a head, with their offsets on the device. */
export function piecesOf(head: Head): [number, Uint8Array][] {
  return [
    [0, head.subarray(0, SUPERBLOCK_BYTES)],
    [LOG_AT, head.subarray(LOG)],
  ];
}

function headOf(bytes: Uint8Array): Head {
  const head = new Uint8Array(LOG + LOG_BYTES);
  head.set(bytes.subarray(0, SUPERBLOCK_BYTES));
  head.set(bytes.subarray(LOG_AT, LOG_AT + LOG_BYTES), LOG);
  return head;
}

interface Fields {
  readonly size: number;
  readonly fields: Readonly<Record<string, { offset: number; type: string; size: number }>>;
}

const META = logEntryLayout.fields.meta.offset;
const FMAP = META + fileMetaLayout.fields.fmap.offset;

function bases(): Head[] {
  const heads: Head[] = [];
  const folder = path.resolve('conformance/famfs');
  for (const name of fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.img.gz'))
    .sort()) {
    heads.push(headOf(gunzipSync(fs.readFileSync(path.join(folder, name)))));
  }
  for (let seed = 0; seed < 12; seed++) heads.push(ownImage(seed));
  return heads;
}

let made: Head[] = [];

/** Makes the valid images, once in each process: it takes seconds. */
export function makeBases(): void {
  if (made.length === 0) made = bases();
}

function baseOf(random: Random): Head {
  // Most are images of our own, which have the right device size.
  return random.once(3) ? random.pick(made) : made[made.length - 1 - random.below(12)]!;
}

/** Reads the head of a device. */
export function headAt(fd: number): Head {
  const bytes = new Uint8Array(LOG_AT + LOG_BYTES);
  fs.readSync(fd, bytes, 0, bytes.length, 0);
  return headOf(bytes);
}

/** A valid volume with directories, files of one and of several extents, and interleaved files. */
function ownImage(seed: number): Head {
  const random = new Random(seed);
  const bytes = new Uint8Array(METADATA_BYTES);
  const media = bufferMedia(bytes, { name: 'image', size: DEVICE_BYTES });
  formatMedia(media, {
    systemUuid: HOST,
    uuids: {
      fileSystem: '11111111-1111-4111-8111-111111111111',
      device: '22222222-2222-4222-8222-222222222222',
    },
  });
  const appender = new LogAppender(Log.open(media, readSuperblock(media)));
  let unit = 0;
  const take = (units: number) => {
    const offset = METADATA_BYTES + unit * 2 * MIB;
    unit += units;
    return { devindex: 0, offset, length: units * 2 * MIB };
  };
  const owner = { uid: 1000, gid: 100 };
  const directories = [''];
  for (let i = 0; i < 4 + random.below(12); i++) {
    const parent = random.pick(directories);
    const name = `${parent === '' ? '' : `${parent}/`}n${i}`;
    if (random.once(3)) {
      appender.append({ kind: 'mkdir', path: name, mode: 0o755, ...owner });
      directories.push(name);
      continue;
    }
    if (unit > 20) continue;
    const extents = random.once(3) ? [take(1), take(1)] : [take(1)];
    const fmap = random.once(4)
      ? ({ type: 'interleaved', nstrips: extents.length, chunkSize: 2 * MIB, extents } as const)
      : ({ type: 'simple', extents } as const);
    const size = 1 + random.below(extents.length * 2 * MIB);
    appender.append({ kind: 'file', path: name, size, mode: 0o644, fmap, ...owner });
  }
  return headOf(bytes);
}

/** Makes the image of a recipe: the first seed chooses the base, and each seed changes it. */
export function imageOf(recipe: readonly number[]): Head {
  const [first = 0] = recipe;
  const head = baseOf(new Random(first)).slice();
  for (const seed of recipe) change(head, new Random(seed + 1));
  return head;
}

function change(head: Head, random: Random): void {
  const view = new DataView(head.buffer);
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const what = random.below(12);
    if (what === 0) changeSuperblock(view, random);
    else if (what === 1) changeLogHeader(view, random);
    else changeEntry(head, view, random);
  }
}

/** Sets one field of a struct to any value. */
function changeField(view: DataView, at: number, { fields }: Fields, random: Random): void {
  const names = Object.keys(fields);
  const { offset, type, size } = fields[random.pick(names)]!;
  const place = at + offset;
  if (type === 'u64') view.setBigUint64(place, nasty(random, view.getBigUint64(place, true)), true);
  else if (type === 'u32')
    view.setUint32(place, Number(nasty(random, BigInt(view.getUint32(place, true))) & 0xffffffffn), true);
  else if (type === 'text') setText(view, place, size, random);
  else view.setUint8(place + random.below(size), random.u32());
}

function setText(view: DataView, at: number, size: number, random: Random): void {
  const bytes = nastyName(random);
  for (let i = 0; i < size; i++) view.setUint8(at + i, bytes[i] ?? 0);
}

function mend(view: DataView, at: number, { fields }: Fields, random: Random): void {
  // A wrong checksum is a case too, but it ends reading early, so it is rare.
  if (random.once(24)) return;
  const crcAt = fields.crc!.offset;
  const bytes = new Uint8Array(view.buffer, at, crcAt);
  view.setBigUint64(at + crcAt, BigInt(crc32(bytes)), true);
}

function changeSuperblock(view: DataView, random: Random): void {
  changeField(view, 0, superblockLayout as Fields, random);
  mend(view, 0, superblockLayout as Fields, random);
}

function changeLogHeader(view: DataView, random: Random): void {
  changeField(view, LOG, logHeaderLayout as Fields, random);
  mend(view, LOG, logHeaderLayout as Fields, random);
}

const entryAt = (index: number) => LOG + slotOffset(index);

function changeEntry(head: Head, view: DataView, random: Random): void {
  const nextIndex = LOG + logHeaderLayout.fields.nextIndex.offset;
  const nextSeqnum = LOG + logHeaderLayout.fields.nextSeqnum.offset;
  const count = Number(view.getBigUint64(nextIndex, true) % BigInt(ENTRIES));
  const index = count === 0 ? 0 : random.below(count);
  const at = entryAt(index);
  switch (random.below(8)) {
    case 0: {
      // Adds an entry: a copy of another one, with its own number.
      const last = Math.min(count, ENTRIES - 1);
      head.copyWithin(entryAt(last), at, at + logEntryLayout.size);
      view.setBigUint64(entryAt(last), BigInt(last), true);
      view.setBigUint64(nextIndex, BigInt(last + 1), true);
      view.setBigUint64(nextSeqnum, BigInt(last + 1), true);
      changeMeta(view, entryAt(last), random);
      mend(view, entryAt(last), logEntryLayout as Fields, random);
      return;
    }
    case 1: {
      const other = entryAt(count === 0 ? 0 : random.below(count));
      head.copyWithin(at + 8, other + 8, other + logEntryLayout.size);
      break;
    }
    case 2:
      changeField(view, at, logEntryLayout as Fields, random);
      break;
    case 3:
      view.setUint32(at + logEntryLayout.fields.type.offset, random.pick([0, 1, 2, 3, 4, 0xffffffff]), true);
      break;
    case 4:
      view.setUint8(at + random.below(logEntryLayout.size - 8), random.u32());
      break;
    default:
      changeMeta(view, at, random);
  }
  mend(view, at, logEntryLayout as Fields, random);
}

function changeMeta(view: DataView, at: number, random: Random): void {
  const type = view.getUint32(at + logEntryLayout.fields.type.offset, true);
  if (type === 1) changeField(view, at + META, mkdirMetaLayout as Fields, random);
  else if (type === 3) changeField(view, at + META, addDaxdevLayout as Fields, random);
  else if (random.once(3)) changeField(view, at + META, fileMetaLayout as Fields, random);
  else changeFmap(view, at + FMAP, random);
}

function changeFmap(view: DataView, at: number, random: Random): void {
  const pieces = at + fmapLayout.fields.extents.offset;
  const strips = pieces + interleavedLayout.fields.strips.offset;
  switch (random.below(5)) {
    case 0:
      changeField(view, at, fmapLayout as Fields, random);
      return;
    case 1:
      changeField(view, pieces, interleavedLayout as Fields, random);
      return;
    case 2:
      changeField(view, strips + random.below(16) * extentLayout.size, extentLayout as Fields, random);
      return;
    case 3: {
      // Makes two extents overlap that both have a valid place.
      const from = pieces + random.below(2) * extentLayout.size;
      for (let i = 0; i < extentLayout.size; i += 8)
        view.setBigUint64(pieces + extentLayout.size + i, view.getBigUint64(from + i, true), true);
      view.setUint32(at + fmapLayout.fields.nextents.offset, 2, true);
      return;
    }
    default:
      changeField(view, pieces + random.below(16) * extentLayout.size, extentLayout as Fields, random);
  }
}
