/**
 * Folds the annex of a volume into its new log: names that the log can say become those of log entries, what was removed is gone. What
 * only an annex can say (links, symbolic links, empty files, times, attributes of users, long names) goes into a fresh annex, which
 * lies in space that was free in the old log.
 */
import { fail } from '../../libc/index.js';
import { encodeAnnexHeader, recordSeed } from '../media/annex-file.js';
import {
  ANNEX_FIRST_BYTES,
  ANNEX_HEADER_BYTES,
  ANNEX_INO_START,
  ANNEX_NAME,
  ANNEX_SLOT_BYTES,
  annexHeaderLayout,
  OBJECTS_NAME,
} from '../media/annex-layout.js';
import { type AnnexChange, encodeRecordOf } from '../media/annex-record.js';
import { ENTRY_SIZE, encodeEntry, type NewLogEntry } from '../media/entry.js';
import type { InodeStat } from '../media/inode-stat.js';
import {
  FAMFS_LOG_ADD_DAXDEV,
  FAMFS_LOG_FILE,
  FAMFS_LOG_MKDIR,
  FAMFS_PATH_FIELD,
  logEntryLayout,
} from '../media/layout.js';
import { encodeName } from '../media/path.js';
import { viewOf } from '../media/superblock.js';
import { type FileTree, inodeOfEntry, ROOT_INO } from '../media/tree.js';
import { timeNow } from './annex-writer.js';
import { ownerOf } from './name-rules.js';
import type { NameNumbers } from './rewrite-aliases.js';
import type { ChangedNames } from './rewrite-names.js';
import type { ChangedSpace } from './rewrite-space.js';

const TYPE = logEntryLayout.fields.type.offset;
const { nextSeqnum, nextIndex } = annexHeaderLayout.fields;

/** A fresh annex: all its bytes, and where they go on the device. */
export interface FreshAnnex {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** The new log and annex of a volume. */
export interface Folded {
  readonly bytes: Uint8Array;
  readonly damaged: number;
  readonly annex: FreshAnnex | null;
  /** Whether they say the same in fewer entries or records. */
  readonly isShorter: boolean;
}

/** A name that stays. */
interface Name {
  directory: number;
  name: string;
}

type PathEntry = Extract<NewLogEntry, { path: string }>;

export class Folding {
  readonly #tree: FileTree;
  readonly #names: ChangedNames;
  readonly #space: ChangedSpace;
  readonly #entries: NewLogEntry[] = [];
  readonly #records: AnnexChange[] = [];
  /** The names that stay, by inode number, the one that the log may say first. */
  readonly #namesOf = new Map<number, Name[]>();
  /** New inode numbers and new paths in the log, by old inode number. */
  readonly #inos = new Map<number, number>([[ROOT_INO, ROOT_INO]]);
  readonly #paths = new Map<number, string>([[ROOT_INO, '']]);
  #hasObjects = false;

  constructor(tree: FileTree, names: ChangedNames, space: ChangedSpace, numbers: NameNumbers) {
    this.#tree = tree;
    this.#names = names;
    this.#space = space;
    this.#collect(ROOT_INO, numbers);
  }

  #collect(directory: number, numbers: NameNumbers): void {
    for (const number of this.#names.children(directory)) {
      const ino = numbers.inodeOf(number);
      const list = this.#namesOf.get(ino) ?? [];
      this.#namesOf.set(ino, list);
      const name = { directory, name: this.#names.nameOf(number) };
      if (number === ino) list.unshift(name);
      else list.push(name);
      if (this.#tree.isDirectory(ino)) this.#collect(ino, numbers);
    }
  }

  /** @param uuid of the new file system @throws DaxError EBADMSG, ENOSPC */
  fold(uuid: string): Folded {
    const tree = this.#tree;
    let damaged = 0;
    for (let index = 0; index < tree.nextIndex; index++) {
      const ino = inodeOfEntry(index);
      const type = viewOf(tree.log.entryBytes(index)).getUint32(TYPE, true);
      if (type === FAMFS_LOG_ADD_DAXDEV) this.#entries.push(this.#decoded(index));
      else if ((type !== FAMFS_LOG_FILE && type !== FAMFS_LOG_MKDIR) || !tree.has(ino)) damaged++;
      else if (this.#namesOf.has(ino)) this.#keep(ino);
    }
    // What the annex made and has got bytes since, then what only an annex can say.
    const made = [...this.#namesOf.keys()].filter((ino) => !this.#inos.has(ino));
    for (const ino of made) if (this.#sizeOf(ino) > 0) this.#keep(ino);
    this.#nameObjects();
    for (const ino of made) if (!this.#inos.has(ino)) this.#make(ino);
    this.#setAttributes();
    const annex = this.#records.length > 0 ? this.#encodeAnnex(uuid) : null;
    const bytes = new Uint8Array(this.#entries.length * ENTRY_SIZE);
    for (const [index, entry] of this.#entries.entries()) {
      const slot = bytes.subarray(index * ENTRY_SIZE, (index + 1) * ENTRY_SIZE);
      encodeEntry(slot, viewOf(slot), entry, index);
    }
    const isShorter =
      this.#entries.length < tree.nextIndex - damaged || this.#records.length < (tree.annex?.records ?? 0);
    return { bytes, damaged, annex, isShorter };
  }

  #decoded(index: number): NewLogEntry {
    const entry = this.#tree.log.entry(index);
    if (entry.kind === 'unknown') fail('EBADMSG', `log entry ${index} changed since it was replayed`);
    return entry;
  }

  #sizeOf(ino: number): number {
    return (
      this.#space.changed.get(ino)?.size ??
      this.#tree.stat(ino).size * (this.#tree.linkTarget(ino) === null ? 1 : 0)
    );
  }

  /** Makes the log entry of an object, behind that of its directory. An empty file has none. */
  #keep(ino: number): void {
    if (this.#inos.has(ino)) return;
    if (!this.#tree.isDirectory(ino) && this.#sizeOf(ino) === 0) return;
    const names = this.#namesOf.get(ino)!;
    const sayable = names.findIndex((name) => this.#pathFor(name) !== null);
    if (sayable > 0) names.unshift(...names.splice(sayable, 1));
    const path = sayable >= 0 ? this.#pathFor(names[0]!)! : this.#objectPath();
    this.#paths.set(ino, path);
    this.#inos.set(ino, inodeOfEntry(this.#entries.length));
    this.#entries.push(this.#entryOf(ino, path));
    if (sayable >= 0) names.shift();
  }

  /** The path of a name in the new log; null when that cannot say it. Makes the entries of the directories above. */
  #pathFor({ directory, name }: Name): string | null {
    if (directory !== ROOT_INO) this.#keep(directory);
    const above = this.#paths.get(directory)!;
    const path = above === '' ? name : `${above}/${name}`;
    return encodeName(path).length < FAMFS_PATH_FIELD ? path : null;
  }

  #objectPath(): string {
    if (!this.#hasObjects)
      this.#entries.push({ kind: 'mkdir', path: OBJECTS_NAME, mode: 0o755, ...ownerOf({}) });
    this.#hasObjects = true;
    return `${OBJECTS_NAME}/${this.#entries.length}`;
  }

  #entryOf(ino: number, path: string): PathEntry {
    const tree = this.#tree;
    const place = this.#space.changed.get(ino);
    const content = tree.isDirectory(ino) ? ino : tree.contentOf(ino);
    const { mode, uid, gid } = tree.stat(ino);
    if (content === 0) return { kind: 'file', path, mode, uid, gid, ...place! };
    const entry = this.#decoded(content - inodeOfEntry(0)) as PathEntry;
    const isOwn = content === ino;
    const set = tree.annex?.names.attributes.get(ino);
    return {
      ...entry,
      mode: isOwn ? (set?.mode ?? entry.mode) : mode,
      uid: isOwn ? (set?.uid ?? entry.uid) : uid,
      gid: isOwn ? (set?.gid ?? entry.gid) : gid,
      ...place,
      path,
    };
  }

  /** Records for the names that the log does not say. Directories come first, each behind the one it is in: names go into what has one. */
  #nameObjects(): void {
    const isDirectory = ([ino]: [number, Name[]]) => this.#tree.isDirectory(ino);
    const all = [...this.#namesOf];
    for (const [ino, names] of [...all.filter(isDirectory), ...all.filter((one) => !isDirectory(one))]) {
      const newIno = this.#inos.get(ino);
      if (newIno === undefined) continue;
      for (const { directory, name } of names) this.#bind(newIno, directory, name);
    }
  }

  #bind(ino: number, directory: number, name: string): void {
    this.#records.push({ kind: 'bind', ino, directory: this.#inos.get(directory)!, name, replaced: 0 });
  }

  /** Records for an object that only the annex knows. */
  #make(ino: number): void {
    const tree = this.#tree;
    const { mode, uid, gid } = tree.stat(ino);
    const [first, ...more] = this.#namesOf.get(ino)!;
    const newIno = ANNEX_INO_START + this.#records.length;
    this.#inos.set(ino, newIno);
    const directory = this.#inos.get(first!.directory)!;
    this.#records.push({
      kind: 'make',
      directory,
      name: first!.name,
      target: tree.linkTarget(ino),
      mode,
      uid,
      gid,
      replaced: 0,
    });
    for (const { directory: above, name } of more) this.#bind(newIno, above, name);
  }

  /** Records for attributes of users, and for times: those come last, because the records before set times too. */
  #setAttributes(): void {
    const attributes = this.#tree.annex?.names.attributes ?? new Map();
    for (const [ino, { xattrs }] of attributes) {
      const newIno = this.#inos.get(ino);
      if (newIno === undefined) continue;
      for (const [name, value] of xattrs ?? [])
        this.#records.push({ kind: 'xattr', ino: newIno, name, value });
      if (ino === ROOT_INO) this.#setOwner(newIno);
    }
    const touched = this.#touched();
    for (const ino of attributes.keys()) {
      const newIno = this.#inos.get(ino);
      if (newIno !== undefined) this.#setTimes(ino, newIno, touched.delete(newIno));
    }
    for (const [ino, newIno] of this.#inos) if (touched.has(newIno)) this.#setTimes(ino, newIno, true);
  }

  /** A record of the times that an object has, and no others. */
  #setTimes(ino: number, newIno: number, isTouched: boolean): void {
    const { times } = this.#tree.stat(ino);
    const only = isTouched && !isWhole(times);
    if (times !== null || only)
      this.#records.push({ kind: 'times', ino: newIno, ...times, ...(only && { only }) });
  }

  /** What has the time of a rewrite by the records so far: what they make, and the directories of their names. */
  #touched(): Set<number> {
    const touched = new Set<number>();
    for (const [number, record] of this.#records.entries()) {
      if (record.kind === 'make') touched.add(ANNEX_INO_START + number);
      if ('directory' in record) touched.add(record.directory);
      // A name more sets no times of the object itself.
      if (record.kind !== 'bind' && 'ino' in record) touched.add(record.ino);
    }
    return touched;
  }

  /** The root has no entry, so its mode and owner stay in the annex. */
  #setOwner(ino: number): void {
    const { mode, uid, gid } = this.#tree.annex!.names.attributes.get(ROOT_INO)!;
    if (mode === undefined && uid === undefined && gid === undefined) return;
    this.#records.push({
      kind: 'attributes',
      ino,
      ...(mode !== undefined && { mode }),
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
    });
  }

  #encodeAnnex(uuid: string): FreshAnnex {
    const when = timeNow();
    const seed = recordSeed(uuid);
    // The entry of the annex itself is the last one.
    const base = this.#entries.length + 1;
    const records = this.#records.map((change, seqnum) =>
      encodeRecordOf(change, { seqnum, base, when, seed }),
    );
    const used = records.reduce((sum, { length }) => sum + length, 0);
    let length = ANNEX_FIRST_BYTES;
    // Half of it stays free for what comes later.
    while (length < ANNEX_HEADER_BYTES + 2 * used) length *= 2;
    const { offset, fmap } = this.#space.takeRun(length);
    const bytes = new Uint8Array(length);
    bytes.set(encodeAnnexHeader(uuid, 0, length, 0));
    const view = viewOf(bytes);
    view.setUint32(nextSeqnum.offset, records.length, true);
    view.setUint32(nextIndex.offset, used / ANNEX_SLOT_BYTES, true);
    let at = ANNEX_HEADER_BYTES;
    for (const record of records) {
      bytes.set(record, at);
      at += record.length;
    }
    const owner = ownerOf({});
    this.#entries.push({ kind: 'file', path: ANNEX_NAME, size: length, mode: 0o600, ...owner, fmap });
    return { offset, bytes };
  }
}

/** Whether all times are known. */
function isWhole(times: InodeStat['times']): boolean {
  return times?.atime !== undefined && times.mtime !== undefined && times.ctime !== undefined;
}
