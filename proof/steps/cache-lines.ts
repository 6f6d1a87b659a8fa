/**
 * A host whose caches no other host sees. Its processes map the host's own file `cache`: what its processor would see. The memory
 * that all hosts share is another file, `memory`. The two are synchronized line by line, by cache-line instructions (or when a
 * test lets the cache act by itself):
 *   write back   a line with stores since it came goes to memory
 *   drop         the line is read from memory again: at once, which is the earliest time for a processor
 * `base` has each line as it came. A line that differs from it is dirty.
 * Not modelled: half lines, and locks between hosts (their files differ, as their kernels would).
 */
import { plainFs as fs, type LineCalls } from './seams.js';

const LINE_BYTES = 64;
const KIB = 1024;
const MIB = 1024 * KIB;

export interface CacheFiles {
  cache: string;
  base: string;
  memory: string;
}

interface Mapped {
  length: number;
  offset: number;
}

export class CacheLines implements LineCalls {
  readonly #cache: number;
  readonly #base: number;
  readonly #memory: number;
  readonly #inode: number;
  /** The places that tools store to: superblock and take-over record, the head of the log, and the head of each unit after it. */
  readonly #areas: [number, number][] = [
    [0, 128 * KIB],
    [2 * MIB, 64 * KIB],
    ...Array.from({ length: 56 }, (_, i): [number, number] => [(10 + 2 * i) * MIB, 4 * KIB]),
  ];
  readonly #mappings = new Map<number, Mapped>();

  constructor(files: CacheFiles) {
    this.#cache = fs.openSync(files.cache, 'r+');
    this.#base = fs.openSync(files.base, 'r+');
    this.#memory = fs.openSync(files.memory, 'r+');
    this.#inode = fs.fstatSync(this.#cache).ino;
  }

  close(): void {
    for (const fd of [this.#cache, this.#base, this.#memory]) fs.closeSync(fd);
  }

  mapped(address: number, length: number, fd: number, offset: number): void {
    if (fd >= 0 && fs.fstatSync(fd).ino === this.#inode) this.#mappings.set(address, { length, offset });
  }

  unmapped(address: number): void {
    this.#mappings.delete(address);
  }

  /** pmem_persist as udax requests it (PMEM_NO_CLWB): writes the lines back and drops them. */
  persist(address: number, length: number): void {
    this.flush(address, length);
  }

  flush(address: number, length: number): void {
    const offset = this.#offsetOf(address);
    const first = offset - (offset % LINE_BYTES);
    const bytes = Math.ceil((offset + length - first) / LINE_BYTES) * LINE_BYTES;
    this.writeBack(first, bytes);
    this.fetch(first, bytes);
  }

  /** Writes dirty lines to memory; the cache keeps them. */
  writeBack(first: number, bytes: number): void {
    const { now, base } = { now: read(this.#cache, first, bytes), base: read(this.#base, first, bytes) };
    for (let at = 0; at < bytes; at += LINE_BYTES) {
      const line = now.subarray(at, at + LINE_BYTES);
      if (line.equals(base.subarray(at, at + LINE_BYTES))) continue;
      fs.writeSync(this.#memory, line, 0, LINE_BYTES, first + at);
      fs.writeSync(this.#base, line, 0, LINE_BYTES, first + at);
    }
  }

  /** Reads lines from memory again. Dirty lines would be lost, so call writeBack() first. */
  fetch(first: number, bytes: number): void {
    const fresh = read(this.#memory, first, bytes);
    fs.writeSync(this.#cache, fresh, 0, bytes, first);
    fs.writeSync(this.#base, fresh, 0, bytes, first);
  }

  /** What a cache may do at any time: write all dirty lines back, and fetch lines again. */
  actByItself(act: 'write-back' | 'fetch'): void {
    for (const [first, bytes] of this.#areas) {
      this.writeBack(first, bytes);
      if (act === 'fetch') this.fetch(first, bytes);
    }
  }

  #offsetOf(address: number): number {
    for (const [start, { length, offset }] of this.#mappings) {
      if (address >= start && address < start + length) return offset + address - start;
    }
    throw new Error(`no mapping of the host's memory has address ${address}`);
  }
}

function read(fd: number, offset: number, bytes: number): Buffer {
  const into = Buffer.alloc(bytes);
  fs.readSync(fd, into, 0, bytes, offset);
  return into;
}
