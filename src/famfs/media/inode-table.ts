/**
 * The inodes and names of a tree in typed arrays. An inode with its name takes about 60 bytes, and no object or string.
 * A hash of (parent, name bytes) finds a name. Inode 0 is the root. Inodes are never removed.
 */
import { fail } from '../../libc/index.js';
import { decodeName } from './path.js';

export const NOTHING = 0;
export const FILE = 1;
export const DIRECTORY = 2;
export type InodeKind = typeof NOTHING | typeof FILE | typeof DIRECTORY;

const ROOT = 0;
const NAME_BYTES_GUESS = 12;
/** The sum over all arrays below that have one element an inode. */
const BYTES_PER_INODE = 46;
const HASH_MULTIPLIER = 0x9e3779b1 | 0;

export class InodeTable {
  kind: Uint8Array;
  parent: Uint32Array;
  mode: Uint32Array;
  uid: Uint32Array;
  gid: Uint32Array;
  fileSize: Float64Array;
  /** The list of children, in order of creation. 0 ends it: the root is never a child. */
  firstChild: Uint32Array;
  nextSibling: Uint32Array;
  #lastChild: Uint32Array;
  #nameStart: Uint32Array;
  #nameLength: Uint8Array;
  #hash: Int32Array;
  #names: Uint8Array;
  #namesUsed = 0;
  /** The hash table, with open addressing: inode numbers; 0 marks an empty bucket. It is at most half full. */
  #buckets: Uint32Array;
  #inHash = 0;
  #lastPath = { inode: ROOT, path: '' };

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

  /** How many names there are. */
  get names(): number {
    return this.#inHash;
  }

  /** Bytes of all arrays. */
  get memoryBytes(): number {
    return this.capacity * BYTES_PER_INODE + this.#names.length + this.#buckets.byteLength;
  }

  /** Makes room for inodes 0..count-1. */
  reserve(count: number): void {
    if (count <= this.capacity) return;
    // The first replay knows its size, so it takes just that. Later growth doubles, so that growing one by one stays cheap.
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

  /** Finds the child of `parent` with this name; 0 when there is none. `hash` is {@link hashName} of the name. */
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

  /** Links a new inode under its parent. The caller fills in mode, owner and size. */
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

  /** A view of the name's bytes. The caller must not keep it: the array behind it is replaced when it grows. */
  nameBytes(inode: number): Uint8Array {
    const start = this.#nameStart[inode]!;
    return this.#names.subarray(start, start + this.#nameLength[inode]!);
  }

  /** The name as text. */
  nameOf(inode: number): string {
    const start = this.#nameStart[inode]!;
    return decodeName(this.#names, start, start + this.#nameLength[inode]!);
  }

  /** The path from the root, without a leading slash. The last answer is kept: who makes many files makes them in one directory. */
  pathOf(inode: number): string {
    if (this.#lastPath.inode === inode) return this.#lastPath.path;
    const names: string[] = [];
    for (let at = inode; at !== ROOT; at = this.parent[at]!) names.push(this.nameOf(at));
    this.#lastPath = { inode, path: names.reverse().join('/') };
    return this.#lastPath.path;
  }

  /** Whether an inode lies in `parent` under this name: a find() of which the answer is expected. */
  isChild(inode: number, parent: number, bytes: Uint8Array, start: number, end: number): boolean {
    return (
      inode > 0 &&
      inode < this.capacity &&
      this.parent[inode] === parent &&
      this.#isNamed(inode, bytes, start, end)
    );
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

/** The hash is FNV-1a: it goes byte by byte, so a path scan computes it on the way (path-scan.ts). */
export const HASH_START = 0x811c9dc5 | 0;
export const HASH_PRIME = 0x01000193;

export function hashName(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_START;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, HASH_PRIME);
  return hash;
}

/** The result is signed: a signed 32-bit number stays a small integer (Smi) for V8. */
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
