import { fail } from '../../libc/index.js';
import { AnnexAppender } from '../media/annex-append.js';
import { encodeAnnexHeader } from '../media/annex-file.js';
import {
  ANNEX_FIRST_BYTES,
  ANNEX_HEADER_BYTES,
  ANNEX_HEADER_USED,
  ANNEX_MOST_BYTES,
  annexName,
  OBJECTS_NAME,
} from '../media/annex-layout.js';
import { type AnnexChange, encodeRecordOf, type FileTime, slotsOfChange } from '../media/annex-record.js';
import type { NewLogEntry } from '../media/entry.js';
import type { Fmap } from '../media/fmap.js';
import type { Superblock } from '../media/layout.js';
import type { Media } from '../media/media.js';
import type { FileTree } from '../media/tree.js';
import { ownerOf } from './name-rules.js';
import type { Reservation, Space } from './space.js';

const ANNEX_MODE = 0o600;
const OBJECTS_MODE = 0o755;

/** Now, as the annex notes it. */
export function timeNow(): FileTime {
  return fileTime(Date.now());
}

/** A time of JavaScript as the annex notes it: milliseconds since 1970, with a fraction. */
export function fileTime(milliseconds: number): FileTime {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.floor((milliseconds - seconds * 1000) * 1e6) };
}

/** What the writer needs of the mounted famfs that the annex is of. */
interface AnnexHome {
  readonly device: { readonly name: string };
  readonly media: Media;
  readonly superblock: Superblock;
  readonly tree: FileTree;
  readonly space: Space;
  readonly isPlain: boolean;
  assertLogRoom(entries: number): void;
  assertMemory(fmap: Fmap): void;
  append(entry: NewLogEntry): number;
}

/**
 * Appends records to the annex of a mounted famfs, and makes the annex when it is first needed. All of it within a session: the log
 * is locked, and log and annex are replayed to their ends.
 */
export class AnnexWriter {
  readonly #mounted: AnnexHome;
  #appender: AnnexAppender | null = null;

  constructor(mounted: AnnexHome) {
    this.#mounted = mounted;
  }

  /**
   * Makes sure that the annex has room for these changes, one after another, and that the log has room for `entries` more.
   * Nothing of the changes is written. @throws DaxError ENOSPC the log or the device is full; EIO
   */
  prepare(changes: readonly AnnexChange[], entries = 0): void {
    const { isPlain, device } = this.#mounted;
    if (isPlain) {
      const why = 'is mounted with the plain names of the log, which change nothing: mount it without plain';
      fail('EPERM', `${device.name} ${why}`, { path: device.name });
    }
    const slots = changes.reduce((sum, change) => sum + slotsOfChange(change), 0);
    if (this.#last() !== null && this.#mounted.tree.annex!.freeSlots >= slots) {
      if (entries > 0) this.#mounted.assertLogRoom(entries);
      return;
    }
    this.#mounted.assertLogRoom(entries + 1);
    this.#make();
  }

  /** Appends one record. prepare() has made room. @throws DaxError EBADMSG; EIO */
  append(change: AnnexChange): void {
    const { tree } = this.#mounted;
    const last = this.#last();
    if (last === null || tree.annex === null) fail('EIO', `${this.#mounted.device.name}: the annex is gone`);
    const { records: seqnum, seed, position } = tree.annex;
    const record = encodeRecordOf(change, { seqnum, base: tree.nextIndex, when: timeNow(), seed });
    last.append(record, seqnum, position.slot);
    tree.annex.replay();
  }

  /** Makes room for one change and appends it. */
  write(change: AnnexChange): void {
    this.prepare([change]);
    this.append(change);
  }

  /** The inode number of the directory of nameless objects; makes it. */
  objects(): number {
    const known = this.#mounted.tree.annex?.names.objects ?? -1;
    if (known >= 0) return known;
    return this.#mounted.append({ kind: 'mkdir', path: OBJECTS_NAME, mode: OBJECTS_MODE, ...ownerOf({}) });
  }

  /** How many log entries objects() will write. */
  get entriesForObjects(): number {
    return (this.#mounted.tree.annex?.names.objects ?? -1) >= 0 ? 0 : 1;
  }

  #last(): AnnexAppender | null {
    const file = this.#mounted.tree.annex?.files.at(-1);
    if (file === undefined) return null;
    if (this.#appender?.file !== file) this.#appender = new AnnexAppender(file);
    return this.#appender;
  }

  /** Makes the next annex. Its header is whole in the memory before the log names it. */
  #make(): void {
    const { media, superblock, tree } = this.#mounted;
    const number = tree.annex?.files.length ?? 0;
    const reservation = this.#takeRun(Math.min(ANNEX_FIRST_BYTES * 2 ** number, ANNEX_MOST_BYTES));
    try {
      const [extent] = reservation.fmap.extents;
      const { offset, length } = extent!;
      media.zero(offset, length);
      // Zeroing may have punched holes. Records will be stored there, so they need memory.
      media.ensure?.(offset, length);
      const header = encodeAnnexHeader(superblock.uuid, number, length, tree.annex?.records ?? 0);
      media.bytes(offset, ANNEX_HEADER_BYTES).set(header);
      media.flush(offset, ANNEX_HEADER_USED);
      media.fence();
      reservation.handOver();
      const { fmap } = reservation;
      this.#mounted.append({
        kind: 'file',
        path: annexName(number),
        size: length,
        mode: ANNEX_MODE,
        ...ownerOf({}),
        fmap,
      });
    } finally {
      reservation.end();
    }
    const { stopped } = tree;
    if (stopped !== null || (tree.annex?.files.length ?? 0) <= number)
      fail(
        'EIO',
        `${media.name}: the annex that was just made cannot be used${stopped ? `: ${stopped.message}` : ''}`,
      );
  }

  /** Takes one run of free space, of half the size when there is none so long. */
  #takeRun(bytes: number): Reservation {
    const { space, superblock } = this.#mounted;
    for (let size = bytes; ; size /= 2) {
      const isLeast = size <= Math.max(ANNEX_FIRST_BYTES, superblock.allocUnit);
      let reservation: Reservation | undefined;
      try {
        reservation = space.take(size);
        this.#mounted.assertMemory(reservation.fmap);
        if (reservation.fmap.extents.length === 1) return reservation;
        if (isLeast)
          fail('ENOSPC', `${this.#mounted.device.name}: no run of ${size} free bytes for the annex`);
      } catch (error) {
        reservation?.end();
        if (isLeast) throw error;
        continue;
      }
      reservation.end();
    }
  }
}
