/**
 * Reads the log: header, indices, entries and their checks. Readers trust next_index alone. Other hosts may write a slot at
 * any time, so a slot is copied to private memory before it is checked and decoded.
 */
import { crc32 } from 'node:zlib';
import { fail, isU64, loadU64 } from '../../libc/index.js';
import { decodeEntry, ENTRY_CRC_OFFSET, ENTRY_SIZE, type LogEntry } from './entry.js';
import {
  FAMFS_LOG_MAGIC,
  type LogHeader,
  logEntryLayout,
  logHeaderLayout,
  logSlots,
  type Superblock,
  slotOffset,
} from './layout.js';
import type { LostRange, Media } from './media.js';
import type { Problem } from './problem.js';
import { readStruct, unsafeNumbers } from './struct.js';
import { viewOf } from './superblock.js';

const { magic, length, lastIndex, crc, nextSeqnum, nextIndex } = logHeaderLayout.fields;
const HEADER_SIZE = logHeaderLayout.size;
const NEXT_SEQNUM_WORD = nextSeqnum.offset / 4;
const NEXT_INDEX_WORD = nextIndex.offset / 4;
const SEQNUM = logEntryLayout.fields.seqnum.offset;

/** Decodes the 48 header bytes. `origin` is their device offset. EBADMSG when a number is beyond 2^53. */
export function decodeLogHeader(bytes: Uint8Array, origin: number): LogHeader {
  return readStruct(logHeaderLayout, viewOf(bytes), 0, origin);
}

/** Checks a log header as C does: magic, then crc. `origin` is the header's device offset. */
export function checkLogHeader(bytes: Uint8Array, origin: number): Problem | null {
  const view = viewOf(bytes);
  if (!isU64(view, magic.offset, FAMFS_LOG_MAGIC)) {
    const offset = origin + magic.offset;
    const found = view.getBigUint64(magic.offset, true).toString(16);
    return { code: 'log-magic', message: `log magic at byte ${offset} is 0x${found}`, offset };
  }
  const computed = crc32(bytes.subarray(0, crc.offset));
  if (!isU64(view, crc.offset, computed)) {
    const offset = origin + crc.offset;
    const stored = view.getBigUint64(crc.offset, true).toString(16);
    const message = `log header crc at byte ${offset} is 0x${stored}, its bytes give 0x${computed.toString(16)}`;
    return { code: 'log-crc', message, offset };
  }
  return null;
}

/** The numbers of a log header that are beyond 2^53. decodeLogHeader() refuses them. */
export function logHeaderNumberFaults(bytes: Uint8Array, origin: number): Problem[] {
  return unsafeNumbers(logHeaderLayout, viewOf(bytes), 'log-number', origin);
}

/** Compares the header's length and last index with the superblock's log length. C never compares them. */
export function logHeaderFaults(header: LogHeader, superblock: Superblock): Problem[] {
  const problems: Problem[] = [];
  const origin = superblock.logOffset;
  if (header.length !== superblock.logLength) {
    const offset = origin + length.offset;
    const message = `log length at byte ${offset} is ${header.length}, the superblock says ${superblock.logLength}`;
    problems.push({ code: 'log-length', message, offset });
  }
  const slots = logSlots(superblock.logLength);
  if (header.lastIndex !== slots - 1) {
    const offset = origin + lastIndex.offset;
    const message = `last index at byte ${offset} is ${header.lastIndex}, a log of ${superblock.logLength} bytes ends at ${slots - 1}`;
    problems.push({ code: 'log-last-index', message, offset });
  }
  return problems;
}

/** A log: its position, its size and a lasting view of its memory. `open` checks the header, `at` does not. */
export class Log {
  /** How many slots the log has, by the superblock's log length. */
  readonly slots: number;
  readonly #words: Uint32Array;
  readonly #scratch = new Uint8Array(ENTRY_SIZE);
  /** True for readers of damaged media: slots whose memory is gone read as zeroes instead of failing. */
  readonly #pastLosses: boolean;

  private constructor(
    readonly media: Media,
    /** Device offset of the header. */
    readonly offset: number,
    readonly length: number,
    /** A view of the memory itself, header first. Its length is 0 once the device is gone. */
    readonly bytes: Uint8Array,
    pastLosses: boolean,
  ) {
    this.#pastLosses = pastLosses;
    this.slots = logSlots(length);
    this.#words = new Uint32Array(bytes.buffer, bytes.byteOffset, HEADER_SIZE / 4);
  }

  /**
   * The log that a superblock describes, without a check of its header (fsck).
   * @param pastLosses slots whose memory is gone count as bad entries instead of throwing
   */
  static at(media: Media, superblock: Superblock, { pastLosses = false } = {}): Log {
    const { logOffset, logLength } = superblock;
    // An unproven view: every access checks the part it touches. So a cut file keeps readers only from its missing part.
    const bytes = media.view?.(logOffset, logLength) ?? media.bytes(logOffset, logLength);
    if (bytes.byteOffset % 8 !== 0) fail('EINVAL', `${media.name}: the log is not mapped at a multiple of 8`);
    return new Log(media, logOffset, logLength, bytes, pastLosses);
  }

  /** The log that a superblock describes. EBADMSG when its header is damaged or contradicts the superblock. */
  static open(media: Media, superblock: Superblock): Log {
    const log = Log.at(media, superblock);
    const header = log.headerBytes();
    const problem = checkLogHeader(header, log.offset) ?? logHeaderNumberFaults(header, log.offset)[0];
    const fault = problem ?? logHeaderFaults(decodeLogHeader(header, log.offset), superblock)[0];
    if (fault !== undefined) {
      fail('EBADMSG', `${media.name}: ${fault.message}; the log is damaged, fsck() tells more`, {
        path: media.name,
        hint: 'fsck',
      });
    }
    return log;
  }

  /** A private copy of the header. */
  headerBytes(): Uint8Array {
    this.media.invalidate(this.offset, HEADER_SIZE);
    this.assertThere();
    return this.bytes.slice(0, HEADER_SIZE);
  }

  header(): LogHeader {
    return decodeLogHeader(this.headerBytes(), this.offset);
  }

  /** How many entries are published: an assertThere() and one atomic load. On damaged media it can be anything up to 2^64. */
  nextIndex(): number {
    this.media.invalidate(this.offset, HEADER_SIZE);
    this.assertThere();
    return this.#loadIndex(NEXT_INDEX_WORD);
  }

  nextSeqnum(): number {
    this.assertThere();
    return this.#loadIndex(NEXT_SEQNUM_WORD);
  }

  /** Both indices. The caller has just called assertThere(). */
  loadIndices(): { index: number; seqnum: number } {
    this.media.invalidate(this.offset, HEADER_SIZE);
    return { index: this.#loadIndex(NEXT_INDEX_WORD), seqnum: this.#loadIndex(NEXT_SEQNUM_WORD) };
  }

  /**
   * How many slots may hold entries. This is next_index. When the header's memory is gone (and `pastLosses` is set), it is
   * the end of the last slot that holds a good entry or cannot be read.
   */
  readableEnd(): number {
    if (!this.#pastLosses || this.lossAt(0, HEADER_SIZE) === null) return this.nextIndex();
    let end = this.slots;
    while (end > 0 && this.#isEmpty(end - 1)) end--;
    return end;
  }

  #isEmpty(index: number): boolean {
    return this.checkEntry(index).some(({ code }) => code !== 'entry-memory');
  }

  /** The first loss that keeps these bytes of the log from being read, or null. */
  lossAt(at: number, length: number): LostRange | null {
    return this.media.lost?.(this.offset + at, length)[0] ?? null;
  }

  #loadIndex(word: number): number {
    return loadU64(this.#words, word, Atomics.load(this.#words, word));
  }

  /**
   * Checks that the first `length` bytes of the log are there; by default the header. Call it before each use of the view.
   * @throws DaxError ENODEV the memory was taken away (device disabled, volume closed), EIO the file behind it was cut
   */
  assertThere(length = HEADER_SIZE): void {
    this.#assertPart(0, length);
  }

  #assertPart(at: number, length: number): void {
    if (this.bytes.byteLength === 0)
      fail('ENODEV', `${this.media.name}: the device is gone, its log is unmapped`);
    this.media.assertThere?.(this.offset + at, length);
  }

  /** Device offset of slot `index`. */
  entryOffset(index: number): number {
    return this.offset + slotOffset(index);
  }

  /** A private copy of slot `index`. ERANGE outside the log. */
  copyEntry(index: number, into: Uint8Array = new Uint8Array(ENTRY_SIZE)): Uint8Array {
    if (!(index >= 0 && index < this.slots))
      fail('ERANGE', `log entry ${index}: the log has ${this.slots} slots`);
    this.copySlots(index, 1, into);
    return into;
  }

  /** Copies `count` slots from `first` on to private memory. All of them must lie inside the log. All entry loads go through here. */
  copySlots(first: number, count: number, into: Uint8Array): void {
    const at = slotOffset(first);
    const length = count * ENTRY_SIZE;
    if (this.#pastLosses && this.lossAt(at, length) !== null) {
      this.#copySlotsThatAreThere(first, count, into);
      return;
    }
    this.#assertPart(at, length);
    into.set(this.bytes.subarray(at, at + length));
  }

  #copySlotsThatAreThere(first: number, count: number, into: Uint8Array): void {
    for (let i = 0; i < count; i++) {
      const at = slotOffset(first + i);
      const target = into.subarray(i * ENTRY_SIZE, (i + 1) * ENTRY_SIZE);
      if (this.lossAt(at, ENTRY_SIZE) === null) target.set(this.bytes.subarray(at, at + ENTRY_SIZE));
      else target.fill(0);
    }
  }

  /**
   * Checks the seqnum and crc of an entry. On failure it drops the cache lines and checks once more.
   * @returns what is wrong with the entry; an empty list when it is good
   */
  checkEntry(index: number): Problem[] {
    return this.#checkCopy(index, this.#scratch);
  }

  /** The decoded slot `index`. @throws DaxError EBADMSG when it fails its checks or cannot be decoded */
  entry(index: number): LogEntry {
    return decodeEntry(viewOf(this.entryBytes(index)), 0, index, this.entryOffset(index));
  }

  /** A private copy of slot `index`, checked. @throws DaxError EBADMSG when it fails its checks */
  entryBytes(index: number): Uint8Array {
    const copy = new Uint8Array(ENTRY_SIZE);
    this.readEntry(index, copy);
    return copy;
  }

  /** As entryBytes(), into memory of the caller. */
  readEntry(index: number, into: Uint8Array): void {
    const [problem] = this.#checkCopy(index, into);
    if (problem !== undefined) fail('EBADMSG', `${this.media.name}: ${problem.message}`);
  }

  #checkCopy(index: number, copy: Uint8Array): Problem[] {
    const loss = this.#pastLosses ? this.lossAt(slotOffset(index), ENTRY_SIZE) : null;
    if (loss !== null) {
      const offset = this.entryOffset(index);
      const message = `log entry ${index} at byte ${offset} cannot be read: ${loss.why}`;
      return [{ code: 'entry-memory', message, entry: index, offset }];
    }
    let problems = entryProblems(this.copyEntry(index, copy), index, this.entryOffset(index));
    if (problems.length > 0) {
      this.media.invalidate(this.entryOffset(index), ENTRY_SIZE);
      problems = entryProblems(this.copyEntry(index, copy), index, this.entryOffset(index));
    }
    return problems;
  }

  /** The decoded slot `index`, with crc and seqnum unchecked: for tools that show damaged media. */
  decodeUnchecked(index: number): LogEntry {
    return decodeEntry(viewOf(this.copyEntry(index)), 0, index, this.entryOffset(index));
  }
}

/** Checks the seqnum, then the crc, in C's order. */
function entryProblems(entry: Uint8Array, index: number, origin: number): Problem[] {
  const problems: Problem[] = [];
  const view = viewOf(entry);
  if (!isU64(view, SEQNUM, index)) {
    const offset = origin + SEQNUM;
    const found = view.getBigUint64(SEQNUM, true);
    const message = `log entry ${index}: seqnum at byte ${offset} is ${found}, want ${index}`;
    problems.push({ code: 'entry-seqnum', message, entry: index, offset });
  }
  const computed = crc32(entry.subarray(0, ENTRY_CRC_OFFSET));
  if (!isU64(view, ENTRY_CRC_OFFSET, computed)) {
    const offset = origin + ENTRY_CRC_OFFSET;
    const stored = view.getBigUint64(ENTRY_CRC_OFFSET, true).toString(16);
    const message = `log entry ${index}: crc at byte ${offset} is 0x${stored}, its bytes give 0x${computed.toString(16)}`;
    problems.push({ code: 'entry-crc', message, entry: index, offset });
  }
  return problems;
}
