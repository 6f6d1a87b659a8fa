/**
 * The annex of a volume: its files in order, and what their records make of the tree. Readers call replay() behind each replay of the
 * log. It stops before a record that fails its checks, and tries that again at the next call.
 */
import { loadU64 } from '../../libc/index.js';
import { AnnexFile, recordSeed } from './annex-file.js';
import {
  ANNEX_HEADER_BYTES,
  ANNEX_MOST_RECORDS,
  ANNEX_SLOT_BYTES,
  annexName,
  annexRecordLayout,
  MOST_NAME_BYTES,
  MOST_RECORD_SLOTS,
  MOST_XATTR_BYTES,
  slotsFor,
} from './annex-layout.js';
import { AnnexNames } from './annex-names.js';
import { type AnnexRecord, CRC_FROM, decodeRecord } from './annex-record.js';
import { AnnexReplay } from './annex-replay.js';
import { hashOf } from './bindings.js';
import { crcOf, wordsOf } from './crc.js';
import type { Fmap } from './fmap.js';
import { FILE, type InodeTable } from './inode-table.js';
import type { Media } from './media.js';
import { encodeName } from './path.js';
import type { Problem, ProblemList } from './problem.js';

const F = annexRecordLayout.fields;
/** How many slots are copied at once: more than any record has. */
const WINDOW_SLOTS = 2 * MOST_RECORD_SLOTS;

/** Room for names is made for so many slots at once. The counter may lie: it is no more than that. */
const LOOK_AHEAD_SLOTS = 2 ** 15;

/** What an annex needs of the tree of the log that it belongs to. */
export interface AnnexHost {
  readonly media: Media;
  readonly inodes: InodeTable;
  /** Of the file system. */
  readonly uuid: string;
  readonly problems: ProblemList;
  /** The first log entry not applied yet. */
  nextIndex(): number;
  /** Applies the log entries that were published since. */
  replayLog(): void;
  fmap(ino: number): Fmap;
}

/** A place between two records. */
export interface AnnexPosition {
  /** The number of the next record. */
  readonly seqnum: number;
  readonly file: number;
  readonly slot: number;
}

export class Annex {
  readonly names: AnnexNames;
  readonly files: AnnexFile[] = [];
  readonly #host: AnnexHost;
  readonly #replay: AnnexReplay;
  readonly #seed: number;
  /** The copy of the slots that are being replayed. */
  #window = new Uint8Array(0);
  #records = 0;
  #slot = 0;
  #lastBase = 0;
  #stop: Problem | null = null;

  constructor(host: AnnexHost) {
    this.#host = host;
    this.names = new AnnexNames(host.inodes);
    this.#replay = new AnnexReplay(this.names);
    this.#seed = recordSeed(host.uuid);
  }

  /** Whether the log has the file of an annex. */
  static isIn(inodes: InodeTable): boolean {
    return slotOf(inodes, 0) !== 0;
  }

  /** How many records were applied or skipped. */
  get records(): number {
    return this.#records;
  }

  /** The crc that those of the records continue. */
  get seed(): number {
    return this.#seed;
  }

  /** The bad record, or the bad annex, at which replay stopped; null when it has passed all that is published. */
  get stopped(): Problem | null {
    return this.#stop;
  }

  get position(): AnnexPosition {
    return { seqnum: this.#records, file: Math.max(0, this.files.length - 1), slot: this.#slot };
  }

  /** Slots of the last annex that are behind all that was applied. */
  get freeSlots(): number {
    return (this.files.at(-1)?.slots ?? 0) - this.#slot;
  }

  /** Whether records were published that are not applied: one load. A further annex shows as a log entry. */
  isBehind(): boolean {
    const file = this.files.at(-1);
    return file !== undefined && file.nextIndex() !== this.#slot;
  }

  /** Slots in use, and slots of all annexes. */
  usage(): { used: number; slots: number } {
    const before = this.files.slice(0, -1).reduce((sum, { slots }) => sum + slots, 0);
    return { used: before + this.#slot, slots: before + (this.files.at(-1)?.slots ?? 0) };
  }

  /** Applies the records published since the last call. @returns how many it passed */
  replay(): number {
    const before = this.#records;
    this.#stop = null;
    let file = this.files.at(-1) ?? this.#openNext();
    while (file !== null && this.#replayFile(file)) {
      if (slotOf(this.#host.inodes, this.files.length) === 0) break;
      // The writer was done with this annex when it made the next one: the last records may have come in between.
      if (!this.#replayFile(file)) break;
      file = this.#openNext();
    }
    return this.#records - before;
  }

  /** Opens the annex behind the last one. Null, with #stop set, when it cannot be used. */
  #openNext(): AnnexFile | null {
    const { inodes, media, uuid } = this.#host;
    const number = this.files.length;
    const slot = slotOf(inodes, number);
    if (slot === 0) return null;
    this.names.hide(annexName(number));
    this.names.annexes.add(slot + 1);
    const stop = (code: string, message: string): null => {
      this.#stop = { code, message: `annex ${number} (log entry ${slot - 1}): ${message}`, entry: slot - 1 };
      return null;
    };
    if (inodes.kind[slot] !== FILE) return stop('annex-kind', 'it is a directory');
    const fmap = this.#fmapOf(slot + 1);
    if (typeof fmap === 'string') return stop('annex-extents', fmap);
    const [extent] = fmap.extents;
    const length = Math.min(extent!.length, inodes.fileSize[slot]!);
    if (fmap.extents.length !== 1 || extent!.devindex !== 0 || length < ANNEX_HEADER_BYTES + ANNEX_SLOT_BYTES)
      return stop('annex-extents', 'it does not lie in one run of this device, or is too small');
    const opened = AnnexFile.open(media, { ino: slot + 1, number, offset: extent!.offset, length }, uuid);
    if (!(opened instanceof AnnexFile)) {
      this.#stop = opened;
      return null;
    }
    if (opened.first !== this.#records)
      return stop('annex-first', `its first record has number ${opened.first}, want ${this.#records}`);
    this.files.push(opened);
    this.#slot = 0;
    return opened;
  }

  #fmapOf(ino: number): Fmap | string {
    try {
      return this.#host.fmap(ino);
    } catch (error) {
      return (error as Error).message;
    }
  }

  /** @returns false when it stopped */
  #replayFile(file: AnnexFile): boolean {
    // Beyond the slots there is nothing: of a wild counter the good records count, and the first that is none stops.
    const published = Math.min(file.nextIndex(), file.slots);
    if (published === this.#slot) return true;
    if (published < this.#slot)
      return this.#stopAt(
        file,
        this.#slot,
        'annex-index',
        0,
        `next_index is ${published}, ${this.#slot} of ${file.slots} slots were read`,
      );
    while (this.#slot < published) if (!this.#replayWindow(file, published)) return false;
    return true;
  }

  /** Applies the records of one window, which stays in the processor's cache. @returns false when it stopped */
  #replayWindow(file: AnnexFile, published: number): boolean {
    const from = this.#slot;
    const to = Math.min(published, from + WINDOW_SLOTS);
    const bytes = (to - from) * ANNEX_SLOT_BYTES;
    if (this.#window.length < bytes) this.#window = new Uint8Array(bytes);
    // The least record with a name takes two slots, and gives one. (An exchange gives two: room for more is made when it is needed.)
    this.names.bindings.reserve(Math.ceil(Math.min(published - from, LOOK_AHEAD_SLOTS) / 2));
    let copy = file.copySlots(from, to, this.#window);
    let words = this.#replay.load(copy);
    let isSecondLook = false;
    while (this.#slot < to) {
      const at = (this.#slot - from) * ANNEX_SLOT_BYTES;
      const why = recordFault(copy, words, at, this.#records, this.#seed);
      if (why !== null) {
        // The last record may go on behind the window.
        if (to < published && this.#slot > from && why.code === 'annex-span') return true;
        if (isSecondLook) return this.#stopAt(file, this.#slot, why.code, why.at, why.message);
        // Another host may have written it after this CPU cached its lines.
        copy = file.copySlots(from, to, this.#window);
        words = this.#replay.load(copy);
        isSecondLook = true;
        continue;
      }
      if (!this.#applyAt(file, words, at)) return false;
    }
    return true;
  }

  /** @param at its byte in the copy that was loaded, whose words these are */
  #applyAt(file: AnnexFile, words: Uint32Array, at: number): boolean {
    const base = loadU64(words, (at + F.base.offset) / 4);
    if (base > this.#host.nextIndex()) this.#host.replayLog();
    const nextIndex = this.#host.nextIndex();
    if (base > nextIndex)
      return this.#stopAt(
        file,
        this.#slot,
        'annex-base',
        F.base.offset,
        `it comes after ${base} log entries, and there are ${nextIndex}`,
      );
    const isInOrder = base >= this.#lastBase;
    const why = isInOrder
      ? this.#replay.apply(at, this.#records, base)
      : {
          code: 'annex-base',
          at: F.base.offset,
          message: `it comes after ${base} log entries, the one before after ${this.#lastBase}`,
        };
    if (why !== null)
      this.#host.problems.add(this.#problem(file, this.#slot, why.code, why.at, `${why.message}: skipped`));
    if (isInOrder) this.#lastBase = base;
    this.#slot += words[(at + F.slots.offset) / 4]!;
    this.#records++;
    return true;
  }

  #stopAt(file: AnnexFile, slot: number, code: string, at: number, message: string): false {
    this.#stop = this.#problem(file, slot, code, at, message);
    return false;
  }

  #problem(file: AnnexFile, slot: number, code: string, at: number, message: string): Problem {
    const offset = file.slotOffset(slot) + at;
    return {
      code,
      message: `annex ${file.place.number}, record ${this.#records}: ${message} (byte ${offset})`,
      record: this.#records,
      offset,
    };
  }

  /** The records that were applied from a position on, decoded from the memory again. */
  *recordsFrom(from: AnnexPosition): Generator<{ record: AnnexRecord; next: AnnexPosition; offset: number }> {
    let { seqnum, file: number, slot } = from;
    for (; number < this.files.length; number++, slot = 0) {
      const file = this.files[number]!;
      const end = number === this.files.length - 1 ? this.#slot : file.nextIndex();
      while (slot < end && seqnum < this.#records) {
        const copy = file.copySlots(slot, Math.min(end, slot + MOST_RECORD_SLOTS));
        if (recordFault(copy, wordsOf(copy), 0, seqnum, this.#seed) !== null) return;
        const record = decodeRecord(copy, 0);
        const offset = file.slotOffset(slot);
        slot += record.slots;
        seqnum++;
        yield { record, next: { seqnum, file: number, slot }, offset };
      }
    }
  }
}

/** Checks number, span and crc of the record at byte `at` of a copy, whose words these are. */
function recordFault(
  copy: Uint8Array,
  words: Uint32Array,
  at: number,
  seqnum: number,
  seed: number,
): { code: string; at: number; message: string } | null {
  if (copy.length - at < annexRecordLayout.size)
    return { code: 'annex-span', at: F.slots.offset, message: 'it does not fit what is published' };
  const found = loadU64(words, (at + F.seqnum.offset) / 4);
  if (found !== seqnum || seqnum >= ANNEX_MOST_RECORDS)
    return { code: 'annex-seqnum', at: F.seqnum.offset, message: `its number is ${found}, want ${seqnum}` };
  const slots = words[(at + F.slots.offset) / 4]!;
  const names = words[(at + F.nameLength.offset) / 4]! + words[(at + F.newNameLength.offset) / 4]!;
  const value = words[(at + F.valueLength.offset) / 4]!;
  const left = (copy.length - at) / ANNEX_SLOT_BYTES;
  if (
    names > 2 * MOST_NAME_BYTES ||
    value > MOST_XATTR_BYTES ||
    slots !== slotsFor(names + value) ||
    slots > left
  )
    return {
      code: 'annex-span',
      at: F.slots.offset,
      message: `it spans ${slots} slots with ${names} and ${value} bytes behind it`,
    };
  const end = at + annexRecordLayout.size + names + value;
  const crc = crcOf(words, copy, at + CRC_FROM, end, seed);
  const stored = loadU64(words, (at + F.crc.offset) / 4);
  if (stored === crc) return null;
  return {
    code: 'annex-record-crc',
    at: F.crc.offset,
    message: `its crc is 0x${stored.toString(16)}, its bytes give 0x${crc.toString(16)}`,
  };
}

/** The slot in the inode table of annex k; 0 when the log has none. */
function slotOf(inodes: InodeTable, number: number): number {
  const bytes = number === 0 ? FIRST_NAME : encodeName(annexName(number));
  return inodes.find(0, bytes, 0, bytes.length, number === 0 ? FIRST_HASH : hashOf(bytes));
}

const FIRST_NAME = encodeName(annexName(0));
const FIRST_HASH = hashOf(FIRST_NAME);
