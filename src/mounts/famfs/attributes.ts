import type { InodeStat } from '../../famfs/index.js';
import {
  type FuseAttributeChange,
  type FuseAttributes,
  type Timestamp,
  timestampOf,
} from '../../fuse/index.js';
import { PERMISSION_BITS, S_IFDIR, S_IFREG } from '../modes.js';

/** What cp and its like should read and write at a time: the largest FUSE message. */
const PREFERRED_IO_BYTES = 2 ** 20;

/**
 * What setattr said of an inode beside the log, which has neither times nor changes: it lasts as long as the mount. Mode and owner are
 * here only of the root, which has no entry, and where set-id bits had to go.
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
 * Attributes of inodes: what the log says, with what setattr said over it. The log has no times: all whose times nobody said
 * through this mount have those of the volume, which are the same at the next mount.
 */
export class Attributes {
  readonly #overrides = new Map<number, Overrides>();
  /** One for all answers: nobody keeps them. */
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

  /** The answer is overwritten by the next call. */
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

  /** Under another number from now on. */
  move(from: number, to: number): void {
    const overrides = this.#overrides.get(from);
    this.#overrides.delete(from);
    if (overrides) this.#overrides.set(to, overrides);
  }

  drop(ino: number): void {
    this.#overrides.delete(ino);
  }

  /** A file was written. */
  touch(ino: number): void {
    const overrides = this.overridesOf(ino);
    overrides.mtime = timestampOf(Date.now());
    overrides.ctime = overrides.mtime;
  }
}

/** The part of a change that is kept in memory; size is another matter. */
export function applyChange(overrides: Overrides, change: FuseAttributeChange): void {
  const now = timestampOf(Date.now());
  if (change.mode !== undefined) overrides.mode = change.mode & PERMISSION_BITS;
  if (change.uid !== undefined) overrides.uid = change.uid;
  if (change.gid !== undefined) overrides.gid = change.gid;
  if (change.atime !== undefined) overrides.atime = change.atime === 'now' ? now : change.atime;
  if (change.mtime !== undefined) overrides.mtime = change.mtime === 'now' ? now : change.mtime;
  overrides.ctime = change.ctime ?? now;
}
