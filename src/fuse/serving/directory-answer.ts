import { writeU64 } from '../../libc/index.js';
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
    const isPlain = isAscii(name);
    const nameBytes = isPlain ? name.length : Buffer.byteLength(name);
    if (!this.fits(nameBytes)) return false;
    const reply = this.#reply;
    const size = this.#sizeOf(nameBytes);
    let at = reply.body + this.#used;
    if (this.plus) {
      const found = entry?.();
      if (found) encodeEntry(reply.view, at, found);
      else encodeNoEntry(reply.bytes, at);
      at += EntryOut.bytes;
    }
    writeU64(reply.view, at + Dirent.at.inode, inode);
    writeU64(reply.view, at + Dirent.at.next, next);
    reply.view.setUint32(at + Dirent.at.nameLength, nameBytes, true);
    reply.view.setUint32(at + Dirent.at.type, (type >>> 12) & 15, true);
    const { bytes } = reply;
    at += Dirent.bytes;
    if (isPlain) for (let i = 0; i < nameBytes; i++) bytes[at + i] = name.charCodeAt(i);
    else bytes.write(name, at);
    const end = reply.body + this.#used + size;
    for (let pad = at + nameBytes; pad < end; pad++) bytes[pad] = 0;
    this.#used += size;
    reply.setBody(this.#used);
    return true;
  }

  #sizeOf(nameBytes: number): number {
    const bytes = (this.plus ? EntryOut.bytes : 0) + Dirent.bytes + nameBytes;
    return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
}

/** Most names are: their bytes are stored one by one, which costs less than a call into Node. */
function isAscii(name: string): boolean {
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) > 127) return false;
  return true;
}
