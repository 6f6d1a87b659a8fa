/** A private copy of a run of log entries: other hosts may write into the log at any time. */
import { crc32 } from 'node:zlib';
import { loadU64 } from '../../libc/index.js';
import { ENTRY_CRC_OFFSET, ENTRY_SIZE } from './entry.js';
import { logEntryLayout } from './layout.js';
import type { Log } from './log.js';

const SEQNUM = logEntryLayout.fields.seqnum.offset;

export class EntryWindow {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** Of each entry, the bytes that its crc covers. */
  readonly #summed: readonly Uint8Array[];

  constructor(readonly entries: number) {
    this.bytes = new Uint8Array(entries * ENTRY_SIZE);
    this.words = new Uint32Array(this.bytes.buffer);
    this.#summed = Array.from({ length: entries }, (_, i) =>
      this.bytes.subarray(i * ENTRY_SIZE, i * ENTRY_SIZE + ENTRY_CRC_OFFSET),
    );
  }

  /** Past the cache: this host may have cached these lines when they were entries of another log, with numbers and crcs as right. */
  load(log: Log, first: number, count: number): void {
    log.media.invalidate(log.entryOffset(first), count * ENTRY_SIZE);
    log.copySlots(first, count, this.bytes);
  }

  /** Copies one entry again, past the cache: another host may have written it after this CPU cached its lines. */
  reload(log: Log, i: number, index: number): void {
    log.media.invalidate(log.entryOffset(index), ENTRY_SIZE);
    log.copyEntry(index, this.bytes.subarray(i * ENTRY_SIZE, (i + 1) * ENTRY_SIZE));
  }

  /** The entry check: the seqnum equals the slot index, and the crc matches the bytes. */
  isGood(i: number, index: number): boolean {
    const base = i * ENTRY_SIZE;
    return (
      loadU64(this.words, (base + SEQNUM) >>> 2) === index &&
      loadU64(this.words, (base + ENTRY_CRC_OFFSET) >>> 2) === crc32(this.#summed[i]!)
    );
  }

  u32(at: number): number {
    return this.words[at >>> 2]!;
  }
}
