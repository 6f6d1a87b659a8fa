import type { InodeStat } from '../../famfs/index.js';
import {
  type FuseAttributeChange,
  type FuseAttributes,
  type Timestamp,
  timestampOf,
} from '../../fuse/index.js';
import { PERMISSION_BITS, S_IFDIR, S_IFREG } from '../modes.js';

/** The preferred size of reads and writes (st_blksize), for cp and others: the largest FUSE message, bytes. */
const PREFERRED_IO_BYTES = 2 ** 20;

/**
 * Attributes that setattr set and the log does not hold: times, above all. They last as long as the mount. Mode and owner are here
 * only for the root, which has no log entry, and the mode of files that lost set-id bits.
 */
export interface Overrides {
  mode?: number;
  uid?: number;
  gid?: number;
  atime?: Timestamp;
  mtime?: Timestamp;
  ctime?: Timestamp;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Attributes of inodes: those of the log, overridden by those of setattr. The log has no times. An inode whose times were not set
 * through this mount has the times of the volume, which are the same at the next mount.
 */
export class Attributes {
  readonly #overrides = new Map<number, Overrides>();
  /** One object for all answers: callers do not keep it. */
  readonly #answer: Mutable<FuseAttributes>;
  readonly #times: Timestamp;

  constructor(times: Timestamp) {
    this.#times = times;
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
  of(
    node: number,
    ino: number,
    stat: Pick<InodeStat, 'type' | 'size' | 'mode' | 'uid' | 'gid'>,
  ): FuseAttributes {
    const overrides = this.#overrides.get(ino);
    const answer = this.#answer;
    answer.inode = node;
    const mode = overrides?.mode ?? stat.mode;
    answer.mode = (stat.type === 'directory' ? S_IFDIR : S_IFREG) | (mode & PERMISSION_BITS);
    answer.size = stat.size;
    answer.uid = overrides?.uid ?? stat.uid;
    answer.gid = overrides?.gid ?? stat.gid;
    answer.atime = overrides?.atime ?? this.#times;
    answer.mtime = overrides?.mtime ?? this.#times;
    answer.ctime = overrides?.ctime ?? this.#times;
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

  /** Moves the overrides of an inode to another number. */
  move(from: number, to: number): void {
    const overrides = this.#overrides.get(from);
    this.#overrides.delete(from);
    if (overrides) this.#overrides.set(to, overrides);
  }

  drop(ino: number): void {
    this.#overrides.delete(ino);
  }

  /** Sets ctime to now: something other than the content changed. */
  changed(ino: number): void {
    this.overridesOf(ino).ctime = timestampOf(Date.now());
  }

  /** Sets mtime and ctime to now: a file was written. */
  touch(ino: number): void {
    const overrides = this.overridesOf(ino);
    overrides.mtime = timestampOf(Date.now());
    overrides.ctime = overrides.mtime;
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
  overrides.ctime = change.ctime ?? now;
}
