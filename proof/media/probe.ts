/**
 * Reports stores while a trace runs. It wraps the calls by which JavaScript stores many bytes or one atomic word, and reports
 * each store into the traced memory with its range. /proc/self/maps tells which bytes of the memory a buffer shows, so views made
 * by other code are known too. Plain indexed stores are not seen here: see Tracer.
 */
import fs from 'node:fs';
import { addressOf } from '../../src/libc/index.js';

export interface StoreListener {
  before(): void;
  stored(at: number, length: number): void;
}

interface Segment {
  start: number;
  end: number;
  /** Offset in the memory of the byte at `start`. */
  offset: number;
}

type Method = (this: ArrayBufferView, ...words: unknown[]) => unknown;
type Methods = Record<string, Method>;

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as Methods;
const BULK = ['set', 'fill', 'copyWithin'];
const ATOMIC = ['store', 'add', 'sub', 'and', 'or', 'xor', 'exchange', 'compareExchange'];

/** Runs `act` and reports every store into the memory behind descriptor `fd` to `listener`. */
export async function withProbe<T>(
  fd: number,
  listener: StoreListener,
  act: () => T | Promise<T>,
): Promise<T> {
  const map = new MemoryMap(fd);
  const undo = [
    ...BULK.map((name) => wrapBulk(map, listener, typedArray, name)),
    ...['fill', 'write', 'copy'].map((name) =>
      wrapBulk(map, listener, Buffer.prototype as unknown as Methods, name),
    ),
    ...ATOMIC.map((name) => wrapAtomic(map, listener, name)),
    wrapRead(map, listener),
  ];
  try {
    return await act();
  } finally {
    for (const restore of undo.reverse()) restore();
  }
}

/** Finds the place in the memory to which a store into a view goes. */
class MemoryMap {
  readonly #inode: string;
  #isLooking = false;
  readonly #known = new WeakMap<ArrayBufferLike, { address: number; segments: Segment[] }>();

  constructor(fd: number) {
    this.#inode = String(fs.fstatSync(fd).ino);
  }

  /** Offset in the memory of a buffer's byte; -1 when the buffer does not show the memory. */
  locate(buffer: ArrayBufferLike, byteOffset: number): number {
    if (buffer.byteLength < 4096 || this.#isLooking) return -1;
    let known = this.#known.get(buffer);
    if (known === undefined) {
      const address = addressOf(buffer as ArrayBuffer);
      known = { address, segments: [] };
      // Entered before the map is read, because reading it is a read(2) of its own.
      this.#known.set(buffer, known);
      known.segments = this.#segments(address, address + buffer.byteLength);
    }
    const at = known.address + byteOffset;
    const segment = known.segments.find(({ start, end }) => at >= start && at < end);
    return segment === undefined ? -1 : segment.offset + at - segment.start;
  }

  #segments(from: number, to: number): Segment[] {
    this.#isLooking = true;
    const maps = fs.readFileSync('/proc/self/maps', 'latin1');
    this.#isLooking = false;
    const segments: Segment[] = [];
    for (const row of maps.split('\n')) {
      const found = /^([0-9a-f]+)-([0-9a-f]+) (\S+) ([0-9a-f]+) \S+ (\d+)/.exec(row);
      if (!found || found[5] !== this.#inode || !found[3]!.endsWith('s')) continue;
      const [start, end, offset] = [found[1]!, found[2]!, found[4]!].map((text) => Number.parseInt(text, 16));
      if (start! < to && end! > from) segments.push({ start: start!, end: end!, offset: offset! });
    }
    return segments;
  }
}

function wrapBulk(map: MemoryMap, listener: StoreListener, owner: Methods, name: string): () => void {
  const original = owner[name]!;
  const isOwn = Object.hasOwn(owner, name);
  owner[name] = function (...words) {
    // Buffer.copy stores into its argument.
    const target = name === 'copy' ? (words[0] as ArrayBufferView) : this;
    const at = map.locate(target.buffer, target.byteOffset);
    if (at < 0) return original.apply(this, words);
    const [from, length] = rangeOf(name, target as Uint8Array, words);
    listener.before();
    const result = original.apply(this, words);
    listener.stored(at + from, length);
    return result;
  };
  return () => {
    if (isOwn) owner[name] = original;
    else delete owner[name];
  };
}

/** The bytes of the view that a call stores to. Where the exact range is not needed, the whole view. */
function rangeOf(name: string, target: Uint8Array, words: unknown[]): [number, number] {
  const size = target.BYTES_PER_ELEMENT;
  if (name === 'set') {
    const [source, offset = 0] = words as [ArrayLike<number>, number?];
    return [offset * size, source.length * size];
  }
  const [, from = 0, to = target.length] = words;
  if (name !== 'fill' || typeof from !== 'number' || typeof to !== 'number' || from < 0 || to < from) {
    return [0, target.byteLength];
  }
  return [from * size, (Math.min(to, target.length) - from) * size];
}

function wrapAtomic(map: MemoryMap, listener: StoreListener, name: string): () => void {
  const atomics = Atomics as unknown as Record<string, (...words: unknown[]) => unknown>;
  const original = atomics[name]!;
  atomics[name] = (...words) => {
    const [array, index] = words as [Int32Array, number];
    const at = map.locate(array.buffer, array.byteOffset + index * array.BYTES_PER_ELEMENT);
    if (at < 0) return original(...words);
    listener.before();
    const result = original(...words);
    listener.stored(at, array.BYTES_PER_ELEMENT);
    return result;
  };
  return () => {
    atomics[name] = original;
  };
}

/** Wraps read(2) into the memory: there the kernel stores. */
function wrapRead(map: MemoryMap, listener: StoreListener): () => void {
  const original = fs.readSync;
  const wrapped = (fd: number, into: Uint8Array, ...more: [number, number, number]): number => {
    const at = map.locate(into.buffer, into.byteOffset);
    if (at < 0) return original(fd, into, ...more);
    listener.before();
    const bytes = original(fd, into, ...more);
    listener.stored(at, into.byteLength);
    return bytes;
  };
  fs.readSync = wrapped as typeof fs.readSync;
  return () => {
    fs.readSync = original;
  };
}
