/**
 * Applies the records of an annex to its names. A record depends only on the records before it and on the log entries below its base,
 * so all hosts come to the same result. A record that no writer of ours writes is reported and skipped; nothing of it is applied.
 */
import { loadU64 } from '../../libc/index.js';
import {
  ANNEX_ATTRIBUTES,
  ANNEX_BIND,
  ANNEX_EXCHANGE,
  ANNEX_INO_START,
  ANNEX_MAKE,
  ANNEX_NAME,
  ANNEX_RENAME,
  ANNEX_REPLACE,
  ANNEX_TIMES,
  ANNEX_UNBIND,
  ANNEX_XATTR,
  annexRecordLayout,
  MAKE_FILE,
  MAKE_SYMLINK,
  MOST_NAME_BYTES,
  MOST_TARGET_BYTES,
  OBJECTS_NAME,
  SET_GID,
  SET_MODE,
  SET_UID,
  USER_XATTR_PREFIX,
  XATTR_REMOVE,
} from './annex-layout.js';
import { type AnnexNames, ROOT } from './annex-names.js';
import { applyTimes, type FileTime } from './annex-record.js';
import { fault, idOf, type RecordFault } from './annex-rules.js';
import { wordsOf } from './crc.js';
import { HASH_PRIME, HASH_START } from './inode-table.js';
import { decodeName } from './path.js';

const F = annexRecordLayout.fields;
const FIXED = annexRecordLayout.size;
const PERMISSION_BITS = 0o7777;
const SLASH = 0x2f;
const DOT = 0x2e;
const NANOSECONDS = 1_000_000_000;
/** More attributes of one inode, or bytes of them, are refused: a hostile annex must not fill this process's memory. */
const MOST_XATTRS = 1024;

export class AnnexReplay {
  readonly #names: AnnexNames;
  #bytes = new Uint8Array(0);
  #words: Uint32Array = new Uint32Array(0);
  /** The record being applied: its first byte, its number and its base. */
  #at = 0;
  #seqnum = 0;
  #base = 0;
  /** The last scanned name. */
  #start = 0;
  #end = 0;
  #hash = 0;
  /** When the record was written. */
  #when: FileTime = { seconds: 0, nanoseconds: 0 };

  constructor(names: AnnexNames) {
    this.#names = names;
  }

  /** Sets the private copy that the next records are in. @returns its words */
  load(bytes: Uint8Array<ArrayBuffer>): Uint32Array {
    this.#bytes = bytes;
    this.#words = wordsOf(bytes);
    return this.#words;
  }

  /** Applies the record at byte `at`, whose crc, number and lengths are good. @returns why it was skipped, or null */
  apply(at: number, seqnum: number, base: number): RecordFault | null {
    this.#at = at;
    this.#seqnum = seqnum;
    this.#base = base;
    this.#readTime();
    switch (this.#u32(F.type.offset)) {
      case ANNEX_BIND:
        return this.#bind();
      case ANNEX_UNBIND:
        return this.#unbind();
      case ANNEX_RENAME:
        return this.#rename();
      case ANNEX_EXCHANGE:
        return this.#exchange();
      case ANNEX_MAKE:
        return this.#make();
      case ANNEX_ATTRIBUTES:
        return this.#setAttributes();
      case ANNEX_TIMES:
        return this.#setTimes();
      case ANNEX_XATTR:
        return this.#setXattr();
      case ANNEX_REPLACE:
        return this.#replace();
      default:
        return fault(
          'annex-type',
          F.type.offset,
          `type ${this.#u32(F.type.offset)} is unknown to this software`,
        );
    }
  }

  #u32(offset: number): number {
    return this.#words[(this.#at + offset) >>> 2]!;
  }

  #u64(offset: number): number {
    return loadU64(this.#words, (this.#at + offset) >>> 2);
  }

  #bind(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const directory = this.#u64(F.directory.offset);
    const why = this.#objectFault(ino) ?? this.#placeFault(directory) ?? this.#taken(directory, ino);
    if (why !== null) return why;
    if (this.#names.isDirectory(ino) && (this.#names.hasName(ino) || this.#names.isIn(directory, ino)))
      return fault(
        'annex-link',
        F.ino.offset,
        `inode ${ino} is a directory that has a name, or holds the new one`,
      );
    this.#set(directory, ino);
    return null;
  }

  #unbind(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const directory = this.#u64(F.directory.offset);
    const why = this.#placeFault(directory) ?? this.#means(directory, ino);
    if (why !== null) return why;
    this.#names.take(ino, directory, this.#bytes, this.#start, this.#end, this.#hash);
    this.#touch(directory);
    return null;
  }

  #rename(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const directory = this.#u64(F.directory.offset);
    const newDirectory = this.#u64(F.newDirectory.offset);
    let why = this.#placeFault(directory) ?? this.#means(directory, ino);
    if (why !== null) return why;
    const { start, end, hash } = this.#scanned();
    const { found } = this.#names;
    why =
      this.#newPlaceFault(newDirectory) ?? this.#taken(newDirectory, ino) ?? this.#cycle(newDirectory, ino);
    if (why !== null) return why;
    this.#names.take(ino, directory, this.#bytes, start, end, hash, found);
    this.#touch(directory);
    this.#set(newDirectory, ino);
    return null;
  }

  #exchange(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const other = this.#u64(F.other.offset);
    const directory = this.#u64(F.directory.offset);
    const newDirectory = this.#u64(F.newDirectory.offset);
    let why = this.#placeFault(directory) ?? this.#means(directory, ino);
    if (why !== null) return why;
    const { start, end, hash } = this.#scanned();
    why = this.#newPlaceFault(newDirectory) ?? this.#means(newDirectory, other);
    why ??= this.#cycle(newDirectory, ino) ?? this.#cycle(directory, other);
    if (why !== null) return why;
    this.#names.bindings.set(directory, this.#bytes, start, end, hash, other);
    this.#touch(directory);
    this.#set(newDirectory, ino);
    return null;
  }

  #make(): RecordFault | null {
    const directory = this.#u64(F.directory.offset);
    const flags = this.#u32(F.flags.offset);
    const isLink = flags === MAKE_SYMLINK;
    if (flags !== MAKE_FILE && !isLink)
      return fault('annex-make', F.flags.offset, `it makes nothing known (${flags})`);
    const why = this.#placeFault(directory) ?? this.#taken(directory, 0);
    if (why !== null) return why;
    const value = this.#value();
    if (isLink && (value.length === 0 || value.length > MOST_TARGET_BYTES || value.includes(0)))
      return fault(
        'annex-target',
        F.valueLength.offset,
        `the target of a link has ${value.length} bytes, or a NUL`,
      );
    const ino = ANNEX_INO_START + this.#seqnum;
    this.#names.made.set(ino, {
      target: isLink ? decodeName(value) : null,
      mode: this.#u32(F.mode.offset) & PERMISSION_BITS,
      uid: idOf(this.#u32(F.uid.offset)),
      gid: idOf(this.#u32(F.gid.offset)),
    });
    if (isLink) this.#names.hasLinks = true;
    this.#set(directory, ino);
    const times = this.#names.attributesOf(ino);
    times.atime = this.#when;
    times.mtime = this.#when;
    times.ctime = this.#when;
    return null;
  }

  #setAttributes(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const why = this.#objectFault(ino);
    if (why !== null) return why;
    const flags = this.#u32(F.flags.offset);
    const attributes = this.#names.attributesOf(ino);
    if ((flags & SET_MODE) !== 0) attributes.mode = this.#u32(F.mode.offset) & PERMISSION_BITS;
    if ((flags & SET_UID) !== 0) attributes.uid = idOf(this.#u32(F.uid.offset));
    if ((flags & SET_GID) !== 0) attributes.gid = idOf(this.#u32(F.gid.offset));
    attributes.ctime = this.#when;
    return null;
  }

  #setTimes(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const why = this.#objectFault(ino);
    if (why !== null) return why;
    const attributes = this.#names.attributesOf(ino);
    applyTimes(attributes, this.#value(), this.#u32(F.flags.offset), this.#when);
    return null;
  }

  #setXattr(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const why = this.#objectFault(ino);
    if (why !== null) return why;
    const length = this.#u32(F.nameLength.offset);
    const bytes = this.#bytes.subarray(this.#at + FIXED, this.#at + FIXED + length);
    const name = decodeName(bytes);
    if (!name.startsWith(USER_XATTR_PREFIX) || name.length === USER_XATTR_PREFIX.length || bytes.includes(0))
      return fault('annex-xattr', FIXED, `'${name}' is no attribute of users (user.*)`);
    const attributes = this.#names.attributesOf(ino);
    attributes.ctime = this.#when;
    if ((this.#u32(F.flags.offset) & XATTR_REMOVE) !== 0) {
      attributes.xattrs?.delete(name);
      return null;
    }
    attributes.xattrs ??= new Map();
    if (attributes.xattrs.size >= MOST_XATTRS && !attributes.xattrs.has(name))
      return fault('annex-xattr', FIXED, `inode ${ino} has ${MOST_XATTRS} attributes already`);
    attributes.xattrs.set(name, this.#value().slice());
    return null;
  }

  #replace(): RecordFault | null {
    const ino = this.#u64(F.ino.offset);
    const content = this.#u64(F.other.offset);
    const names = this.#names;
    if (!names.exists(ino, this.#base) || !names.isFile(ino))
      return fault('annex-inode', F.ino.offset, `inode ${ino} is no file`);
    const isObject = content < ANNEX_INO_START && names.exists(content, this.#base) && names.isFile(content);
    if (content !== 0 && !isObject)
      return fault(
        'annex-content',
        F.other.offset,
        `inode ${content} is no file of the log, so it is nobody's content`,
      );
    const attributes = names.attributesOf(ino);
    attributes.content = content;
    attributes.mtime = this.#when;
    attributes.ctime = this.#when;
    return null;
  }

  #objectFault(ino: number): RecordFault | null {
    const names = this.#names;
    if (names.exists(ino, this.#base) && ino !== names.objects && !names.annexes.has(ino)) return null;
    return fault('annex-inode', F.ino.offset, `there is no inode ${ino} among what came before it`);
  }

  /** Checks the directory and scans the first name of the record. */
  #placeFault(directory: number): RecordFault | null {
    const start = this.#at + FIXED;
    return (
      this.#directoryFault(directory, F.directory.offset) ??
      this.#scan(start, start + this.#u32(F.nameLength.offset), F.nameLength.offset) ??
      this.#reservedFault(directory)
    );
  }

  /** The same of the second name. */
  #newPlaceFault(directory: number): RecordFault | null {
    const start = this.#at + FIXED + this.#u32(F.nameLength.offset);
    return (
      this.#directoryFault(directory, F.newDirectory.offset) ??
      this.#scan(start, start + this.#u32(F.newNameLength.offset), F.newNameLength.offset) ??
      this.#reservedFault(directory)
    );
  }

  #directoryFault(directory: number, at: number): RecordFault | null {
    const names = this.#names;
    const isUsable =
      names.exists(directory, this.#base) &&
      names.isDirectory(directory) &&
      directory !== names.objects &&
      names.hasName(directory);
    return isUsable ? null : fault('annex-directory', at, `inode ${directory} is no directory of the tree`);
  }

  #scan(start: number, end: number, at: number): RecordFault | null {
    const bytes = this.#bytes;
    const length = end - start;
    if (length === 0 || length > MOST_NAME_BYTES)
      return fault('annex-name', at, `a name has ${length} bytes`);
    let hash = HASH_START;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte === SLASH || byte === 0)
        return fault('annex-name', i - this.#at, 'a name holds a slash or a NUL');
      hash = Math.imul(hash ^ byte, HASH_PRIME);
    }
    if (bytes[start] === DOT && (length === 1 || (length === 2 && bytes[start + 1] === DOT)))
      return fault('annex-name', start - this.#at, "a name is '.' or '..'");
    this.#start = start;
    this.#end = end;
    this.#hash = hash;
    return null;
  }

  /** The annexes and the directory of nameless objects are no part of the tree. */
  #reservedFault(directory: number): RecordFault | null {
    if (directory !== ROOT || this.#bytes[this.#start] !== DOT) return null;
    const name = this.#nameText();
    if (name !== OBJECTS_NAME && !name.startsWith(ANNEX_NAME)) return null;
    return fault('annex-name', this.#start - this.#at, `'${name}' is the name of an annex or of its objects`);
  }

  #scanned(): { start: number; end: number; hash: number } {
    return { start: this.#start, end: this.#end, hash: this.#hash };
  }

  #childNow(directory: number): number {
    return this.#names.child(directory, this.#bytes, this.#start, this.#end, this.#hash, this.#base);
  }

  /** The scanned name must mean this inode. */
  #means(directory: number, ino: number): RecordFault | null {
    if (
      ino !== 0 &&
      this.#names.means(ino, directory, this.#bytes, this.#start, this.#end, this.#hash, this.#base)
    )
      return null;
    const found = this.#childNow(directory);
    return fault('annex-name', FIXED, `'${this.#nameText()}' in inode ${directory} is ${found}, not ${ino}`);
  }

  /** The scanned name must mean what the record says that it replaces, and not `ino` itself. */
  #taken(directory: number, ino: number): RecordFault | null {
    const replaced = this.#u64(F.other.offset);
    const found = this.#childNow(directory);
    if (found === replaced && (found === 0 || found !== ino)) return null;
    return fault(
      'annex-name',
      FIXED,
      `'${this.#nameText()}' in inode ${directory} is ${found}, it says ${replaced}`,
    );
  }

  #cycle(directory: number, ino: number): RecordFault | null {
    if (!this.#names.isDirectory(ino) || !this.#names.isIn(directory, ino)) return null;
    return fault('annex-cycle', F.newDirectory.offset, `directory ${ino} would be inside itself`);
  }

  #nameText(): string {
    return decodeName(this.#bytes.subarray(this.#start, this.#end));
  }

  /** Lets the scanned name, which was just looked up, mean an inode, or nothing. */
  #set(directory: number, ino: number): void {
    const { bindings, found } = this.#names;
    bindings.set(directory, this.#bytes, this.#start, this.#end, this.#hash, ino, found);
    this.#touch(directory);
  }

  #touch(directory: number): void {
    const attributes = this.#names.attributesOf(directory);
    attributes.mtime = this.#when;
    attributes.ctime = this.#when;
  }

  /** Records of the same moment share the object. */
  #readTime(): void {
    const seconds = this.#u64(F.seconds.offset);
    const nanoseconds = this.#u32(F.nanoseconds.offset) % NANOSECONDS;
    if (this.#when.seconds !== seconds || this.#when.nanoseconds !== nanoseconds)
      this.#when = { seconds, nanoseconds };
  }

  #value(): Uint8Array {
    const start = this.#at + FIXED + this.#u32(F.nameLength.offset) + this.#u32(F.newNameLength.offset);
    return this.#bytes.subarray(start, start + this.#u32(F.valueLength.offset));
  }
}
