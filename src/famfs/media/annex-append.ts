/**
 * Appends records to an annex in the crash-safe order of the log: record, flush, fence, next_seqnum, next_index, flush, fence. The
 * store of next_index publishes. The caller holds the log's lock and has replayed the annex to its end.
 */
import { fail } from '../../libc/index.js';
import { type AnnexFile, COUNTERS_AT, COUNTERS_BYTES } from './annex-file.js';
import { annexHeaderLayout, annexSlotOffset } from './annex-layout.js';

const { nextSeqnum, nextIndex } = annexHeaderLayout.fields;

export class AnnexAppender {
  readonly file: AnnexFile;

  constructor(file: AnnexFile) {
    this.file = file;
  }

  /** Slots left. */
  get free(): number {
    return Math.max(0, this.file.slots - this.file.nextIndex());
  }

  /**
   * Appends and publishes one record.
   * @param seqnum its number: that of the record that replay expects next
   * @throws DaxError ENOSPC the annex is full; EBADMSG its counters disagree; ENODEV, EIO. Nothing is published then
   */
  append(record: Uint8Array, seqnum: number): void {
    const { file } = this;
    const index = file.nextIndex();
    const slots = record.length / (annexSlotOffset(1) - annexSlotOffset(0));
    if (index + slots > file.slots) {
      const { name } = file.media;
      fail(
        'ENOSPC',
        `${name}: annex ${file.place.number} is full, ${index} of ${file.slots} slots are used`,
        { path: name },
      );
    }
    const at = annexSlotOffset(index);
    file.assertThere(at + record.length);
    this.#repairTo(seqnum);
    file.bytes.set(record, at);
    this.#flush(at, record.length);
    this.#store(nextSeqnum.offset, seqnum + 1);
    this.#store(nextIndex.offset, index + slots);
    this.#flush(COUNTERS_AT, COUNTERS_BYTES);
  }

  /** A writer that was killed between the two counters left next_seqnum one ahead. */
  #repairTo(seqnum: number): void {
    const found = this.file.nextSeqnum();
    if (found === seqnum) return;
    if (found !== seqnum + 1) {
      const { media, place } = this.file;
      const where = `byte ${place.offset + nextSeqnum.offset}`;
      fail(
        'EBADMSG',
        `${media.name}: annex ${place.number}: next_seqnum at ${where} is ${found}, and its records end before ${seqnum}: not written; ` +
          'fsck() tells more',
        { path: media.name, hint: 'fsck' },
      );
    }
    this.#store(nextSeqnum.offset, seqnum);
    this.#flush(COUNTERS_AT, COUNTERS_BYTES);
  }

  /** One aligned 4-byte store, as in the log: no counter reaches 2^32. */
  #store(at: number, value: number): void {
    Atomics.store(this.file.words, at / 4, value);
  }

  #flush(at: number, length: number): void {
    const { media, offset } = this.file;
    media.flush(offset + at, length);
    media.fence();
  }
}
