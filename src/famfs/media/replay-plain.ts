/**
 * Replays what most entries of most logs are: directories, and files of one extent, that break no rule. It decides nothing by itself: what is here
 * is enough to know that Replay would take the entry, and say nothing of it. At any other entry it stops, and Replay goes by its rules.
 *
 * It is one loop over a window, without calls where it can be: a mount is often the first thing that a process does, and V8 optimizes
 * a loop after some hundred entries, but small functions that are called once an entry only after thousands.
 */

import { ENTRY_SIZE } from './entry.js';
import type { EntryWindow } from './entry-window.js';
import type { ExtentLimits } from './file-scan.js';
import { DIRECTORY, FILE, HASH_PRIME, HASH_START, type InodeTable, NOTHING } from './inode-table.js';
import {
  extentLayout,
  FAMFS_EXT_SIMPLE,
  FAMFS_LOG_FILE,
  FAMFS_LOG_MKDIR,
  FAMFS_PATH_FIELD,
  fileMetaLayout,
  fmapLayout,
  logEntryLayout,
  mkdirMetaLayout,
} from './layout.js';
import type { LogCounts } from './log-counts.js';
import { isZero } from './path-scan.js';
import type { Usage } from './usage.js';

/** Of an entry, in 4-byte words. */
const META = logEntryLayout.fields.meta.offset / 4;
const FMAP = META + fileMetaLayout.fields.fmap.offset / 4;
const EXTENT = FMAP + fmapLayout.fields.extents.offset / 4;
const TYPE = logEntryLayout.fields.type.offset / 4;
const SIZE = META + fileMetaLayout.fields.size.offset / 4;
const UID = META + fileMetaLayout.fields.uid.offset / 4;
const GID = META + fileMetaLayout.fields.gid.offset / 4;
const MODE = META + fileMetaLayout.fields.mode.offset / 4;
const PATH = META + fileMetaLayout.fields.path.offset / 4;
const EXT_TYPE = FMAP + fmapLayout.fields.extType.offset / 4;
const NEXTENTS = FMAP + fmapLayout.fields.nextents.offset / 4;
const DEVINDEX = EXTENT + extentLayout.fields.devindex.offset / 4;
const OFFSET = EXTENT + extentLayout.fields.offset.offset / 4;
const LENGTH = EXTENT + extentLayout.fields.length.offset / 4;
const MKDIR_UID = META + mkdirMetaLayout.fields.uid.offset / 4;
const MKDIR_GID = META + mkdirMetaLayout.fields.gid.offset / 4;
const MKDIR_MODE = META + mkdirMetaLayout.fields.mode.offset / 4;
const MKDIR_PATH = META + mkdirMetaLayout.fields.path.offset / 4;

const HIGH_WORD = 2 ** 32;
const SLASH = 0x2f;
const DOT = 0x2e;
/** Above are set-id bits, and what are no permission bits. */
const PLAIN_MODES = 0o1777;
const NO_OWNER = 0xffffffff;

export interface PlainTargets {
  readonly inodes: InodeTable;
  readonly limits: ExtentLimits;
  /** Null when no space is accounted. */
  readonly usage: Usage | null;
  readonly counts: LogCounts;
}

export class PlainFiles {
  readonly #targets: PlainTargets;
  /** The allocation unit less one, if that is a mask; otherwise -1, and no entry is plain. */
  readonly #unitMask: number;
  /** What #find() found: the directory, and where in the window the name is, with its hash. */
  #parent = 0;
  #start = 0;
  #end = 0;
  #hash = 0;
  /** Where in the window the path of the last file begins, and how many bytes of it are its directory's, with the slash. */
  #lastPath = 0;
  #directoryLength = 0;

  constructor(targets: PlainTargets) {
    this.#targets = targets;
    const { allocUnit } = targets.limits;
    this.#unitMask = Number.isInteger(Math.log2(allocUnit)) && allocUnit < 2 ** 31 ? allocUnit - 1 : -1;
  }

  /** The window was loaded anew. */
  restart(): void {
    this.#directoryLength = 0;
  }

  /**
   * Applies the plain entries from place `i` of a window on, which has log entry `index`.
   * @param end behind the last entry to apply
   * @returns the first one that it did not apply
   */
  run(window: EntryWindow, i: number, index: number, end: number): number {
    const { inodes, limits, usage, counts } = this.#targets;
    const { words, bytes } = window;
    const { dataStart, deviceSizes } = limits;
    const deviceSize = deviceSizes[0]!;
    const unitMask = this.#unitMask;
    if (unitMask < 0) return index;
    let at = index;
    for (let word = (i * ENTRY_SIZE) / 4; at < end; at++, word += ENTRY_SIZE / 4) {
      if (words[word + TYPE] !== FAMFS_LOG_FILE) {
        if (!this.#addDirectory(window, word, i + at - index, at)) break;
        continue;
      }
      if (words[word + EXT_TYPE] !== FAMFS_EXT_SIMPLE) break;
      if (words[word + NEXTENTS] !== 1 || (words[word + DEVINDEX]! | words[word + DEVINDEX + 1]!) !== 0)
        break;
      const size = words[word + SIZE + 1]! * HIGH_WORD + words[word + SIZE]!;
      const offset = words[word + OFFSET + 1]! * HIGH_WORD + words[word + OFFSET]!;
      const length = words[word + LENGTH + 1]! * HIGH_WORD + words[word + LENGTH]!;
      if (((words[word + OFFSET]! | words[word + LENGTH]!) & unitMask) !== 0 || offset < dataStart) break;
      if (size === 0 || size > length || offset + length > deviceSize) break;
      const mode = words[word + MODE]!;
      const uid = words[word + UID]!;
      const gid = words[word + GID]!;
      if (mode > PLAIN_MODES || uid === NO_OWNER || gid === NO_OWNER) break;
      if (!window.isGood(i + at - index, at) || !this.#find(bytes, words, (word + PATH) * 4)) break;
      if (usage !== null && !usage.take(offset, length)) break;
      const inode = at + 1;
      inodes.add(inode, FILE, this.#parent, bytes, this.#start, this.#end, this.#hash);
      inodes.fileSize[inode] = size;
      inodes.mode[inode] = mode;
      inodes.uid[inode] = uid;
      inodes.gid[inode] = gid;
      counts.files++;
      counts.sumOfFileSizes += size;
      counts.roundingBytes += length - size;
    }
    return at;
  }

  /** Applies the entry at word `word`, which is no file's, if it is that of a plain directory. @returns false: it is not */
  #addDirectory(window: EntryWindow, word: number, i: number, index: number): boolean {
    const { inodes, counts } = this.#targets;
    const { words, bytes } = window;
    if (words[word + TYPE] !== FAMFS_LOG_MKDIR) return false;
    const mode = words[word + MKDIR_MODE]!;
    const uid = words[word + MKDIR_UID]!;
    const gid = words[word + MKDIR_GID]!;
    if (mode > PLAIN_MODES || uid === NO_OWNER || gid === NO_OWNER) return false;
    if (!window.isGood(i, index) || !this.#find(bytes, words, (word + MKDIR_PATH) * 4)) return false;
    const inode = index + 1;
    inodes.add(inode, DIRECTORY, this.#parent, bytes, this.#start, this.#end, this.#hash);
    inodes.mode[inode] = mode;
    inodes.uid[inode] = uid;
    inodes.gid[inode] = gid;
    counts.directories++;
    return true;
  }

  /** Finds the place of the path at byte `path`. @returns false: Replay has to look at it */
  #find(bytes: Uint8Array, words: Uint32Array, path: number): boolean {
    const { inodes } = this.#targets;
    const end = path + FAMFS_PATH_FIELD;
    const isInLast = this.#isInLastDirectory(bytes, path);
    let parent = isInLast ? this.#parent : 0;
    let start = isInLast ? path + this.#directoryLength : path;
    let hash = HASH_START;
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte !== SLASH && byte !== 0) {
        hash = Math.imul(hash ^ byte, HASH_PRIME);
        continue;
      }
      if (at === start || bytes[start] === DOT) return false;
      const found = inodes.find(parent, bytes, start, at, hash);
      if (byte === 0) {
        this.#parent = parent;
        this.#start = start;
        this.#end = at;
        this.#hash = hash;
        this.#lastPath = path;
        this.#directoryLength = start - path;
        return found === NOTHING && isZero(bytes, words, at, end);
      }
      if (found === NOTHING || inodes.kind[found] !== DIRECTORY) return false;
      parent = found;
      start = at + 1;
      hash = HASH_START;
    }
    return false;
  }

  /** Whether a path begins with the directory of the last one: most files come after another of their directory. */
  #isInLastDirectory(bytes: Uint8Array, path: number): boolean {
    const last = this.#lastPath;
    for (let i = this.#directoryLength - 1; i >= 0; i--)
      if (bytes[path + i] !== bytes[last + i]) return false;
    return this.#directoryLength > 0;
  }
}
