// A medium that remembers every ordered store, flush and fence, and plays crashes between them.
//
// Fault models:
//  kill  - the process dies (kill -9), memory stays: any prefix of the stores, the last one torn at any
//          8-byte word.
//  power - what was not flushed and fenced may be lost: every cache line holds what was durable plus any prefix
//          of the later stores to that line (lines reach the memory independently of one another).
import { bufferMedia, type Media } from '../../src/famfs/index.js';

const WORD = 8;
const LINE = 64;

interface Store {
  offset: number;
  bytes: Uint8Array;
}
type Event = { store: Store } | { flush: { offset: number; length: number } } | 'fence';

export class CrashMedia implements Media {
  readonly events: Event[] = [];
  readonly memory: Media;
  private readonly start: Uint8Array;

  constructor(
    contents: Uint8Array,
    readonly size: number,
    readonly name = 'crash',
  ) {
    this.start = contents.slice();
    this.memory = bufferMedia(contents, { name, size });
  }

  bytes(offset: number, length: number): Uint8Array {
    return this.memory.bytes(offset, length);
  }
  flush(offset: number, length: number): void {
    this.events.push({ flush: { offset, length } });
  }
  fence(): void {
    this.events.push('fence');
  }
  zero(offset: number, length: number): void {
    this.memory.bytes(offset, length).fill(0);
    this.recordStore(offset, length);
    this.flush(offset, length);
    this.fence();
  }
  invalidate(): void {}
  recordStore(offset: number, length: number): void {
    this.events.push({ store: { offset, bytes: this.memory.bytes(offset, length).slice() } });
  }

  /** Shows `check` the memory of every kill; `tear` picks up to how many words of the last store landed. */
  eachKill(tear: (words: number) => number[], check: (media: Media) => void): void {
    const image = this.start.slice();
    const media = () => bufferMedia(image.slice(), { name: this.name, size: this.size });
    check(media());
    for (const event of this.events) {
      if (event === 'fence' || !('store' in event)) continue;
      const { offset, bytes } = event.store;
      const whole = Math.ceil(bytes.length / WORD);
      for (const words of tear(whole)) {
        if (words >= whole) continue;
        const before = image.slice(offset, offset + bytes.length);
        image.set(bytes.subarray(0, words * WORD), offset);
        check(media());
        image.set(before, offset);
      }
      image.set(bytes, offset);
      check(media());
    }
  }

  /** Shows `check` one random memory after a power cut at every event. */
  eachPowerCut(random: () => number, check: (media: Media) => void): void {
    const durable = this.start.slice();
    const pending = new Map<number, Store[]>();
    const flushed = new Set<number>();
    for (const event of this.events) {
      if (event === 'fence') {
        for (const line of flushed) {
          for (const store of pending.get(line) ?? []) durable.set(store.bytes, store.offset);
          pending.delete(line);
        }
        flushed.clear();
      } else if ('store' in event) addByLine(pending, flushed, event.store);
      else {
        const { offset, length } = event.flush;
        for (let line = Math.floor(offset / LINE); line * LINE < offset + length; line++) flushed.add(line);
      }
      const image = durable.slice();
      for (const stores of pending.values()) {
        const landed = Math.floor(random() * (stores.length + 1));
        for (const store of stores.slice(0, landed)) image.set(store.bytes, store.offset);
      }
      check(bufferMedia(image, { name: this.name, size: this.size }));
    }
  }
}

/** Splits a store into words; a line stored to again after its flush is not durable at the next fence. */
function addByLine(pending: Map<number, Store[]>, flushed: Set<number>, { offset, bytes }: Store): void {
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, (Math.floor((offset + at) / WORD) + 1) * WORD - offset);
    const line = Math.floor((offset + at) / LINE);
    flushed.delete(line);
    const stores = pending.get(line) ?? [];
    stores.push({ offset: offset + at, bytes: bytes.subarray(at, next) });
    pending.set(line, stores);
    at = next;
  }
}
