/** The tree of a volume, made from the log entries replayed so far. Readers call replay() again to see new entries. */
import { fail } from '../../libc/index.js';
import type { AllocationMap } from './allocation-map.js';
import { dataStart } from './allocator.js';
import { Annex } from './annex.js';
import { ANNEX_INO_START } from './annex-layout.js';
import { DaxdevTable } from './daxdev-table.js';
import { ENTRY_SIZE } from './entry.js';
import { type ExtentLimits, FileScan } from './file-scan.js';
import type { Fmap } from './fmap.js';
import { type DirectoryItem, type InodeStat, statWithAnnex } from './inode-stat.js';
import { DIRECTORY, FILE, hashName, InodeTable } from './inode-table.js';
import { FAMFS_LOG_FILE, logEntryLayout, type Superblock } from './layout.js';
import type { Log } from './log.js';
import type { LogCounts } from './log-counts.js';
import { decodeName, NameEncoder } from './path.js';
import { type Problem, ProblemList } from './problem.js';
import { Replay } from './replay.js';
import { viewOf } from './superblock.js';
import { Usage } from './usage.js';

export type { DirectoryItem, InodeStat } from './inode-stat.js';

/**
 * Inode number of the root. The file or directory of log entry i has inode number i + 2, what record r of the annex made 2^32 + r.
 * All hosts use the same numbers.
 */
export const ROOT_INO = 1;
const NO_INO = -1;
/** Beyond all log entries. */
const EVERY_ENTRY = Number.POSITIVE_INFINITY;

/** The inode number of the file or directory that log entry `index` makes. */
export function inodeOfEntry(index: number): number {
  return index + ROOT_INO + 1;
}

export interface FileTreeOptions {
  /** The map in which replay marks used space, from newAllocationMap(). Without it no space is accounted. */
  allocation?: AllocationMap;
  /** Makes up directories whose own entry cannot be read, so that the files in them can be reached. Default: false. */
  adoptsOrphans?: boolean;
  /** False shows what C famfs shows: the log alone, without what the annex says. Default: true. */
  annex?: boolean;
}

/** The tree of a log and of its annex, as far as both were replayed. */
export class FileTree {
  /** What was wrong with entries, most of them skipped. It grows with each replay. */
  readonly #problemList = new ProblemList();
  readonly #noteList = new ProblemList();
  readonly counts: LogCounts = {
    files: 0,
    directories: 0,
    sumOfFileSizes: 0,
    roundingBytes: 0,
    badEntries: 0,
  };
  readonly devices: DaxdevTable;
  /** Space accounting; null without an allocation map. */
  readonly usage: Usage | null;
  readonly #inodes = new InodeTable();
  readonly #encoder = new NameEncoder();
  readonly #replayer: Replay;
  readonly #limits: ExtentLimits;
  readonly #scan = new FileScan();
  /** The entry that a file's map is read from. */
  readonly #entry = new Uint8Array(new ArrayBuffer(ENTRY_SIZE));
  readonly #entryWords = new Uint32Array(this.#entry.buffer);
  readonly #uuid: string;
  readonly #followsAnnex: boolean;
  /** Null while the log names none. */
  #annex: Annex | null = null;
  #next = 0;
  #stop: Problem | null = null;

  constructor(
    superblock: Superblock,
    readonly log: Log,
    options: FileTreeOptions = {},
  ) {
    const { allocUnit, deviceSize, deviceUuid } = superblock;
    this.#uuid = superblock.uuid;
    this.#followsAnnex = options.annex ?? true;
    this.devices = new DaxdevTable({ size: deviceSize, uuid: deviceUuid });
    const { allocation } = options;
    this.usage = allocation === undefined ? null : new Usage(allocation, allocUnit, this.devices.sizes);
    this.#limits = { allocUnit, dataStart: dataStart(superblock), deviceSizes: this.devices.sizes };
    this.#replayer = new Replay({
      log,
      inodes: this.#inodes,
      devices: this.devices,
      limits: this.#limits,
      adoptsOrphans: options.adoptsOrphans ?? false,
      usage: this.usage,
      problems: this.#problemList,
      notes: this.#noteList,
      counts: this.counts,
    });
  }

  /** The first log entry not applied yet. */
  get nextIndex(): number {
    return this.#next;
  }

  /**
   * The bad entry, or the bad record of the annex, at which replay stopped (I8); null when replay has passed all that is
   * published. A writer must not append while it is set.
   */
  get stopped(): Problem | null {
    return this.#stop ?? this.#annex?.stopped ?? null;
  }

  /** What says that names are not as their log entries say; null while the volume has none, or does not follow it. */
  get annex(): Annex | null {
    return this.#annex;
  }

  /** How much was applied: log entries and records of the annex. */
  get position(): number {
    return this.#next + (this.#annex?.records ?? 0);
  }

  /** Whether something was published that replay() has not seen: a load or two. */
  isBehind(): boolean {
    return this.log.nextIndex() !== this.#next || this.isAnnexBehind();
  }

  isAnnexBehind(): boolean {
    return this.#annex?.isBehind() ?? false;
  }

  /** What was wrong with entries, most of them skipped, with the reason. */
  get problems(): Problem[] {
    return this.#problemList.toArray();
  }

  get problemsAndStop(): Problem[] {
    const { stopped } = this;
    return stopped === null ? this.problems : [...this.problems, stopped];
  }

  get notes(): Problem[] {
    return this.#noteList.toArray();
  }

  /** How much of this process's memory the tree's inodes and names take, bytes. */
  get memoryBytes(): number {
    return this.#inodes.memoryBytes;
  }

  /**
   * Applies the entries and records published since the last call. It is cheap when there are none. It stops before one that
   * fails its checks (see {@link stopped}), and tries that again at the next call.
   * @returns how many it passed
   * @throws DaxError ESTALE the log has fewer entries than were replayed: the device was formatted anew
   */
  replay(options: { pastBadEntries?: boolean } = {}): number {
    const passed = this.#replayLog(options);
    return this.#followsAnnex ? passed + this.#replayAnnex() : passed;
  }

  #replayAnnex(): number {
    if (this.#annex === null) {
      if (!Annex.isIn(this.#inodes)) return 0;
      this.#annex = new Annex({
        media: this.log.media,
        inodes: this.#inodes,
        uuid: this.#uuid,
        problems: this.#problemList,
        nextIndex: () => this.#next,
        replayLog: () => void this.#replayLog({}),
        fmap: (ino) => this.fmapOfEntry(ino),
      });
    }
    return this.#annex.replay();
  }

  #replayLog(options: { pastBadEntries?: boolean }): number {
    const published = options.pastBadEntries ? this.log.readableEnd() : this.log.nextIndex();
    if (published < this.#next) {
      fail(
        'ESTALE',
        `${this.log.media.name}: the log has ${published} entries, ${this.#next} were replayed: the device was formatted ` +
          'anew underneath; close the volume and open it again',
      );
    }
    const end = Math.min(published, this.log.slots);
    if (end === this.#next) return 0;
    const from = this.#next;
    this.#next = this.#replayAndKeepStop(from, end, options.pastBadEntries ?? false);
    return this.#next - from;
  }

  #replayAndKeepStop(from: number, end: number, pastBadEntries: boolean): number {
    const next = this.#replayer.run(from, end, pastBadEntries);
    this.#stop = next < end ? (this.log.checkEntry(next)[0] ?? null) : null;
    return next;
  }

  /** The inode of a path from the root, or -1. 'a/b' and '/a/b' are the same; '' is the root. */
  lookup(path: string): number {
    let ino = ROOT_INO;
    for (const component of path.split('/')) {
      if (component === '') continue;
      ino = this.child(ino, component);
      if (ino === NO_INO) return NO_INO;
    }
    return ino;
  }

  /** The inode of a name in a directory, or -1. */
  child(directory: number, name: string): number {
    if (!this.isDirectory(directory)) return NO_INO;
    this.#encoder.encode(name);
    const { bytes, length } = this.#encoder;
    const hash = hashName(bytes, 0, length);
    if (this.#annex !== null)
      return this.#annex.names.child(directory, bytes, 0, length, hash, EVERY_ENTRY) || NO_INO;
    const slot = this.#inodes.find(directory - 1, bytes, 0, length, hash);
    return slot === 0 ? NO_INO : slot + 1;
  }

  /** As child(), but by the log alone: what C famfs finds there. */
  baseChild(directory: number, name: string): number {
    this.#encoder.encode(name);
    const { bytes, length } = this.#encoder;
    const slot = this.#inodes.find(this.#slotOf(directory), bytes, 0, length, hashName(bytes, 0, length));
    return slot === 0 ? NO_INO : slot + 1;
  }

  /** Whether the annex says what a name means: its log entry, if there is one, does not count any more. */
  isOfAnnex(directory: number, name: string): boolean {
    if (this.#annex === null) return false;
    this.#encoder.encode(name);
    const { bytes, length } = this.#encoder;
    return this.#annex.names.isOfAnnex(directory, bytes, length, hashName(bytes, 0, length));
  }

  /** Whether an inode is there, with a name or without: some entries make none, because they break a rule. */
  has(ino: number): boolean {
    if (ino >= ANNEX_INO_START) return this.#annex?.names.made.has(ino) ?? false;
    const slot = ino - 1;
    return slot >= 0 && slot < this.#inodes.capacity && this.#inodes.kind[slot] !== 0;
  }

  stat(ino: number): InodeStat {
    if (this.#annex !== null) return statWithAnnex(this.#annex.names, this.#slotOf(ino) + 1);
    const slot = this.#slotOf(ino);
    const { kind, fileSize, mode, uid, gid } = this.#inodes;
    return {
      ino,
      type: kind[slot] === DIRECTORY ? 'directory' : 'file',
      size: fileSize[slot]!,
      mode: mode[slot]!,
      uid: uid[slot]!,
      gid: gid[slot]!,
      nlink: 1,
      times: null,
    };
  }

  isDirectory(ino: number): boolean {
    return this.#inodes.kind[this.#slotOf(ino)] === DIRECTORY;
  }

  /** The target of a symbolic link; null when it is none. */
  linkTarget(ino: number): string | null {
    return this.#annex?.names.made.get(ino)?.target ?? null;
  }

  /** Whether there is any symbolic link. */
  get hasLinks(): boolean {
    return this.#annex?.names.hasLinks ?? false;
  }

  /** Inodes of a directory's children, in order of creation. One with several names in it comes several times. */
  *children(directory: number): Generator<number> {
    if (this.#annex !== null) {
      for (const { ino } of this.#annex.names.namesIn(this.#slotOf(directory) + 1)) yield ino;
      return;
    }
    const { firstChild, nextSibling } = this.#inodes;
    for (let slot = firstChild[this.#slotOf(directory)]!; slot !== 0; slot = nextSibling[slot]!)
      yield slot + 1;
  }

  /** The names in a directory, with what they mean: those of the log in order of creation, then those of the annex. */
  entries(directory: number): DirectoryItem[] {
    const items: DirectoryItem[] = [];
    const from = this.#slotOf(directory);
    if (this.#annex === null) {
      const { firstChild, nextSibling } = this.#inodes;
      for (let slot = firstChild[from]!; slot !== 0; slot = nextSibling[slot]!)
        items.push({ name: this.#inodes.nameOf(slot), ino: slot + 1, cookie: slot + 1 });
    } else {
      for (const { name, ino, cookie } of this.#annex.names.namesIn(from + 1))
        items.push({ name: decodeName(name), ino, cookie });
    }
    return items;
  }

  /** Names in a directory, in order of creation. */
  readdir(directory: number): string[] {
    return this.entries(directory).map(({ name }) => name);
  }

  /** Last component of the path, of the first one when it has several; '' for the root. */
  nameOf(ino: number): string {
    const slot = this.#slotOf(ino);
    return this.#annex ? decodeName(this.#annex.names.nameBytes(slot + 1)) : this.#inodes.nameOf(slot);
  }

  /** The directory of that name; the root for what has none any more. */
  parentOf(ino: number): number {
    const slot = this.#slotOf(ino);
    return this.#annex?.names.parentOf(slot + 1) ?? this.#inodes.parent[slot]! + 1;
  }

  /** The path of an inode by the log alone, without a leading slash: C famfs finds it there. Null for what the log does not have. */
  basePathOf(ino: number): string | null {
    return ino >= ANNEX_INO_START ? null : this.#inodes.pathOf(this.#slotOf(ino));
  }

  /** The inode number of the log entry that has the bytes of a file; 0 when it has none. */
  contentOf(ino: number): number {
    return this.#annex?.names.contentOf(ino) ?? ino;
  }

  /** Path from the root, without a leading slash; '' for the root. */
  pathOf(ino: number): string {
    const names: string[] = [];
    for (let at = ino; at !== ROOT_INO; at = this.parentOf(at)) names.push(this.nameOf(at));
    return names.reverse().join('/');
  }

  /**
   * The map of a file, decoded from its log entry at each call: the tree does not keep extents.
   * @throws DaxError EISDIR for a directory, EBADMSG the entry no longer passes its checks, EIO its extents have become
   * invalid, ESTALE the entry is no longer that of a file of this size
   */
  fmap(ino: number): Fmap {
    this.#slotOf(ino);
    const content = this.contentOf(ino);
    if (content === 0 && this.linkTarget(ino) === null) return { type: 'simple', extents: [] };
    if (content === 0) fail('EINVAL', `'${this.pathOf(ino)}' is a symbolic link, it has no extents`);
    return this.fmapOfEntry(content);
  }

  /** The size of the file that a log entry made. */
  entrySize(ino: number): number {
    return this.#inodes.fileSize[this.#slotOf(ino)]!;
  }

  /** The map of the file that a log entry made, whatever has its bytes by now. @throws DaxError as fmap() */
  fmapOfEntry(ino: number): Fmap {
    const slot = this.#slotOf(ino);
    if (this.#inodes.kind[slot] !== FILE)
      fail('EISDIR', `'${this.pathOf(ino)}' is a directory, it has no extents`);
    // The entry is read again, so it is checked again: another host may have changed the shared memory since replay.
    const index = slot - 1;
    this.log.readEntry(index, this.#entry);
    const isFile = viewOf(this.#entry).getUint32(logEntryLayout.fields.type.offset, true) === FAMFS_LOG_FILE;
    const fault = isFile ? this.#fileFault() : null;
    if (fault !== null) {
      const message = `${this.log.media.name}: log entry ${index} changed since it was replayed, ${fault}`;
      fail('EIO', `${message}: who writes there? fsck() tells more`, {
        path: this.log.media.name,
        hint: 'fsck',
      });
    }
    if (!isFile || this.#scan.size !== this.#inodes.fileSize[slot]) {
      fail(
        'ESTALE',
        `log entry ${index} changed since it was replayed: the device was formatted anew underneath`,
      );
    }
    return this.#scan.fmap();
  }

  /** Why the file of the entry that was read cannot be used, by the rules of replay. Null when it can. */
  #fileFault(): string | null {
    let fault = 'its extents are no good';
    this.#scan.read(this.#entryWords, 0);
    const isGood = this.#scan.check(this.#limits, (_code, _at, message) => {
      fault = message;
    });
    return isGood ? null : fault;
  }

  #slotOf(ino: number): number {
    if (!this.has(ino)) fail('ENOENT', `there is no inode ${ino}`);
    return ino - 1;
  }
}
