/**
 * A private copy of a run of log entries: other hosts may write into the log at any time.
 *
 * An entry ends with the CRC-32 of its other bytes, as a u64. So the CRC-32 of a whole entry that is good is the same number for every
 * entry, and that of a run of good ones depends on nothing but their number: one sum over the run tells that all of them are good.
 * A bad one among good ones always shows; two may hide each other by a chance of 2^-32, which is that of any crc.
 */
import { crc32 } from 'node:zlib';
import { ENTRY_CRC_OFFSET, ENTRY_SIZE } from './entry.js';
import { logEntryLayout } from './layout.js';
import type { Log } from './log.js';

/** Of an entry, in 4-byte words. */
const SEQNUM_WORD = logEntryLayout.fields.seqnum.offset / 4;
const CRC_WORD = ENTRY_CRC_OFFSET / 4;
/** Below, the sums of the entries are as quick. */
const FEWEST_AT_ONCE = 8;

export class EntryWindow {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** The bytes that the crc of the first entry covers: most windows are of one entry. */
  readonly #summedOfFirst: Uint8Array;
  /** Whether the sum over all entries has shown that each crc matches, but for the upper words, which no crc has. */
  #isSummed = false;

  constructor(readonly entries: number) {
    this.bytes = new Uint8Array(entries * ENTRY_SIZE);
    this.words = new Uint32Array(this.bytes.buffer);
    this.#summedOfFirst = this.bytes.subarray(0, ENTRY_CRC_OFFSET);
  }

  /** Past the cache: this host may have cached these lines when they were entries of another log, with numbers and crcs as right. */
  load(log: Log, first: number, count: number): void {
    log.media.invalidate(log.entryOffset(first), count * ENTRY_SIZE);
    log.copySlots(first, count, this.bytes);
    this.#isSummed =
      count >= FEWEST_AT_ONCE && crc32(this.bytes.subarray(0, count * ENTRY_SIZE)) === sumOfGood(count);
  }

  /** Copies one entry again, past the cache: another host may have written it after this CPU cached its lines. */
  reload(log: Log, i: number, index: number): void {
    log.media.invalidate(log.entryOffset(index), ENTRY_SIZE);
    log.copyEntry(index, this.bytes.subarray(i * ENTRY_SIZE, (i + 1) * ENTRY_SIZE));
    this.#isSummed = false;
  }

  /** The entry check: the seqnum equals the slot index, and the crc matches the bytes. */
  isGood(i: number, index: number): boolean {
    const word = (i * ENTRY_SIZE) >>> 2;
    const { words } = this;
    if (words[word + SEQNUM_WORD] !== index || words[word + SEQNUM_WORD + 1] !== 0) return false;
    if (words[word + CRC_WORD + 1] !== 0) return false;
    return this.#isSummed || words[word + CRC_WORD] === crc32(this.#summed(i));
  }

  #summed(i: number): Uint8Array {
    if (i === 0) return this.#summedOfFirst;
    return this.bytes.subarray(i * ENTRY_SIZE, i * ENTRY_SIZE + ENTRY_CRC_OFFSET);
  }

  u32(at: number): number {
    return this.words[at >>> 2]!;
  }
}

const sums = new Map<number, number>();

/** The CRC-32 of `count` good entries, one behind the other. */
function sumOfGood(count: number): number {
  let sum = sums.get(count);
  if (sum === undefined) {
    const entry = Buffer.alloc(ENTRY_SIZE);
    entry.writeUInt32LE(crc32(entry.subarray(0, ENTRY_CRC_OFFSET)), ENTRY_CRC_OFFSET);
    sum = crc32(Buffer.alloc(count * ENTRY_SIZE, entry));
    sums.set(count, sum);
  }
  return sum;
}
