/**
 * Inodes and names of a tree in typed arrays: some 60 bytes an inode and its name, no object or string each.
 * Names are found through a hash of (parent, name bytes). Inode 0 is the root; there is no removal.
 */
import { fail } from '../../libc/index.js';

export const NOTHING = 0;
export const FILE = 1;
export const DIRECTORY = 2;
export type InodeKind = typeof NOTHING | typeof FILE | typeof DIRECTORY;

const ROOT = 0;
const NAME_BYTES_GUESS = 12;
/** Of all arrays below that have one element an inode. */
const BYTES_PER_INODE = 46;
const HASH_MULTIPLIER = 0x9e3779b1 | 0;

export class InodeTable {
  kind: Uint8Array;
  parent: Uint32Array;
  mode: Uint32Array;
  uid: Uint32Array;
  gid: Uint32Array;
  fileSize: Float64Array;
  /** Children in order of creation; 0 ends the list (the root is nobody's child). */
  firstChild: Uint32Array;
  nextSibling: Uint32Array;
  #lastChild: Uint32Array;
  #nameStart: Uint32Array;
  #nameLength: Uint8Array;
  #hash: Int32Array;
  #names: Uint8Array;
  #namesUsed = 0;
  /** Open addressing: inode numbers, 0 is empty. At most half full. */
  #buckets: Uint32Array;
  #inHash = 0;

  constructor(capacity = 64) {
    this.kind = new Uint8Array(capacity);
    this.parent = new Uint32Array(capacity);
    this.mode = new Uint32Array(capacity);
    this.uid = new Uint32Array(capacity);
    this.gid = new Uint32Array(capacity);
    this.fileSize = new Float64Array(capacity);
    this.firstChild = new Uint32Array(capacity);
    this.nextSibling = new Uint32Array(capacity);
    this.#lastChild = new Uint32Array(capacity);
    this.#nameStart = new Uint32Array(capacity);
    this.#nameLength = new Uint8Array(capacity);
    this.#hash = new Int32Array(capacity);
    this.#names = new Uint8Array(capacity * NAME_BYTES_GUESS);
    this.#buckets = new Uint32Array(bucketCount(capacity));
    this.kind[ROOT] = DIRECTORY;
    this.mode[ROOT] = 0o755;
  }

  get capacity(): number {
    return this.kind.length;
  }

  /** Bytes of all arrays. */
  get memoryBytes(): number {
    return this.capacity * BYTES_PER_INODE + this.#names.length + this.#buckets.byteLength;
  }

  /** Makes room for inodes 0..count-1; doubles, so that growing one by one stays cheap. */
  reserve(count: number): void {
    if (count <= this.capacity) return;
    // A first mount knows its size: take just that. Later growth doubles.
    const capacity = this.#inHash === 0 ? count : Math.max(count, this.capacity * 2);
    this.kind = grown(this.kind, new Uint8Array(capacity));
    this.parent = grown(this.parent, new Uint32Array(capacity));
    this.mode = grown(this.mode, new Uint32Array(capacity));
    this.uid = grown(this.uid, new Uint32Array(capacity));
    this.gid = grown(this.gid, new Uint32Array(capacity));
    this.fileSize = grown(this.fileSize, new Float64Array(capacity));
    this.firstChild = grown(this.firstChild, new Uint32Array(capacity));
    this.nextSibling = grown(this.nextSibling, new Uint32Array(capacity));
    this.#lastChild = grown(this.#lastChild, new Uint32Array(capacity));
    this.#nameStart = grown(this.#nameStart, new Uint32Array(capacity));
    this.#nameLength = grown(this.#nameLength, new Uint8Array(capacity));
    this.#hash = grown(this.#hash, new Int32Array(capacity));
    this.#rehash(bucketCount(capacity));
  }

  /** The child of `parent` with this name, or 0. `hash` is {@link hashName} of it. */
  find(parent: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#buckets.length - 1;
    const mixed = mix(hash, parent);
    for (let bucket = mixed & mask; ; bucket = (bucket + 1) & mask) {
      const inode = this.#buckets[bucket]!;
      if (inode === 0) return 0;
      if (
        this.#hash[inode] === mixed &&
        this.parent[inode] === parent &&
        this.#isNamed(inode, bytes, start, end)
      ) {
        return inode;
      }
    }
  }

  /** Links a new inode under its parent; its mode, owner and size are the caller's to fill. */
  add(
    inode: number,
    kind: InodeKind,
    parent: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hash: number,
  ): void {
    this.reserve(inode + 1);
    const mixed = mix(hash, parent);
    this.kind[inode] = kind;
    this.parent[inode] = parent;
    this.#hash[inode] = mixed;
    this.#nameStart[inode] = this.#storeName(bytes, start, end);
    this.#nameLength[inode] = end - start;
    const last = this.#lastChild[parent]!;
    if (last === 0) this.firstChild[parent] = inode;
    else this.nextSibling[last] = inode;
    this.#lastChild[parent] = inode;
    this.#insert(inode, mixed);
    this.#inHash++;
  }

  /** The name's bytes: a view, not to be kept. */
  nameBytes(inode: number): Uint8Array {
    const start = this.#nameStart[inode]!;
    return this.#names.subarray(start, start + this.#nameLength[inode]!);
  }

  #isNamed(inode: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = this.#nameLength[inode]!;
    if (length !== end - start) return false;
    const names = this.#names;
    let name = this.#nameStart[inode]!;
    for (let i = start; i < end; i++) if (names[name++] !== bytes[i]) return false;
    return true;
  }

  #storeName(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#namesUsed;
    if (at + (end - start) > this.#names.length) this.#growNames(at + (end - start));
    const names = this.#names;
    for (let from = start, to = at; from < end; ) names[to++] = bytes[from++]!;
    this.#namesUsed += end - start;
    return at;
  }

  #growNames(needed: number): void {
    const size = Math.max(needed, Math.ceil(this.#names.length * 1.5), this.capacity * NAME_BYTES_GUESS);
    if (size > 0xffffffff) fail('ENOMEM', 'the names of this volume need more than 4 GiB of memory');
    this.#names = grown(this.#names, new Uint8Array(size));
  }

  #insert(inode: number, mixed: number): void {
    const mask = this.#buckets.length - 1;
    let bucket = mixed & mask;
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    this.#buckets[bucket] = inode;
  }

  #rehash(count: number): void {
    if (count === this.#buckets.length) return;
    const old = this.#buckets;
    this.#buckets = new Uint32Array(count);
    if (this.#inHash === 0) return;
    for (const inode of old) if (inode !== 0) this.#insert(inode, this.#hash[inode]!);
  }
}

/** FNV-1a, so that a scan over a path can hash byte by byte as it goes (path-scan.ts). */
export const HASH_START = 0x811c9dc5 | 0;
export const HASH_PRIME = 0x01000193;

export function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, HASH_PRIME);
  return hash;
}

/** Signed, so that it stays a small integer for V8. */
function mix(hash: number, parent: number): number {
  const mixed = Math.imul(hash ^ Math.imul(parent + 1, HASH_MULTIPLIER), HASH_MULTIPLIER);
  return mixed ^ (mixed >>> 15);
}

/** A power of two, at least twice the inodes. */
function bucketCount(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(capacity, 8) * 2));
}

function grown<T extends Uint8Array | Int32Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
