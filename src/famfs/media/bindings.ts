/**
 * The names that records of the annex gave or took: (directory, name) -> inode number, 0 for a name that is taken away. In typed
 * arrays, as the inode table. A name that is here once stays: from then on the annex alone says what it means, whatever the log says.
 */
import { ANNEX_INO_START } from './annex-layout.js';
import { hashName } from './inode-table.js';

const NAME_BYTES_GUESS = 16;
const HASH_MULTIPLIER = 0x9e3779b1 | 0;
const FIRST_CAPACITY = 256;
const SEEN_BITS = 8;

/** A number for each inode, for those of the log and those of the annex. Most inodes have 0, which takes no memory at the end. */
class PerInode {
  #log = new Uint32Array(0);
  #annex = new Uint32Array(0);

  get(ino: number): number {
    return (ino < ANNEX_INO_START ? this.#log[ino] : this.#annex[ino - ANNEX_INO_START]) ?? 0;
  }

  set(ino: number, value: number): void {
    if (ino < ANNEX_INO_START) {
      if (ino >= this.#log.length) this.#log = longer(this.#log, ino + 1);
      this.#log[ino] = value;
      return;
    }
    const at = ino - ANNEX_INO_START;
    if (at >= this.#annex.length) this.#annex = longer(this.#annex, at + 1);
    this.#annex[at] = value;
  }
}

function longer(from: Uint32Array<ArrayBuffer>, least: number): Uint32Array<ArrayBuffer> {
  const to = new Uint32Array(Math.max(least, from.length * 2, FIRST_CAPACITY));
  to.set(from);
  return to;
}

export class Bindings {
  /** The number of bindings; they count from 1, and 0 is none. */
  count = 0;
  #directory = new Float64Array(FIRST_CAPACITY);
  #target = new Float64Array(FIRST_CAPACITY);
  #nameStart = new Uint32Array(FIRST_CAPACITY);
  #nameLength = new Uint8Array(FIRST_CAPACITY);
  #hash = new Int32Array(FIRST_CAPACITY);
  #nextInDirectory = new Uint32Array(FIRST_CAPACITY);
  #nextOfInode = new Uint32Array(FIRST_CAPACITY);
  #previousOfInode = new Uint32Array(FIRST_CAPACITY);
  #names = new Uint8Array(FIRST_CAPACITY * NAME_BYTES_GUESS);
  #namesUsed = 0;
  #buckets = new Uint32Array(FIRST_CAPACITY * 2);
  /** A bit for each of many hashes: set when one of them is in the table. Most names asked for are not, and this stays in the cache. */
  #seen = new Int32Array((FIRST_CAPACITY * SEEN_BITS) / 32);
  readonly #inDirectory = new PerInode();
  readonly #ofInode = new PerInode();

  /** Makes room for as many more, so that adding them moves nothing. */
  reserve(more: number): void {
    let capacity = this.#target.length;
    while (capacity <= this.count + more) capacity *= 2;
    if (capacity > this.#target.length) this.#grow(capacity, this.count);
  }

  /** The binding of a name, or 0. */
  find(directory: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mixed = mix(hash, directory);
    if (((this.#seen[(mixed >>> 5) & (this.#seen.length - 1)]! >>> (mixed & 31)) & 1) === 0) return 0;
    const mask = this.#buckets.length - 1;
    for (let bucket = mixed & mask; ; bucket = (bucket + 1) & mask) {
      const found = this.#buckets[bucket]!;
      if (found === 0) return 0;
      if (
        this.#hash[found] === mixed &&
        this.#directory[found] === directory &&
        this.#isNamed(found, bytes, start, end)
      )
        return found;
    }
  }

  /** Lets a name mean an inode, or nothing (0). @param known what find() has just said of it @returns its binding */
  set(
    directory: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    hash: number,
    target: number,
    known = this.find(directory, bytes, start, end, hash),
  ): number {
    const binding = known === 0 ? this.#add(directory, bytes, start, end, hash) : known;
    this.#drop(binding);
    this.#target[binding] = target;
    if (target === 0) return binding;
    const next = this.#ofInode.get(target);
    this.#nextOfInode[binding] = next;
    this.#previousOfInode[binding] = 0;
    if (next !== 0) this.#previousOfInode[next] = binding;
    this.#ofInode.set(target, binding);
    return binding;
  }

  target(binding: number): number {
    return this.#target[binding]!;
  }

  directory(binding: number): number {
    return this.#directory[binding]!;
  }

  /** A view of the name's bytes, not to be kept. */
  nameBytes(binding: number): Uint8Array {
    const start = this.#nameStart[binding]!;
    return this.#names.subarray(start, start + this.#nameLength[binding]!);
  }

  /** The first binding of an inode, or 0; nextOf() gives the next. */
  firstOf(ino: number): number {
    return this.#ofInode.get(ino);
  }

  nextOf(binding: number): number {
    return this.#nextOfInode[binding]!;
  }

  /** The first binding in a directory, or 0; those that mean nothing are among them. */
  firstIn(directory: number): number {
    return this.#inDirectory.get(directory);
  }

  nextIn(binding: number): number {
    return this.#nextInDirectory[binding]!;
  }

  #add(directory: number, bytes: Uint8Array, start: number, end: number, hash: number): number {
    const binding = ++this.count;
    if (binding >= this.#target.length) this.#grow(this.#target.length * 2, binding - 1);
    this.#directory[binding] = directory;
    this.#hash[binding] = mix(hash, directory);
    this.#nameStart[binding] = this.#storeName(bytes, start, end);
    this.#nameLength[binding] = end - start;
    this.#nextInDirectory[binding] = this.#inDirectory.get(directory);
    this.#inDirectory.set(directory, binding);
    this.#insert(binding);
    return binding;
  }

  /** Takes a binding out of the list of its inode. */
  #drop(binding: number): void {
    const target = this.#target[binding]!;
    if (target === 0) return;
    const next = this.#nextOfInode[binding]!;
    const previous = this.#previousOfInode[binding]!;
    if (previous === 0) this.#ofInode.set(target, next);
    else this.#nextOfInode[previous] = next;
    if (next !== 0) this.#previousOfInode[next] = previous;
  }

  #isNamed(binding: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#nameLength[binding] !== end - start) return false;
    const names = this.#names;
    let name = this.#nameStart[binding]!;
    for (let i = start; i < end; i++) if (names[name++] !== bytes[i]) return false;
    return true;
  }

  #storeName(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#namesUsed;
    if (at + end - start > this.#names.length)
      this.#names = copied(this.#names, new Uint8Array(Math.max(this.#names.length * 2, at + end - start)));
    const names = this.#names;
    for (let from = start, to = at; from < end; ) names[to++] = bytes[from++]!;
    this.#namesUsed += end - start;
    return at;
  }

  /** @param inserted how many bindings are in the hash table */
  #grow(capacity: number, inserted: number): void {
    this.#directory = copied(this.#directory, new Float64Array(capacity));
    this.#target = copied(this.#target, new Float64Array(capacity));
    this.#nameStart = copied(this.#nameStart, new Uint32Array(capacity));
    this.#nameLength = copied(this.#nameLength, new Uint8Array(capacity));
    this.#hash = copied(this.#hash, new Int32Array(capacity));
    this.#nextInDirectory = copied(this.#nextInDirectory, new Uint32Array(capacity));
    this.#nextOfInode = copied(this.#nextOfInode, new Uint32Array(capacity));
    this.#previousOfInode = copied(this.#previousOfInode, new Uint32Array(capacity));
    if (this.#names.length < capacity * NAME_BYTES_GUESS)
      this.#names = copied(this.#names, new Uint8Array(capacity * NAME_BYTES_GUESS));
    this.#buckets = new Uint32Array(capacity * 2);
    this.#seen = new Int32Array((capacity * SEEN_BITS) / 32);
    for (let binding = 1; binding <= inserted; binding++) this.#insert(binding);
  }

  #insert(binding: number): void {
    const mask = this.#buckets.length - 1;
    const mixed = this.#hash[binding]!;
    const seen = (mixed >>> 5) & (this.#seen.length - 1);
    this.#seen[seen] = this.#seen[seen]! | (1 << (mixed & 31));
    let bucket = mixed & mask;
    while (this.#buckets[bucket] !== 0) bucket = (bucket + 1) & mask;
    this.#buckets[bucket] = binding;
  }
}

/** Of a directory's number imul() takes the lower 32 bits by itself: by `%` it would be a division of floats for each name. @see hashName */
function mix(hash: number, directory: number): number {
  const mixed = Math.imul(hash ^ Math.imul(directory + 1, HASH_MULTIPLIER), HASH_MULTIPLIER);
  return mixed ^ (mixed >>> 15);
}

function copied<T extends Float64Array | Uint32Array | Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Hash of a whole name, for find() and set(). */
export function hashOf(bytes: Uint8Array, length = bytes.length): number {
  return hashName(bytes, 0, length);
}
