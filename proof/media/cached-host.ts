import { type Backing, memfdBacking } from '../../src/memory/index.js';
import { LINE_BYTES } from './lines.js';

const PAGE_BYTES = 4096;
const BLOCK_BYTES = 2 ** 16;

/**
 * Memory as one of several hosts sees it, when the hosts do not see each other's caches. This host caches all of it, for ever: a
 * load returns what memory had when the line was last dropped, and a store stays here until it is flushed. `disturb` does what
 * real caches may do at any time: it writes back lines that were not flushed, and drops clean ones.
 */
export class CachedHost implements Backing {
  readonly kind = 'devdax';
  readonly sharedOnly = true;
  readonly granule = PAGE_BYTES;
  readonly writable = true;
  readonly canShrink = false;
  readonly isSparse = false;
  readonly coherent = false;
  readonly persistent = false;
  readonly size: number;
  /** Called at each flush and fence of this host, so that other hosts can look then. */
  onAct: (() => void) | undefined;
  /** The memory itself, behind all caches. */
  readonly #memory: Uint8Array;
  readonly #real: Backing;
  /** Lines as they last came from memory or went to it. A line that differs in the cache is dirty. */
  readonly #clean: Uint8Array;
  #cache: Uint8Array = new Uint8Array();

  constructor(
    readonly name: string,
    memory: Uint8Array,
  ) {
    this.#real = memfdBacking(name, memory.length);
    this.size = memory.length;
    this.#memory = memory;
    this.#clean = memory.slice();
  }

  /** Takes the mapping that shows the cache. */
  begin(view: Uint8Array): void {
    this.#cache = view;
    view.set(this.#memory);
  }

  get fd(): number {
    return this.#real.fd;
  }
  get identity(): string {
    return this.#real.identity;
  }
  checkRange(offset: number, length: number): void {
    this.#real.checkRange(offset, length);
  }
  endNow(): number {
    return this.size;
  }
  /** Like a device: everything is there. */
  ensure(): boolean {
    return true;
  }
  zero(offset: number, length: number): void {
    this.#real.zero(offset, length);
  }

  sync(offset: number, length: number): void {
    this.onAct?.();
    this.#eachLine(offset, length, (at) => this.#writeBack(at));
    this.onAct?.();
  }

  fenced(): void {
    this.onAct?.();
  }

  /** Writes dirty lines back, and drops all lines. */
  invalidate(offset: number, length: number): void {
    this.#eachLine(offset, length, (at) => {
      this.#writeBack(at);
      this.#fetch(at);
    });
  }

  /** Writes some lines back and fetches others, as a cache does by itself. */
  disturb(random: () => number): void {
    for (let block = 0; block < this.size; block += BLOCK_BYTES) {
      const same =
        Buffer.compare(
          this.#cache.subarray(block, block + BLOCK_BYTES),
          this.#memory.subarray(block, block + BLOCK_BYTES),
        ) === 0;
      if (same) continue;
      this.#eachLine(block, BLOCK_BYTES, (at) => {
        if (random() < 0.5) return;
        if (this.#isDirty(at)) this.#writeBack(at);
        else this.#fetch(at);
      });
    }
  }

  close(): void {
    this.#real.close();
  }

  #eachLine(offset: number, length: number, act: (at: number) => void): void {
    for (let at = offset - (offset % LINE_BYTES); at < offset + length; at += LINE_BYTES) act(at);
  }

  #isDirty(at: number): boolean {
    return Buffer.compare(this.#line(this.#cache, at), this.#line(this.#clean, at)) !== 0;
  }

  #writeBack(at: number): void {
    if (!this.#isDirty(at)) return;
    this.#memory.set(this.#line(this.#cache, at), at);
    this.#clean.set(this.#line(this.#cache, at), at);
  }

  #fetch(at: number): void {
    this.#cache.set(this.#line(this.#memory, at), at);
    this.#clean.set(this.#line(this.#memory, at), at);
  }

  #line(bytes: Uint8Array, at: number): Uint8Array {
    return bytes.subarray(at, at + LINE_BYTES);
  }
}
