/**
 * Appends to the log in a crash-safe order (decision 11): entry, flush, fence, next_seqnum, next_index, flush, fence.
 * The store of next_index publishes the entry. Only the touched cache lines are flushed, so the cost does not grow with the log.
 * The caller holds the log's lock.
 */
import { fail } from '../../libc/index.js';
import { ENTRY_SIZE, encodeEntry, type NewLogEntry } from './entry.js';
import { logHeaderLayout, slotOffset } from './layout.js';
import type { Log } from './log.js';
import type { Problem } from './problem.js';
import { viewOf } from './superblock.js';

const { nextSeqnum, nextIndex } = logHeaderLayout.fields;
const HEADER_SIZE = logHeaderLayout.size;

export class LogAppender {
  readonly #entry = new Uint8Array(ENTRY_SIZE);
  readonly #entryView = viewOf(this.#entry);
  readonly #words: Uint32Array;

  constructor(readonly log: Log) {
    this.#words = new Uint32Array(log.bytes.buffer, log.bytes.byteOffset, HEADER_SIZE / 4);
  }

  /** Slots left. */
  get free(): number {
    return Math.max(0, this.log.slots - this.log.nextIndex());
  }

  /**
   * Checks that the log has `entries` free slots. Call it before space is allocated or anything is written.
   * @throws DaxError ENOSPC fewer slots are left; ENODEV, EIO the log's memory is gone
   */
  assertRoom(entries = 1): void {
    this.log.assertThere(this.log.length);
    this.#assertSlots(this.log.loadIndices().index, entries);
  }

  #assertSlots(used: number, entries: number): void {
    const { media, slots } = this.log;
    if (used + entries > slots) {
      fail(
        'ENOSPC',
        `${media.name}: log full, ${used} of ${slots} entries are used and ${entries} more are needed: remove files ` +
          '(volume.rewrite({ remove })), or copy all out, mkfs(device, { force: true, logLength }) with a longer log, copy all in',
        { path: media.name, hint: 'mkfs-longer-log' },
      );
    }
  }

  /**
   * Repairs the indices after a writer was killed between the two index stores: next_seqnum is then one ahead of next_index.
   * Call it under the lock, before a session appends.
   * @returns true when it changed something
   * @throws DaxError EBADMSG when the indices disagree in any other way
   */
  repair(): boolean {
    this.log.assertThere();
    const { index, seqnum } = this.log.loadIndices();
    return this.#repairTo(index, seqnum);
  }

  #repairTo(index: number, seqnum: number): boolean {
    if (seqnum === index) return false;
    if (seqnum !== index + 1) {
      fail(
        'EBADMSG',
        `${this.log.media.name}: log indices disagree (next_seqnum ${seqnum} at byte ${this.log.offset + nextSeqnum.offset}, ` +
          `next_index ${index} at byte ${this.log.offset + nextIndex.offset}): not written; fsck() tells more`,
        { path: this.log.media.name, hint: 'fsck' },
      );
    }
    this.#storeIndex(nextSeqnum.offset, index);
    this.#flush(0, HEADER_SIZE);
    return true;
  }

  /**
   * Appends and publishes one entry.
   * @returns the entry's index; inodeOfEntry() tells the inode it makes
   * @throws DaxError ENOSPC log full; ENAMETOOLONG, EINVAL for what a slot cannot hold; EBADMSG the indices disagree;
   * ENODEV the log is unmapped; EIO the memory of the log was cut. The entry is not written then
   */
  append(entry: NewLogEntry): number {
    this.log.assertThere(this.log.length);
    const { index, seqnum } = this.log.loadIndices();
    this.#assertSlots(index, 1);
    this.#repairTo(index, seqnum);
    encodeEntry(this.#entry, this.#entryView, entry, index);
    const at = slotOffset(index);
    this.log.bytes.set(this.#entry, at);
    this.#flush(at, ENTRY_SIZE);
    this.#storeIndex(nextSeqnum.offset, index + 1);
    this.#storeIndex(nextIndex.offset, index + 1);
    this.#flush(0, HEADER_SIZE);
    return index;
  }

  /**
   * Stores the low word of an index in one aligned 4-byte store. A reader or a crash sees the old or the new number, never a
   * mix. The upper word stays 0: no log has 2^32 slots, and append() has checked the number.
   */
  #storeIndex(at: number, value: number): void {
    Atomics.store(this.#words, at / 4, value);
  }

  #flush(at: number, length: number): void {
    this.log.media.flush(this.log.offset + at, length);
    this.log.media.fence();
  }
}

/** @throws DaxError EBADMSG naming the bad entry behind which nothing may be appended */
export function refuseStopped(name: string, { message }: Problem): never {
  return fail(
    'EBADMSG',
    `${name}: ${message}; nothing can be added behind a damaged entry: copy the files out, ` +
      'mkfs(device, { force: true }), copy them in',
    { path: name, hint: 'mkfs-anew' },
  );
}
