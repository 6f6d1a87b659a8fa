/**
 * A host whose caches no other host sees. Its processes map a file of the host's own, `cache`: what its processor would see. The memory that all hosts share is
 * another file, `memory`. The two meet line by line, when cache-line instructions say so (and when a test has the cache do it by itself):
 *   write back   a line that was stored to since it came goes to memory
 *   drop         the line comes anew from memory: at once, which is the earliest a processor may
 * `base` is what each line was when it came: a line that differs from it is dirty.
 * Not in this world: half a line, and locks between hosts (their files differ, as their kernels would).
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
  /** Superblock and take-over record, the head of the log, the head of each unit behind it: what tools store to. */
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

  /** pmem_persist as udax asks for it (PMEM_NO_CLWB): written back and dropped. */
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

  /** Dirty lines go to memory; the cache keeps them. */
  writeBack(first: number, bytes: number): void {
    const { now, base } = { now: read(this.#cache, first, bytes), base: read(this.#base, first, bytes) };
    for (let at = 0; at < bytes; at += LINE_BYTES) {
      const line = now.subarray(at, at + LINE_BYTES);
      if (line.equals(base.subarray(at, at + LINE_BYTES))) continue;
      fs.writeSync(this.#memory, line, 0, LINE_BYTES, first + at);
      fs.writeSync(this.#base, line, 0, LINE_BYTES, first + at);
    }
  }

  /** Clean lines come anew from memory. Call writeBack() first: dirty ones would be lost. */
  fetch(first: number, bytes: number): void {
    const fresh = read(this.#memory, first, bytes);
    fs.writeSync(this.#cache, fresh, 0, bytes, first);
    fs.writeSync(this.#base, fresh, 0, bytes, first);
  }

  /** What a cache may do at any time: write all that is dirty back, and fetch anew what is clean then. */
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
