/**
 * Replays log entries, in order, into an inode table and a map of used space. Each entry is copied out of the shared memory,
 * checked (crc, seqnum), then applied. An entry that breaks a rule is reported and skipped (famfs-format.md 7, 17).
 */

import { loadU64 } from '../../libc/index.js';
import type { DaxdevTable } from './daxdev-table.js';
import { decodeEntry, ENTRY_SIZE } from './entry.js';
import { EntryWindow } from './entry-window.js';
import { type ExtentLimits, FileScan } from './file-scan.js';
import { DIRECTORY, FILE, type InodeTable, NOTHING } from './inode-table.js';
import {
  addDaxdevLayout,
  FAMFS_LOG_ADD_DAXDEV,
  FAMFS_LOG_FILE,
  FAMFS_LOG_MKDIR,
  fileMetaLayout,
  logEntryLayout,
  mkdirMetaLayout,
} from './layout.js';
import type { Log } from './log.js';
import type { LogCounts } from './log-counts.js';
import { decodeName } from './path.js';
import { PathScan, pathFaultText } from './path-scan.js';
import type { Problem, ProblemList } from './problem.js';
import { PlainFiles } from './replay-plain.js';
import { viewOf } from './superblock.js';
import type { Usage } from './usage.js';

const META = logEntryLayout.fields.meta.offset;
const TYPE = logEntryLayout.fields.type.offset;
const FILE_PATH = META + fileMetaLayout.fields.path.offset;
const FILE_MODE = META + fileMetaLayout.fields.mode.offset;
const FILE_UID = META + fileMetaLayout.fields.uid.offset;
const FILE_GID = META + fileMetaLayout.fields.gid.offset;
const MKDIR_PATH = META + mkdirMetaLayout.fields.path.offset;
const MKDIR_MODE = META + mkdirMetaLayout.fields.mode.offset;
const MKDIR_UID = META + mkdirMetaLayout.fields.uid.offset;
const MKDIR_GID = META + mkdirMetaLayout.fields.gid.offset;
const DAXDEV_INDEX = META + addDaxdevLayout.fields.index.offset;
const PERMISSION_BITS = 0o7777;
const SET_ID_BITS = 0o6000;
/** (uid_t)-1, which is no user's id. */
const NO_OWNER = 0xffffffff;
/** The id that the kernel shows in place of an id it cannot map (overflowuid). */
const OVERFLOW_ID = 65534;
/** How many entries are copied at once. The copy stays in the second-level cache. */
const WINDOW_ENTRIES = 120;

export interface ReplayTargets {
  log: Log;
  inodes: InodeTable;
  devices: DaxdevTable;
  limits: ExtentLimits;
  /** Missing parent directories are made up, with the inode numbers of bad entries. */
  adoptsOrphans: boolean;
  /** Null when no space is accounted. */
  usage: Usage | null;
  problems: ProblemList;
  notes: ProblemList;
  counts: LogCounts;
}

export class Replay {
  readonly #scan = new PathScan();
  readonly #file = new FileScan();
  readonly #plain: PlainFiles;
  /** The window of one entry, kept: most replays are of one entry, just appended by this process or by another. */
  readonly #single = new EntryWindow(1);
  #window = this.#single;
  /** The entry being applied: its index, and its first byte in the window. */
  #index = 0;
  #base = 0;
  /** Slots of bad entries passed so far whose inode numbers are not yet given to a made-up directory. */
  readonly #badSlots: number[] = [];
  readonly #targets: ReplayTargets;

  constructor(targets: ReplayTargets) {
    this.#targets = targets;
    this.#plain = new PlainFiles(targets);
  }

  /**
   * Applies the entries from..to. It stops at the first entry that fails its checks. With `pastBadOnes` (fsck) it reports
   * such entries and goes on.
   * @returns the index of the first entry it did not reach: `to` when it did not stop
   */
  run(from: number, to: number, pastBadOnes = false): number {
    if (from >= to) return from;
    const { log, inodes } = this.#targets;
    inodes.reserve(to + 1);
    this.#window = to - from === 1 ? this.#single : new EntryWindow(Math.min(WINDOW_ENTRIES, to - from));
    let badRun: { first: number; problems: Problem[]; count: number } | null = null;
    for (let index = from; index < to; index++) {
      const i = (index - from) % this.#window.entries;
      if (i === 0) this.#load(index, Math.min(this.#window.entries, to - index));
      if (badRun === null) {
        // What is left of the window, or the first entry of it that is not plain.
        const end = Math.min(index - i + this.#window.entries, to);
        const next = this.#plain.run(this.#window, i, index, end);
        if (next > index) {
          index = next - 1;
          continue;
        }
      }
      if (this.#window.isGood(i, index) || this.isGoodNow(i, index)) {
        if (badRun !== null) badRun = this.#reportBadRun(badRun);
        this.#index = index;
        this.#base = i * ENTRY_SIZE;
        this.#apply();
        continue;
      }
      if (!pastBadOnes) return index;
      this.#targets.counts.badEntries++;
      if (this.#targets.adoptsOrphans) this.#badSlots.push(index);
      badRun ??= { first: index, problems: log.checkEntry(index), count: 0 };
      badRun.count++;
    }
    if (badRun !== null) this.#reportBadRun(badRun);
    return to;
  }

  #load(first: number, count: number): void {
    this.#window.load(this.#targets.log, first, count);
    this.#plain.restart();
  }

  /** Checks an entry again, past the cache: another host may have written it after this CPU cached its lines. */
  isGoodNow(i: number, index: number): boolean {
    this.#window.reload(this.#targets.log, i, index);
    return this.#window.isGood(i, index);
  }

  /** Makes one report for a run of bad entries, because a wild next_index would make thousands. */
  #reportBadRun(run: { first: number; problems: Problem[]; count: number }): null {
    const more = run.count > 1 ? `; so fail the entries up to ${run.first + run.count - 1}` : '';
    for (const problem of run.problems) {
      this.#targets.problems.add({ ...problem, message: problem.message + more });
    }
    return null;
  }

  #apply(): void {
    const type = this.#window.u32(this.#base + TYPE);
    if (type === FAMFS_LOG_FILE) this.#applyFile();
    else if (type === FAMFS_LOG_MKDIR) this.#applyMkdir();
    else if (type === FAMFS_LOG_ADD_DAXDEV) this.#applyAddDaxdev();
    else {
      const name = type === 2 ? ' (DELETE, reserved)' : '';
      const message = `type ${type}${name} is unknown to this software: ignored`;
      this.#targets.notes.add(this.#problem('unknown-type', TYPE, message));
    }
  }

  #applyFile(): void {
    const { counts, inodes, limits } = this.#targets;
    const window = this.#window;
    const base = this.#base;
    const file = this.#file;
    file.read(window.words, base);
    counts.files++;
    counts.sumOfFileSizes += file.size;
    const isUsable = file.check(limits, this.#reportField);
    this.#markExtents();
    const inode = this.#link(FILE_PATH, FILE, isUsable);
    if (inode === 0) return;
    counts.roundingBytes += file.capacity - file.size;
    inodes.fileSize[inode] = file.size;
    this.#fillOwnership(inode, base + FILE_MODE, base + FILE_UID, base + FILE_GID);
  }

  #applyMkdir(): void {
    const { counts } = this.#targets;
    const base = this.#base;
    counts.directories++;
    const inode = this.#link(MKDIR_PATH, DIRECTORY, true);
    if (inode !== 0) this.#fillOwnership(inode, base + MKDIR_MODE, base + MKDIR_UID, base + MKDIR_GID);
  }

  /**
   * Turns the entry's 32-bit numbers into a safe mode and owners. Callers pass these to node:fs and system calls. A mode of
   * 2^31 would abort the process there, and an owner of 2^32 - 1 would mean "leave it unchanged".
   */
  #fillOwnership(inode: number, modeAt: number, uidAt: number, gidAt: number): void {
    const { inodes, notes } = this.#targets;
    const window = this.#window;
    const mode = window.u32(modeAt);
    if (mode > PERMISSION_BITS) {
      const message = `the mode is 0x${mode.toString(16)}, which are no permission bits: taken as 0${(mode & PERMISSION_BITS).toString(8)}`;
      this.#reportField('entry-mode', modeAt - this.#base, message);
    }
    if (mode <= PERMISSION_BITS && (mode & SET_ID_BITS) !== 0 && inodes.kind[inode] === FILE) {
      const message = `the mode 0${mode.toString(8)} has set-id bits: copies are made without them`;
      notes.add(this.#problem('set-id', modeAt - this.#base, message));
    }
    inodes.mode[inode] = mode & PERMISSION_BITS;
    inodes.uid[inode] = this.#owner('uid', uidAt);
    inodes.gid[inode] = this.#owner('gid', gidAt);
  }

  #owner(what: string, at: number): number {
    const id = this.#window.u32(at);
    if (id !== NO_OWNER) return id;
    this.#reportField(
      'entry-owner',
      at - this.#base,
      `the ${what} is ${id}, which is nobody's: taken as ${OVERFLOW_ID}`,
    );
    return OVERFLOW_ID;
  }

  #applyAddDaxdev(): void {
    const window = this.#window;
    const base = this.#base;
    const index = this.#index;
    const size = loadU64(window.words, (base + META) >>> 2);
    if (size > Number.MAX_SAFE_INTEGER) {
      this.#reportField('daxdev-size', META, `the device size ${size} is beyond 2^53`);
      return;
    }
    const entry = decodeEntry(viewOf(window.bytes), base, index);
    if (entry.kind !== 'add_daxdev') return;
    const fault = this.#targets.devices.add(entry.daxIndex, { size: entry.size, uuid: entry.uuid });
    if (fault !== null) this.#reportField('daxdev', DAXDEV_INDEX, `${fault.message} (${fault.code})`);
  }

  /** Puts the entry's path into the tree. @returns its inode, or 0 when the entry was skipped; the reason was reported */
  #link(pathAt: number, kind: typeof FILE | typeof DIRECTORY, isUsable: boolean): number {
    const { inodes } = this.#targets;
    const scan = this.#scan;
    const { bytes, words } = this.#window;
    const fault = scan.scan(bytes, words, this.#base + pathAt);
    if (fault !== null) {
      this.#reportField(fault, pathAt, pathFaultText[fault]);
      return 0;
    }
    if (!isUsable) return 0;
    const last = scan.count - 1;
    let parent = 0;
    for (let i = 0; i < last; i++) {
      const above: number = parent;
      parent = inodes.find(above, bytes, scan.starts[i]!, scan.ends[i]!, scan.hashes[i]!);
      if (parent === NOTHING) parent = this.#adopt(above, i);
      if (parent === 0 || inodes.kind[parent] !== DIRECTORY) {
        this.#reportParent(pathAt, i, parent);
        return 0;
      }
    }
    const start = scan.starts[last]!;
    const end = scan.ends[last]!;
    const hash = scan.hashes[last]!;
    const known = inodes.find(parent, bytes, start, end, hash);
    if (known !== 0) {
      this.#reportField('duplicate-path', pathAt, `the path exists since log entry ${known - 1}`);
      return 0;
    }
    const inode = this.#index + 1;
    inodes.add(inode, kind, parent, bytes, start, end, hash);
    return inode;
  }

  /**
   * Makes up a directory for a path component that no entry made: its own entry is probably one of the bad ones.
   * @returns its inode, or 0 when no bad entry is left
   */
  #adopt(parent: number, component: number): number {
    const slot = this.#badSlots.shift();
    if (slot === undefined) return NOTHING;
    const scan = this.#scan;
    const window = this.#window;
    const [start, end] = [scan.starts[component]!, scan.ends[component]!];
    this.#targets.inodes.add(slot + 1, DIRECTORY, parent, window.bytes, start, end, scan.hashes[component]!);
    this.#targets.inodes.mode[slot + 1] = 0o755;
    return slot + 1;
  }

  #reportParent(pathAt: number, component: number, found: number): void {
    const { bytes } = this.#window;
    const parent = decodeName(bytes.subarray(this.#base + pathAt, this.#scan.ends[component]!));
    if (found === NOTHING) {
      this.#reportField('missing-parent', pathAt, `its parent directory '${parent}' does not exist`);
    } else {
      this.#reportField('parent-not-directory', pathAt, `'${parent}' is a file, not a directory`);
    }
  }

  #markExtents(): void {
    const { usage } = this.#targets;
    if (usage === null) return;
    const { count, devindex, offset, length } = this.#file;
    for (let i = 0; i < count; i++) {
      const taken = usage.mark(devindex[i]!, offset[i]!, length[i]!);
      if (taken > 0) {
        const message = `extent ${i} (${offset[i]}, ${length[i]} bytes) overlaps space in use: ${taken} units`;
        this.#reportField('extent-overlap', this.#file.offsetFieldAt(i), message);
      }
    }
  }

  readonly #reportField = (code: string, at: number, message: string): void => {
    this.#targets.problems.add(this.#problem(code, at, message));
  };

  #problem(code: string, at: number, message: string): Problem {
    const offset = this.#targets.log.entryOffset(this.#index) + at;
    const path = this.#pathText();
    const message2 = `log entry ${this.#index}${path}: ${message} (byte ${offset})`;
    return { code, message: message2, entry: this.#index, offset };
  }

  /** The path for messages, unchecked. */
  #pathText(): string {
    const type = this.#window.u32(this.#base + TYPE);
    if (type !== FAMFS_LOG_FILE && type !== FAMFS_LOG_MKDIR) return '';
    const at = this.#base + (type === FAMFS_LOG_FILE ? FILE_PATH : MKDIR_PATH);
    const field = this.#window.bytes.subarray(at, at + fileMetaLayout.fields.path.size);
    const end = field.indexOf(0);
    return ` ('${decodeName(end < 0 ? field : field.subarray(0, end))}')`;
  }
}
