import type { InodeStat } from '../../famfs/index.js';
import {
  type FuseAttributeChange,
  type FuseAttributes,
  type Timestamp,
  timestampOf,
} from '../../fuse/index.js';
import { PERMISSION_BITS, S_IFDIR, S_IFLNK, S_IFREG } from '../modes.js';
import { FIRST_NEW_NODE } from './new-files.js';

/** The preferred size of reads and writes (st_blksize), for cp and others: the largest FUSE message, bytes. */
const PREFERRED_IO_BYTES = 2 ** 20;

/**
 * Attributes that this mount knows and the volume does not (yet): times, above all. Mode and owner are here only for the root, which
 * has no log entry, and the mode of files that lost set-id bits.
 */
export interface Overrides {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: Timestamp;
  mtime?: Timestamp;
  ctime?: Timestamp;
  /** A program has set times (utimes(2)): they are kept for good where the volume can. */
  areTimesSet?: boolean;
}

/** What is shown of an inode, or of something in the making. */
export type Shown = Omit<InodeStat, 'ino'>;

const TYPE_BITS = { file: S_IFREG, directory: S_IFDIR, symlink: S_IFLNK } as const;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Attributes of inodes: those of the volume, overridden by those of setattr. An inode of which nobody said times has those of the
 * volume as a whole, which are the same at the next mount.
 */
export class Attributes {
  readonly #overrides = new Map<number, Overrides>();
  /** Inodes of the volume whose times were changed and are not kept there yet -> when (Date.now()). */
  readonly #unsaid = new Map<number, number>();
  /** One object for all answers: callers do not keep it. */
  readonly #answer: Mutable<FuseAttributes>;
  /** The times of what nobody said any of. */
  readonly #mounted: Timestamp;

  constructor(times: Timestamp) {
    this.#mounted = times;
    this.#answer = {
      inode: 0,
      mode: 0,
      size: 0,
      links: 1,
      uid: 0,
      gid: 0,
      atime: times,
      mtime: times,
      ctime: times,
      blockSize: PREFERRED_IO_BYTES,
    };
  }

  /** The attributes of an inode. The next call overwrites the answer. */
  of(node: number, ino: number, shown: Shown): FuseAttributes {
    const overrides = this.#overrides.get(ino);
    const answer = this.#answer;
    const { times } = shown;
    const mounted = this.#mounted;
    answer.inode = node;
    answer.mode = TYPE_BITS[shown.type] | ((overrides?.mode ?? shown.mode) & PERMISSION_BITS);
    answer.size = shown.size;
    answer.links = shown.nlink;
    answer.uid = overrides?.uid ?? shown.uid;
    answer.gid = overrides?.gid ?? shown.gid;
    answer.atime = overrides?.atime ?? times?.atime ?? mounted;
    answer.mtime = overrides?.mtime ?? times?.mtime ?? mounted;
    answer.ctime = overrides?.ctime ?? times?.ctime ?? mounted;
    return answer;
  }

  overridesOf(ino: number): Overrides {
    let known = this.#overrides.get(ino);
    if (known === undefined) {
      known = {};
      this.#overrides.set(ino, known);
    }
    return known;
  }

  /** The overrides of an inode, if it has any. */
  knownOf(ino: number): Overrides | undefined {
    return this.#overrides.get(ino);
  }

  /** Moves the overrides of an inode to another number. */
  move(from: number, to: number): void {
    const overrides = this.#overrides.get(from);
    this.#overrides.delete(from);
    this.#unsaid.delete(from);
    if (overrides) this.#overrides.set(to, overrides);
    if (overrides?.mtime) this.noteTimes(to);
  }

  drop(ino: number): void {
    this.#overrides.delete(ino);
    this.#unsaid.delete(ino);
  }

  /** Notes that times were changed. Of what the volume has, they are to be kept there. */
  noteTimes(key: number): void {
    if (key < FIRST_NEW_NODE) this.#unsaid.set(key, Date.now());
  }

  /** Inodes whose times are to be kept, with the time of their last change (Date.now()). */
  get unsaid(): ReadonlyMap<number, number> {
    return this.#unsaid;
  }

  /** The times of an inode are kept, or need not be. @param isKept the volume has them now */
  said(ino: number, isKept: boolean): void {
    this.#unsaid.delete(ino);
    const overrides = this.#overrides.get(ino);
    if (!isKept || overrides === undefined) return;
    const { atime, mtime, ctime, areTimesSet, ...others } = overrides;
    if (Object.keys(others).length === 0) this.#overrides.delete(ino);
    else this.#overrides.set(ino, others);
  }

  /** Sets ctime to now: something other than the content changed. */
  changed(ino: number): void {
    this.overridesOf(ino).ctime = timestampOf(Date.now());
  }

  /** Sets all times to now: it was made. */
  born(ino: number): void {
    const now = timestampOf(Date.now());
    Object.assign(this.overridesOf(ino), { atime: now, mtime: now, ctime: now });
    this.noteTimes(ino);
  }

  /** Sets mtime and ctime to now: a file was written, or the names in a directory changed. */
  touch(ino: number): void {
    const overrides = this.overridesOf(ino);
    overrides.mtime = timestampOf(Date.now());
    overrides.ctime = overrides.mtime;
    this.noteTimes(ino);
  }
}

/** Applies a change to the overrides, except its size. Sets ctime. */
export function applyChange(overrides: Overrides, change: FuseAttributeChange): void {
  const now = timestampOf(Date.now());
  if (change.mode !== undefined) overrides.mode = change.mode & PERMISSION_BITS;
  if (change.uid !== undefined) overrides.uid = change.uid;
  if (change.gid !== undefined) overrides.gid = change.gid;
  if (change.atime !== undefined) overrides.atime = change.atime === 'now' ? now : change.atime;
  if (change.mtime !== undefined) overrides.mtime = change.mtime === 'now' ? now : change.mtime;
  if (change.atime !== undefined || change.mtime !== undefined) overrides.areTimesSet = true;
  overrides.ctime = change.ctime ?? now;
}
