/**
 * One annex: its header, its counters, and private copies of its slots. As with the log, other hosts may write a slot at any time,
 * so slots are copied before they are checked. Readers trust next_index alone.
 */
import { crc32 } from 'node:zlib';
import { fail, isU64, loadU64, writeU64 } from '../../libc/index.js';
import {
  ANNEX_HEADER_BYTES,
  ANNEX_MAGIC,
  ANNEX_MOST_RECORDS,
  ANNEX_SLOT_BYTES,
  ANNEX_VERSION,
  annexHeaderLayout,
  annexSlotOffset,
} from './annex-layout.js';
import type { Media } from './media.js';
import type { Problem } from './problem.js';
import { readStruct, unsafeNumbers, writeStruct } from './struct.js';
import { viewOf } from './superblock.js';
import { parseUuid } from './uuid.js';

const {
  magic,
  version,
  number: numberField,
  uuid: uuidField,
  slots: slotsField,
  first,
  crc,
  nextSeqnum,
  nextIndex,
} = annexHeaderLayout.fields;
const NEXT_SEQNUM_WORD = nextSeqnum.offset / 4;
const NEXT_INDEX_WORD = nextIndex.offset / 4;
/** The cache line of the counters. */
export const COUNTERS_AT = nextSeqnum.offset;
export const COUNTERS_BYTES = ANNEX_SLOT_BYTES;

/** The crc that those of all records of a file system continue. So a record of another one is never good. */
export function recordSeed(uuid: string): number {
  return crc32(parseUuid(uuid));
}

/** The header of a new annex. */
export function encodeAnnexHeader(
  uuid: string,
  number: number,
  bytes: number,
  firstRecord: number,
): Uint8Array {
  const header = new Uint8Array(ANNEX_HEADER_BYTES);
  const view = viewOf(header);
  const slots = Math.floor((bytes - ANNEX_HEADER_BYTES) / ANNEX_SLOT_BYTES);
  const values = { magic: ANNEX_MAGIC, version: ANNEX_VERSION, number, uuid, slots, first: firstRecord };
  writeStruct(annexHeaderLayout, view, 0, { ...values, nextSeqnum: firstRecord, nextIndex: 0 });
  writeU64(view, crc.offset, crc32(header.subarray(0, crc.offset)));
  return header;
}

/** Where an annex lies: one run of the device. */
export interface AnnexPlace {
  /** Its inode number. */
  ino: number;
  number: number;
  /** Device offset, and bytes. */
  offset: number;
  length: number;
}

export class AnnexFile {
  readonly media: Media;
  readonly place: AnnexPlace;
  readonly slots: number;
  /** The number of its first record. */
  readonly first: number;
  /** A view of the memory itself, header first. Its length is 0 once the device is gone. */
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;

  private constructor(
    media: Media,
    place: AnnexPlace,
    slots: number,
    firstRecord: number,
    bytes: Uint8Array,
  ) {
    this.media = media;
    this.place = place;
    this.slots = slots;
    this.first = firstRecord;
    this.bytes = bytes;
    this.words = new Uint32Array(bytes.buffer, bytes.byteOffset, ANNEX_HEADER_BYTES / 4);
  }

  /**
   * Opens an annex whose header passes its checks.
   * @returns what is wrong with it, else the annex
   * @throws DaxError EIO, ENODEV its memory is not there
   */
  static open(media: Media, place: AnnexPlace, uuid: string): AnnexFile | Problem {
    const { offset, length } = place;
    const bytes = media.view?.(offset, length) ?? media.bytes(offset, length);
    media.assertThere?.(offset, ANNEX_HEADER_BYTES);
    media.invalidate(offset, ANNEX_HEADER_BYTES);
    const header = bytes.slice(0, ANNEX_HEADER_BYTES);
    const problem = headerProblem(header, place, uuid);
    if (problem !== null) return problem;
    const { slots, first: firstRecord } = readStruct(annexHeaderLayout, viewOf(header), 0, offset);
    return new AnnexFile(media, place, slots, firstRecord, bytes);
  }

  get offset(): number {
    return this.place.offset;
  }

  /** Device offset of slot `index`. */
  slotOffset(index: number): number {
    return this.offset + annexSlotOffset(index);
  }

  /** How many slots are published. On damaged media it can be anything. */
  nextIndex(): number {
    this.media.invalidate(this.offset + COUNTERS_AT, COUNTERS_BYTES);
    this.assertThere();
    return this.indexNow();
  }

  /** The same of a header that the caller has just proven. */
  indexNow(): number {
    return loadU64(this.words, NEXT_INDEX_WORD, Atomics.load(this.words, NEXT_INDEX_WORD));
  }

  /** The number of the next record, as the header says. */
  nextSeqnum(): number {
    this.assertThere();
    return this.seqnumNow();
  }

  /** The same of a header that the caller has just proven. */
  seqnumNow(): number {
    return loadU64(this.words, NEXT_SEQNUM_WORD, Atomics.load(this.words, NEXT_SEQNUM_WORD));
  }

  /** @throws DaxError ENODEV the memory was taken away, EIO it was cut */
  assertThere(length = ANNEX_HEADER_BYTES): void {
    if (this.bytes.byteLength === 0)
      fail('ENODEV', `${this.media.name}: the device is gone, its annex is unmapped`);
    this.media.assertThere?.(this.offset, length);
  }

  /** A private copy of slots, past the cache. @param into where it may lie: as large, or larger */
  copySlots(from: number, to: number, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const at = annexSlotOffset(from);
    const end = annexSlotOffset(to);
    this.media.invalidate(this.offset + at, end - at);
    this.media.assertThere?.(this.offset + at, end - at);
    if (into === undefined) return new Uint8Array(this.bytes.subarray(at, end));
    into.set(this.bytes.subarray(at, end));
    return into.subarray(0, end - at);
  }
}

/** Checks a header. `place` says where it lies and which annex it should be. */
function headerProblem(
  header: Uint8Array,
  { offset, number, length }: AnnexPlace,
  uuid: string,
): Problem | null {
  const view = viewOf(header);
  const problem = (code: string, at: number, message: string): Problem => ({
    code,
    message: `annex ${number}: ${message} (byte ${offset + at})`,
    offset: offset + at,
  });
  if (!isU64(view, magic.offset, ANNEX_MAGIC))
    return problem('annex-magic', magic.offset, 'its magic is wrong: it is no annex');
  if (!isU64(view, crc.offset, crc32(header.subarray(0, crc.offset))))
    return problem('annex-crc', crc.offset, 'the crc of its header is wrong');
  const [unsafe] = unsafeNumbers(annexHeaderLayout, view, 'annex-number', offset);
  if (unsafe) return unsafe;
  const found = readStruct(annexHeaderLayout, view, 0, offset);
  if (found.version !== ANNEX_VERSION)
    return problem(
      'annex-version',
      version.offset,
      `its version is ${found.version}, this software knows ${ANNEX_VERSION}`,
    );
  if (found.uuid !== uuid)
    return problem(
      'annex-uuid',
      uuidField.offset,
      `it is of file system ${found.uuid}, and this one is ${uuid}`,
    );
  if (found.number !== number)
    return problem('annex-number', numberField.offset, `it says that it is annex ${found.number}`);
  const room = Math.floor((length - ANNEX_HEADER_BYTES) / ANNEX_SLOT_BYTES);
  if (found.slots < 1 || found.slots > room)
    return problem(
      'annex-slots',
      slotsField.offset,
      `it has ${found.slots} slots, its file has room for ${room}`,
    );
  if (found.first > ANNEX_MOST_RECORDS)
    return problem('annex-first', first.offset, `its first record would be ${found.first}`);
  return null;
}
