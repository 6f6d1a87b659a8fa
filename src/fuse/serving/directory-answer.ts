import { storeU64 } from '../../libc/index.js';
import { encodeEntry, encodeNoEntry, type Reply, structs } from '../protocol/index.js';
import type { FuseDirectoryAnswer, FuseEntry } from '../types.js';

const { Dirent, EntryOut } = structs;
const ALIGNMENT = 8;

/** Encodes the names of one READDIR or READDIRPLUS, up to the requested length. */
export class DirectoryAnswer implements FuseDirectoryAnswer {
  plus = false;
  #used = 0;
  #room = 0;
  readonly #reply: Reply;

  constructor(reply: Reply) {
    this.#reply = reply;
  }

  start(plus: boolean, length: number): void {
    this.plus = plus;
    this.#used = 0;
    this.#room = Math.min(length, this.#reply.capacity);
  }

  fits(nameBytes: number): boolean {
    return this.#used + this.#sizeOf(nameBytes) <= this.#room;
  }

  add(name: string, inode: number, type: number, next: number, entry?: () => FuseEntry | undefined): boolean {
    if (!this.fits(name.length)) return false; // a name has at least as many bytes as characters
    const { words, bytes, body } = this.#reply;
    const start = body + this.#used;
    const head = start + (this.plus ? EntryOut.bytes : 0);
    const text = head + Dirent.bytes;
    const nameBytes = this.#storeAscii(name, text) ? name.length : Buffer.byteLength(name);
    if (nameBytes !== name.length) {
      if (!this.fits(nameBytes)) return false;
      bytes.write(name, text);
    }
    if (this.plus) {
      const found = entry?.();
      if (found) encodeEntry(words, start, found);
      else encodeNoEntry(bytes, start);
    }
    storeU64(words, (head + Dirent.at.inode) >> 2, inode);
    storeU64(words, (head + Dirent.at.next) >> 2, next);
    words[(head + Dirent.at.nameLength) >> 2] = nameBytes;
    words[(head + Dirent.at.type) >> 2] = (type >>> 12) & 15;
    const size = this.#sizeOf(nameBytes);
    for (let pad = text + nameBytes; pad < start + size; pad++) bytes[pad] = 0;
    this.#used += size;
    this.#reply.setBody(this.#used);
    return true;
  }

  /**
   * Most names are ASCII: their bytes are stored one by one, which costs less than a call into Node.
   * @returns false when this one is not
   */
  #storeAscii(name: string, at: number): boolean {
    const { bytes } = this.#reply;
    for (let i = 0; i < name.length; i++) {
      const code = name.charCodeAt(i);
      if (code > 127) return false;
      bytes[at + i] = code;
    }
    return true;
  }

  #sizeOf(nameBytes: number): number {
    const bytes = (this.plus ? EntryOut.bytes : 0) + Dirent.bytes + nameBytes;
    return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
}
