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

  /**
   * Appends and publishes one record.
   * @param seqnum its number: that of the record that replay expects next
   * @param slot the slot that replay has come to
   * @throws DaxError ENOSPC the annex is full; EBADMSG its counters disagree; ENODEV, EIO. Nothing is published then
   */
  append(record: Uint8Array, seqnum: number, slot: number): void {
    const { file } = this;
    const slots = record.length / (annexSlotOffset(1) - annexSlotOffset(0));
    if (slot + slots > file.slots) {
      const { name } = file.media;
      fail('ENOSPC', `${name}: annex ${file.place.number} is full, ${slot} of ${file.slots} slots are used`, {
        path: name,
      });
    }
    const at = annexSlotOffset(slot);
    // Proven once: header and record.
    file.assertThere(at + record.length);
    const index = file.indexNow();
    if (index !== slot)
      this.#disagrees('next_index', nextIndex.offset, index, `its records end at slot ${slot}`);
    this.#repairTo(seqnum);
    file.bytes.set(record, at);
    this.#flush(at, record.length);
    this.#store(nextSeqnum.offset, seqnum + 1);
    this.#store(nextIndex.offset, slot + slots);
    this.#flush(COUNTERS_AT, COUNTERS_BYTES);
  }

  /** A writer that was killed between the two counters left next_seqnum one ahead. */
  #repairTo(seqnum: number): void {
    const found = this.file.seqnumNow();
    if (found === seqnum) return;
    if (found !== seqnum + 1)
      this.#disagrees('next_seqnum', nextSeqnum.offset, found, `its records end before ${seqnum}`);
    this.#store(nextSeqnum.offset, seqnum);
    this.#flush(COUNTERS_AT, COUNTERS_BYTES);
  }

  #disagrees(counter: string, at: number, found: number, want: string): never {
    const { media, place } = this.file;
    return fail(
      'EBADMSG',
      `${media.name}: annex ${place.number}: ${counter} at byte ${place.offset + at} is ${found}, and ${want}: not written; fsck() tells more`,
      { path: media.name, hint: 'fsck' },
    );
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
