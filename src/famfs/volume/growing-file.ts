import { appendJoined, fail, hasCode } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { continuesExtent, type FamfsExtent, type Fmap } from '../media/fmap.js';
import { FAMFS_MAX_EXTENTS } from '../media/layout.js';
import type { Stripe } from '../media/stripe.js';
import { lookAfterPublish } from './after-publish.js';
import type { Inode } from './inode.js';
import type { MountedFamfs } from './mounted.js';
import { permissions } from './name-rules.js';
import { type GrowingOptions, KeptContent, KeptName, type NewPlace } from './new-name.js';
import type { Reservation } from './space.js';
import { takeInStripes } from './striping.js';

/**
 * A file in the making, whose final size is not known yet: the kernel creates a file first and writes it later. Its space is
 * reserved but not named by the log, so nobody else sees it. The space doubles with each step. So 16 extents reach 64 GiB in
 * units of 2 MiB even when no two are neighbours; neighbours become one extent. publish() cuts off unused space and appends
 * the entry. end() without publish() leaves no trace, and neither does the death of this process. A file whose last write found no
 * space is not published.
 */
export class GrowingFile {
  mode: number;
  uid: number;
  gid: number;
  readonly #mounted: MountedFamfs;
  #size = 0;
  #capacity = 0;
  #reservations: Reservation[] = [];
  #extents: FamfsExtent[] = [];
  #inode: Inode | null = null;
  #isCutShort = false;
  #target: KeptName | KeptContent;
  readonly #stripe: Stripe | undefined;

  /**
   * @param place where it is published; or the inode number of a published file, which gets these bytes instead of its own
   * @param options `stripe`: how the published bytes are striped, where there is room for that
   * @throws DaxError EEXIST, ENOENT, ENOTDIR, ENAMETOOLONG, EINVAL for the name; EBUSY it is in the making elsewhere; ENOSPC log full
   */
  constructor(
    mounted: MountedFamfs,
    place: NewPlace | number,
    options: GrowingOptions & { stripe?: Stripe | undefined },
  ) {
    this.#mounted = mounted;
    const isContent = typeof place === 'number';
    this.mode = permissions(options.mode, typeof place === 'object' ? place.name : String(place));
    this.uid = options.uid;
    this.gid = options.gid;
    this.#stripe = options.stripe;
    this.#target = isContent ? new KeptContent(mounted, place) : new KeptName(mounted, place, options);
  }

  /** Its name, which can be moved until it is published. @throws DaxError EINVAL these are new bytes of a published file */
  get name(): KeptName {
    if (this.#target instanceof KeptName) return this.#target;
    return fail('EINVAL', `${this.#path} is published: its name is not in the making`, { path: this.#path });
  }

  /** The file is published under another one of its names. The caller gives the one before back. */
  set name(name: KeptName) {
    this.#target = name;
  }

  get #path(): string {
    return this.#target.path;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** Whether publish() accepts the file: its last write or resize found the space it needed. */
  get isWhole(): boolean {
    return !this.#isCutShort;
  }

  /** Bytes of the device that are reserved for the file so far. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Passes the bytes from `position` on to `sink`. Stops at the end of the file. */
  drain(position: number, length: number, sink: (bytes: Uint8Array) => void): void {
    const bytes = Math.min(length, this.#size - position);
    if (bytes > 0) this.#inode!.dax.drain(position, bytes, sink);
  }

  /** Copies bytes into the file. A gap between the end and `position` becomes zero. @throws DaxError ENOSPC */
  write(bytes: Uint8Array, position: number): number {
    if (bytes.length === 0) return 0;
    this.#mounted.assertSameFileSystem();
    const end = position + bytes.length;
    this.#reserve(end);
    if (position > this.#size) this.#zero(this.#size, position);
    this.#inode!.dax.write(bytes, position);
    this.#size = Math.max(this.#size, end);
    return bytes.length;
  }

  /** Begins with the first bytes of a file, at most all of them. */
  copyFrom(inode: Inode, bytes: number): void {
    this.#mounted.assertSameFileSystem();
    this.#reserve(bytes);
    this.#size = copyBytes(inode, this.#inode!, Math.min(bytes, inode.size));
  }

  /** As ftruncate(2). @throws DaxError ENOSPC */
  resize(size: number): void {
    this.#mounted.assertSameFileSystem();
    this.#reserve(size);
    if (size > this.#size) this.#zero(this.#size, size);
    this.#size = size;
  }

  /**
   * Publishes the file with the size it has now.
   * @returns its inode number
   * @throws DaxError EEXIST the name was taken meanwhile; ENOENT the parent directory is not published; ENOSPC log full, or the last
   *   write found no space
   */
  publish(): number {
    this.assertWhole();
    if (this.#size === 0) return this.#publishEmpty();
    const striped = this.#inStripes();
    try {
      return this.#publishIn(striped?.inode ?? this.#inode!, striped?.reservation ?? null);
    } finally {
      if (striped) this.#giveBack(striped.reservation);
    }
  }

  /** @param striped where the bytes are; null: in the space that grew */
  #publishIn(inode: Inode, striped: Reservation | null): number {
    const { mode, uid, gid } = this;
    const mounted = this.#mounted;
    const size = this.#size;
    const fmap = striped?.fmap ?? this.#trimmed();
    const pageEnd = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    // Mappings of whole pages show the rest of the last page, so it must not hold old bytes.
    if (pageEnd > size) inode.dax.zero(size, pageEnd - size);
    const handOver = () => {
      mounted.flushData(fmap, pageEnd);
      for (const reservation of striped ? [striped] : this.#reservations) reservation.handOver();
    };
    const ino = mounted.session(() =>
      this.#target.publish({ kind: 'file', size, mode, uid, gid, fmap }, handOver),
    );
    this.end();
    lookAfterPublish(mounted);
    return ino;
  }

  #publishEmpty(): number {
    const { mode, uid, gid } = this;
    const ino = this.#mounted.session(() => this.#target.publishEmpty({ mode, uid, gid }));
    this.end();
    return ino;
  }

  /** Checks that publish() accepts what was written. @throws DaxError ENOSPC its last write found no space */
  assertWhole(): void {
    if (this.#isCutShort) {
      fail(
        'ENOSPC',
        `${this.#path} did not fit: what was written of it is not kept, its space is free again`,
        {
          path: this.#path,
        },
      );
    }
  }

  /** Gives back the name and all space that the log does not name. Idempotent. */
  end(): void {
    this.#target.release();
    for (const reservation of this.#reservations) this.#giveBack(reservation);
    this.#reservations = [];
    this.#extents = [];
    this.#inode = null;
    this.#capacity = 0;
    this.#size = 0;
    this.#isCutShort = false;
  }

  #giveBack(reservation: Reservation): void {
    const { device } = this.#mounted;
    if (device.leave) device.leave(reservation.fmap, () => reservation.end());
    else reservation.end();
  }

  #zero(from: number, to: number): void {
    const { dax } = this.#inode!;
    dax.zero(from, to - from);
    // Zeroing may have punched holes. Stores into them need memory.
    dax.ensureMemory(from, to - from);
  }

  /** Makes room for `needed` bytes. A failure marks the file as cut short; a later write that fits removes the mark. */
  #reserve(needed: number): void {
    this.#isCutShort = true;
    this.#grow(needed);
    this.#isCutShort = false;
  }

  #grow(needed: number): void {
    if (needed <= this.#capacity) return;
    const missing = needed - this.#capacity;
    const doubled = Math.max(missing, this.#capacity);
    const reservation = this.#takeFirst(doubled === missing ? [missing] : [doubled, missing]);
    this.#reservations.push(reservation);
    this.#extents = joined(this.#extents, reservation.fmap.extents);
    this.#capacity = lengthOf(this.#extents);
    const fmap: Fmap = { type: 'simple', extents: this.#extents };
    this.#inode = this.#mounted.newInode(this.#path, this.#capacity, fmap);
  }

  /** Reserves space of the first of these sizes that is free, has memory behind it, and does not need too many extents. */
  #takeFirst(sizes: readonly number[]): Reservation {
    const last = sizes.at(-1)!;
    for (const size of sizes) {
      try {
        return this.#take(size);
      } catch (error) {
        if (size === last || !hasCode(error, 'ENOSPC')) throw error;
      }
    }
    return fail('EINVAL', 'no size to take space for');
  }

  #take(size: number, stripe?: Stripe): Reservation {
    const reservation = this.#mounted.session(() => this.#keepSpace(size, stripe));
    try {
      // A full disk under a sparse backing must be an error now, not a signal at the first store.
      const bytes = lengthOf(reservation.fmap.extents);
      this.#mounted.newInode(this.#path, bytes, reservation.fmap).dax.ensureMemory();
      return reservation;
    } catch (error) {
      reservation.end();
      throw error;
    }
  }

  /** Within a session. */
  #keepSpace(size: number, stripe?: Stripe): Reservation {
    const reservation = this.#mounted.space.take(size, stripe);
    try {
      this.#mounted.assertMemory(reservation.fmap);
      if (!stripe) this.#assertFewEnough(reservation.fmap.extents, size);
      reservation.keep();
      this.#mounted.device.reach?.(reservation.fmap);
      return reservation;
    } catch (error) {
      reservation.end();
      throw error;
    }
  }

  #assertFewEnough(more: readonly FamfsExtent[], size: number): void {
    const count = joined(this.#extents, more).length;
    if (count <= FAMFS_MAX_EXTENTS) return;
    fail(
      'ENOSPC',
      `${this.#path} has ${this.#capacity} bytes in ${this.#extents.length} extents, ${size} more would make ${count}: ` +
        `a file has at most ${FAMFS_MAX_EXTENTS}, and free space is in smaller pieces`,
      { path: this.#path },
    );
  }

  /** A copy of the bytes in striped space. Null where there is no room for a second one: they stay where they are. */
  #inStripes(): { inode: Inode; reservation: Reservation } | null {
    const reservation = this.#stripe ? this.#takeStriped(this.#size, this.#stripe) : null;
    if (!reservation) return null;
    const { fmap } = reservation;
    const inode = this.#mounted.newInode(this.#path, lengthOf(fmap.extents), fmap);
    copyBytes(this.#inode!, inode, this.#size);
    return { inode, reservation };
  }

  #takeStriped(size: number, stripe: Stripe): Reservation | null {
    try {
      return takeInStripes(this.#mounted.superblock, stripe, (each) => this.#take(size, each));
    } catch (error) {
      if (hasCode(error, 'ENOSPC')) return null;
      throw error;
    }
  }

  /** The extents for the bytes written so far, cut to whole units. */
  #trimmed(): Fmap {
    const { allocUnit } = this.#mounted.superblock;
    const extents: FamfsExtent[] = [];
    let left = Math.ceil(this.#size / allocUnit) * allocUnit;
    for (const { devindex, offset, length } of this.#extents) {
      if (left === 0) break;
      const kept = Math.min(length, left);
      extents.push({ devindex, offset, length: kept });
      left -= kept;
    }
    return { type: 'simple', extents };
  }
}

/** Copies the first bytes of a file to another one. @returns how many */
export function copyBytes(from: Inode, to: Inode, bytes: number): number {
  let at = 0;
  from.dax.drain(0, bytes, (piece) => {
    to.dax.write(piece, at);
    at += piece.length;
  });
  return at;
}

function lengthOf(extents: readonly FamfsExtent[]): number {
  return extents.reduce((sum, extent) => sum + extent.length, 0);
}

/** Joins both lists in order. An extent that continues the one before it becomes part of it. */
function joined(first: readonly FamfsExtent[], more: readonly FamfsExtent[]): FamfsExtent[] {
  const list = first.map((extent) => ({ ...extent }));
  for (const extent of more) appendJoined(list, { ...extent }, continuesExtent);
  return list;
}
