import type { VolumeFile } from '../famfs/index.js';
import { fail } from '../libc/index.js';
import type { Geometry } from './layout.js';

/**
 * Windows on the heap start this far apart and are twice as long, so that each value of up to this length lies in one window. V8 bounds
 * a view to 4 GiB.
 */
const WINDOW_STRIDE = 2 ** 31;
/** A cache line. Parts begin at one. */
const LINE_WORDS = 16;

/** The memory of an open arena: all metadata as one view, and windows on the heap. */
export class ArenaMemory {
  readonly file: VolumeFile;
  readonly geometry: Geometry;
  readonly words: Uint32Array;
  /** The same words as signed numbers: comparing those is faster. */
  readonly signed: Int32Array;
  readonly bytes: Uint8Array;
  /** Whether stores need writeBack() before others, or the next boot, see them; whether loads need refetch(). */
  readonly flushes: boolean;
  readonly refetches: boolean;
  readonly #readable: Uint8Array[] = [];
  readonly #writable: Uint8Array[] = [];

  constructor(file: VolumeFile, geometry: Geometry, writable: boolean) {
    this.file = file;
    this.geometry = geometry;
    const length = geometry.heapOffset;
    // A read-only volume gives a private view. It shows what others store, and nothing stores into it.
    this.words = (
      writable ? file.mapAs(Uint32Array, { length, writable }) : file.mapAs(Uint32Array, { length })
    ) as Uint32Array;
    this.signed = new Int32Array(this.words.buffer, this.words.byteOffset, this.words.length);
    this.bytes = new Uint8Array(this.words.buffer, this.words.byteOffset, this.words.byteLength);
    this.flushes = file.needsWriteBack;
    this.refetches = file.needsRefetch;
  }

  /** First word of a host's part. */
  partWord(part: number): number {
    return 1024 + part * this.geometry.partWords;
  }

  /** Word of a slot by its number over all parts. */
  slotWord(id: number): number {
    const { slotsPerHost, slotWord, slotWords } = this.geometry;
    if (id < slotsPerHost) return 1024 + slotWord + id * slotWords;
    const part = Math.floor(id / slotsPerHost);
    return this.partWord(part) + slotWord + (id - part * slotsPerHost) * slotWords;
  }

  /** Writes words back to the memory, in order before all later stores. */
  writeBack(word: number, count: number): void {
    if (this.flushes) this.file.writeBack(word * 4, count * 4);
  }

  /** Writes back those lines of words from `word` on that differ from what was there `before`. */
  writeBackChanges(word: number, before: Uint32Array): void {
    if (!this.flushes) return;
    const { words } = this;
    for (let line = 0; line < before.length; line += LINE_WORDS) {
      let i = line;
      const end = Math.min(line + LINE_WORDS, before.length);
      while (i < end && words[word + i] === before[i]) i++;
      if (i < end) this.writeBack(word + line, end - line);
    }
  }

  /** Drops what this host's caches hold of words that another host stores to. */
  refetch(word: number, count: number): void {
    if (this.refetches) this.file.refetch(word * 4, count * 4);
  }

  /** A view of bytes of the file in the heap; stray stores into it stay private. */
  readView(position: number, length: number): Uint8Array {
    return this.#view(this.#readable, position, length, false);
  }

  writeView(position: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#view(this.#writable, position, length, true) as Uint8Array<ArrayBuffer>;
  }

  #view(windows: Uint8Array[], position: number, length: number, writable: boolean): Uint8Array {
    const at = position - this.geometry.heapOffset;
    if (length > WINDOW_STRIDE) return this.#map(position, length, writable);
    const index = at < WINDOW_STRIDE ? 0 : Math.floor(at / WINDOW_STRIDE);
    const window = windows[index] ?? this.#window(windows, index, writable);
    return new Uint8Array(window.buffer, window.byteOffset + at - index * WINDOW_STRIDE, length);
  }

  #window(windows: Uint8Array[], index: number, writable: boolean): Uint8Array {
    const offset = this.geometry.heapOffset + index * WINDOW_STRIDE;
    const window = this.#map(offset, Math.min(2 * WINDOW_STRIDE, this.file.size - offset), writable);
    windows[index] = window;
    return window;
  }

  #map(offset: number, length: number, writable: boolean): Uint8Array {
    const view = writable ? this.file.map({ offset, length, writable }) : this.file.map({ offset, length });
    return view as Uint8Array;
  }

  /** @throws DaxError EBADMSG */
  damaged(why: string): never {
    const { path } = this.file;
    return fail('EBADMSG', `the arena ${path} is damaged: ${why}; fsckArena() tells more`, { path });
  }
}
